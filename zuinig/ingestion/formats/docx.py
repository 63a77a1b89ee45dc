"""Word documents."""

from dataclasses import replace
from pathlib import Path

from zuinig.core.types import Parsed
from zuinig.ingestion.formats import _zip
from zuinig.ingestion.formats._reader import reader
from zuinig.ingestion.formats._unstructured import partition

LABELS = frozenset({"docx"})


@reader("Word document")
def read(path: Path) -> Parsed:
    _zip.label(path)
    # Where a page ends is up to the program that shows the document.
    return Parsed(tuple(replace(block, page=None) for block in partition("docx", path)), _zip.core_title(path))
