"""Emails as Outlook saves them."""

from pathlib import Path

from oxmsg import Message

from zuinig.core.types import Parsed
from zuinig.ingestion.formats import _mail
from zuinig.ingestion.formats._reader import reader

LABELS = frozenset({"outlook"})


@reader("Outlook message")
def read(path: Path) -> Parsed:
    mail = Message.load(str(path))
    to = ", ".join(f"{each.name} <{each.email_address}>" for each in mail.recipients)
    date = mail.sent_date.isoformat(" ", "minutes") if mail.sent_date else ""
    return _mail.message(
        (("Subject", mail.subject), ("From", mail.sender or ""), ("To", to), ("Date", date)),
        subject=mail.subject,
        html=mail.html_body or "",
        plain=mail.body or "",
        attachments=[each.file_name or "without a name" for each in mail.attachments],
    )
