"""OpenDocument text."""

from pathlib import Path

from zuinig.core.types import Parsed
from zuinig.ingestion.formats import _pandoc, _zip
from zuinig.ingestion.formats._reader import reader

LABELS = frozenset({"odt"})


@reader("OpenDocument text")
def read(path: Path) -> Parsed:
    _zip.label(path)
    return _pandoc.parse(path, "odt")
