"""What stands inside a zip container, before a library opens it."""

import re
import zipfile
import zlib
from pathlib import Path

from lxml import etree

from zuinig.core.errors import DocumentError
from zuinig.ingestion.formats._reader import corrupt, encrypted

_MEMBERS = 10_000
_UNPACKED = 1 << 30
_FREE = 64 << 20  # below this much unpacked text no ratio is dangerous
_RATIO = 100
_PARTS = (("word/", "docx"), ("ppt/", "pptx"), ("xl/", "xlsx"))
_JUNK_TITLE = re.compile(
    r"(?i)-|untitled.*|document\d*|presentation\d*|book\d*|powerpoint presentation|slide \d+|title|"
    r"microsoft word.*|.*\.(docx?|dotx?|pptx?|xlsx?|pdf|odt|rtf|indd|qxd|tmp)"
)


def label(path: Path) -> str:
    """docx, pptx, xlsx, odt, epub or zip by the members. Raises DocumentError: encrypted, corrupt, too_large."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check(members, path.stat().st_size)
            return _label(archive, {member.filename for member in members})
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, KeyError, zlib.error) as error:
        raise corrupt("file") from error


def _check(members: list[zipfile.ZipInfo], size: int) -> None:
    unpacked = sum(member.file_size for member in members)
    if len(members) > _MEMBERS or unpacked > _UNPACKED or (unpacked > _FREE and unpacked > _RATIO * size):
        raise DocumentError(
            f"This file would unpack to {unpacked >> 20} MB in {len(members)} parts, which is more than is safe to "
            "open; split it into smaller files or take large pictures out of it.",
            code="too_large",
        )
    if any(member.flag_bits & 1 for member in members):
        raise encrypted("file")


def _label(archive: zipfile.ZipFile, names: set[str]) -> str:
    if "[Content_Types].xml" in names:
        if "xl/workbook.bin" in names:
            return "xlsb"
        return next((label for part, label in _PARTS if any(name.startswith(part) for name in names)), "zip")
    kind = archive.read("mimetype")[:100].decode("ascii", "replace") if "mimetype" in names else ""
    if "META-INF/manifest.xml" in names and b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise encrypted("document")
    if "META-INF/rights.xml" in names:
        raise DocumentError(
            "This book is protected by digital rights management; upload a copy without it.", code="encrypted"
        )
    if "epub" in kind or "META-INF/container.xml" in names:
        return "epub"
    return "odt" if kind.startswith("application/vnd.oasis.opendocument.text") else "zip"


def core_title(path: Path) -> str | None:
    """The title in the properties of an Office file, unless a program put it there."""
    with zipfile.ZipFile(path) as archive:
        if "docProps/core.xml" not in archive.namelist():
            return None
        parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
        root = etree.fromstring(archive.read("docProps/core.xml"), parser)
    return None if root is None else named(root.findtext("{http://purl.org/dc/elements/1.1/}title"))


def named(title: str | None) -> str | None:
    """The title a file's properties give, or None where a program filled it in by itself."""
    title = (title or "").strip()
    return None if not title or _JUNK_TITLE.fullmatch(title) else title
