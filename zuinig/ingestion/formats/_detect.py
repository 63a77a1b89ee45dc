"""What a file is, by its bytes. Its name only decides between kinds of plain text, which bytes cannot tell apart."""

import codecs
import functools
import re
from pathlib import Path, PurePosixPath
from typing import Any

import magika
import olefile
import onnxruntime

from zuinig.core.errors import DocumentError
from zuinig.ingestion.formats import _zip
from zuinig.ingestion.formats._reader import corrupt, encrypted
from zuinig.ingestion.formats._text import decode

SUPPORTED = (
    "PDF, Word (docx), PowerPoint (pptx), Excel (xlsx), OpenDocument text (odt), RTF, EPUB, HTML, Markdown, text, CSV, "
    "JSON lines and email (eml, msg)"
)

_PLAIN = {
    ".txt": "txt",
    ".text": "txt",
    ".log": "txt",
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdx": "markdown",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}
_CLEAR = 0.9  # from here up the model is believed over the name
_OLD = {
    "doc": ("an old Word document (.doc)", "docx"),
    "xls": ("an old Excel workbook (.xls)", "xlsx"),
    "ppt": ("an old PowerPoint presentation (.ppt)", "pptx"),
    "xlsb": ("a binary Excel workbook (.xlsb)", "xlsx"),
}
_STREAMS = {"worddocument": "doc", "workbook": "xls", "book": "xls", "powerpoint document": "ppt"}
_LOCKED = ("encryptedpackage", "encryptioninfo", "\tdrmcontent", "\x06dataspaces")
_PHONE_PICTURES = (b"heic", b"heix", b"mif1", b"avif")  # magika takes them for films
_HTML = re.compile(r"\s*(<\?xml.{0,200}?\?>\s*)?(<!--.{0,2000}?-->\s*)*<(!doctype html|html|head|body)\b", re.I | re.S)
_TAG = re.compile(r"</(p|h[1-6]|div|table|ul|ol|pre|a|body)>", re.I)
_HEADER = (
    r"(from|to|cc|subject|date|received|return-path|message-id|mime-version|delivered-to|content-type|x-[\w-]+):.*"
)
_MAIL = re.compile(rf"{_HEADER}\n([ \t].*\n)*{_HEADER}\n", re.I)


def label(path: Path, filename: str) -> str:
    """A label that some format reads. Raises DocumentError: unsupported, encrypted, empty, corrupt, too_large."""
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise DocumentError("This file is empty (0 bytes); check that it was saved and upload it again.", code="empty")
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if head.startswith(olefile.MAGIC):
        return _old_container(path)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _supported(_zip.label(path), "a zip archive", "archive")
    if head[4:8] == b"ftyp" and head[8:12] in _PHONE_PICTURES:
        return _supported("heic", "HEIC", "image")
    guess = _model().identify_path(path).prediction
    text = _text(head) if guess.output.is_text or guess.output.label == "unknown" else None
    if text is None:
        return _supported(guess.output.label, guess.output.description, guess.output.group)
    return _text_label(text, PurePosixPath(filename).suffix.lower(), guess)


class _OneThread(magika.Magika):  # type: ignore[misc]
    """The same model without threads of its own: they double the processor time and save none."""

    def _init_onnx_session(self) -> onnxruntime.InferenceSession:
        onnxruntime.disable_telemetry_events()  # as magika's own does
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(self._model_path, options, providers=["CPUExecutionProvider"])


@functools.cache
def _model() -> magika.Magika:
    return _OneThread()


def _text(head: bytes) -> str | None:
    try:
        if b"\x00" not in head:
            return codecs.getincrementaldecoder("utf-8")().decode(head)  # which forgives a letter cut in two at the end
    except UnicodeDecodeError:
        pass
    try:
        return decode(head)
    except DocumentError:
        return None


def _text_label(text: str, suffix: str, guess: Any) -> str:
    found, sure = str(guess.output.label), guess.score >= _CLEAR
    if _HTML.match(text) or (suffix in (".html", ".htm") and _TAG.search(text)):
        return "html"
    if found in ("eml", "mht") or _MAIL.match(text):
        return "eml"
    if found in ("html", "xml", "svg", "sgml"):
        return _supported(found, guess.output.description, guess.output.group)
    if found in _PLAIN.values() and found != "txt" and sure:
        return found
    return _PLAIN.get(suffix) or (found if found in _PLAIN.values() else "txt")


def _old_container(path: Path) -> str:
    """OLE holds what Office wrote before 2007, Outlook messages, and newer documents that a password locks."""
    try:
        with olefile.OleFileIO(path) as container:
            streams = {"/".join(entry).lower() for entry in container.listdir(streams=True, storages=True)}
    except Exception as error:  # a parser of hostile bytes
        raise corrupt("Office file") from error
    if any(name in streams for name in _LOCKED):
        raise encrypted("document")
    if "__properties_version1.0" in streams:
        return "outlook"
    found = next((label for stream, label in _STREAMS.items() if stream in streams), "")
    return _supported(found, "an old Office file")


def _supported(label: str, description: str, group: str = "") -> str:
    """The label, if it can be read."""
    if label in ("docx", "pptx", "xlsx", "odt", "epub", "html"):
        return label
    if label in _OLD:
        what, better = _OLD[label]
        advice = f"is {what}; save it as {better} and upload that."
    elif group == "image":
        advice = f"is a picture ({description}); run OCR on it first and upload the PDF or text that comes out."
    elif group in ("audio", "video"):
        advice = f"seems to be sound or video ({description}); upload a transcript of it."
    elif group == "archive":
        advice = f"seems to be an archive ({description}); unpack it and upload the files in it."
    elif label in ("unknown", "undefined", ""):
        advice = f"is of a kind that was not recognised. What can be read: {SUPPORTED}."
    else:
        advice = f"seems to be of a kind that cannot be read here ({description}). What can be read: {SUPPORTED}."
    raise DocumentError(f"This file {advice}", code="unsupported")
