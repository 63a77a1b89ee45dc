"""Plain text."""

from pathlib import Path

from zuinig.core.types import Parsed
from zuinig.ingestion.formats._reader import reader
from zuinig.ingestion.formats._text import decode, paragraphs

LABELS = frozenset({"txt"})


@reader("text file")
def read(path: Path) -> Parsed:
    return Parsed(tuple(paragraphs(decode(path.read_bytes()))))
