"""Word documents."""

from dataclasses import replace
from pathlib import Path

from zuinig.core.types import Parsed
from zuinig.ingestion.formats import _unseen_docx, _zip
from zuinig.ingestion.formats._reader import reader
from zuinig.ingestion.formats._unstructured import partition

LABELS = frozenset({"docx"})


@reader("Word document")
def read(path: Path) -> Parsed:
    _zip.label(path)
    kept, hidden = _unseen_docx.without(path)
    # Where a page ends is up to the program that shows the document.
    blocks = tuple(replace(block, page=None) for block in partition("docx", kept or path))
    return Parsed(blocks, _zip.core_title(path), tuple(hidden))
