"""Rich text."""

from pathlib import Path

from zuinig.core.types import Parsed
from zuinig.ingestion.formats import _pandoc
from zuinig.ingestion.formats._reader import reader

LABELS = frozenset({"rtf"})


@reader("RTF document")
def read(path: Path) -> Parsed:
    return _pandoc.parse(path, "rtf")
