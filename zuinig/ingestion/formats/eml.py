"""Emails as they travel, and web pages saved in that form (mht)."""

from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path

from zuinig.core.errors import DocumentError
from zuinig.core.types import Parsed
from zuinig.ingestion.formats import _mail
from zuinig.ingestion.formats._reader import corrupt, reader
from zuinig.ingestion.formats._text import decode

LABELS = frozenset({"eml"})

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
_LOCKED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")


@reader("email")
def read(path: Path) -> Parsed:
    data = path.read_bytes()
    if b"\x00" in data[:200]:
        data = decode(data).encode()
    # The newer policies raise on malformed headers, which real mail is full of.
    mail = message_from_bytes(data, policy=policy.compat32)
    if not mail.keys():
        raise corrupt("email")
    if mail.get_content_type() in _LOCKED and "signed-data" not in str(mail.get("Content-Type")):
        raise DocumentError(
            "This email is encrypted; open it in your mail program, save it decrypted and upload that.",
            code="encrypted",
        )
    bodies: dict[str, list[str]] = {"text/html": [], "text/plain": []}
    attachments: list[str] = []
    for part in mail.walk():
        kind = part.get_content_type()
        name = part.get_filename()
        if name or part.get_content_disposition() == "attachment":
            attachments.append(_header(name) if name else kind)
        elif kind in bodies and not part.is_multipart():
            bodies[kind].append(_content(part))
    return _mail.message(
        ((name, _header(mail.get(name))) for name in _HEADERS),
        subject=_header(mail.get("Subject")),
        html="\n".join(bodies["text/html"]),
        plain="\n\n".join(bodies["text/plain"]),
        attachments=attachments,
    )


def _header(value: object) -> str:
    try:
        return str(make_header(decode_header(str(value or ""))))
    except (MessageError, LookupError, ValueError):
        return str(value)


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    try:
        return data.decode(part.get_content_charset() or "utf-8")
    except (LookupError, UnicodeDecodeError):
        return decode(data)
