"""PowerPoint presentations; a slide is a page."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from zuinig.core.types import Block, BlockKind, Parsed
from zuinig.ingestion.formats import _zip
from zuinig.ingestion.formats._reader import reader
from zuinig.ingestion.formats._unstructured import partition

LABELS = frozenset({"pptx"})

_TITLE_CHARS = 150


@reader("PowerPoint presentation")
def read(path: Path) -> Parsed:
    _zip.label(path)
    return Parsed(tuple(_one_heading_a_slide(partition("pptx", path))), _zip.core_title(path))


def _one_heading_a_slide(blocks: Iterable[Block]) -> Iterator[Block]:
    """The library takes every short line of a slide for a title; the first one is."""
    titled = -1
    for block in blocks:
        if block.kind is not BlockKind.HEADING:
            yield block
        elif (block.page or 0) == titled or len(block.text) > _TITLE_CHARS:
            yield replace(block, kind=BlockKind.TEXT, level=0)
        else:
            titled = block.page or 0
            yield replace(block, level=1)
