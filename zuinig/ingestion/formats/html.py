"""Web pages."""

import re
from pathlib import Path

from zuinig.core.types import Parsed
from zuinig.ingestion.formats import _html
from zuinig.ingestion.formats._reader import reader
from zuinig.ingestion.formats._text import decode

LABELS = frozenset({"html"})

_CHARSET = re.compile(rb"(?i)<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]{3,20})")


@reader("web page")
def read(path: Path) -> Parsed:
    return _html.parse(text(path.read_bytes()))


def text(data: bytes) -> str:
    """The markup, in the encoding it declares or else the one it is in."""
    declared = _CHARSET.search(data[:4096])
    if declared and b"\x00" not in data[:4096]:
        try:
            return data.decode(declared[1].decode())
        except (LookupError, UnicodeDecodeError):
            pass
    return decode(data)
