"""The unstructured library, kept from the network and from guessing."""

import functools
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import lxml.html

from zuinig.core.types import Block, BlockKind
from zuinig.ingestion.formats import _html
from zuinig.ingestion.formats._text import inline, table

_LEFT_OUT = frozenset({"Header", "Footer", "PageBreak", "Image", "PageNumber"})


def partition(kind: str, source: Path | IO[bytes]) -> Iterator[Block]:
    """kind: docx or pptx, as the library names its functions."""
    given = {"filename": str(source)} if isinstance(source, Path) else {"file": source}
    for element in _partitioner(kind)(**given):
        category, page = type(element).__name__, element.metadata.page_number
        depth = element.metadata.category_depth or 0
        if category in _LEFT_OUT:
            continue
        if category == "Table" and element.metadata.text_as_html:
            rows = _html.rows(lxml.html.fragment_fromstring(element.metadata.text_as_html))
            yield Block(BlockKind.TABLE, table(rows), page=page)
        elif category == "Title":
            yield Block(BlockKind.HEADING, inline(element.text), level=depth + 1, page=page)
        elif category == "ListItem":
            yield Block(BlockKind.LIST_ITEM, element.text, level=depth, page=page)
        else:
            yield Block(BlockKind.TEXT, element.text, page=page)


@functools.cache
def _partitioner(kind: str) -> Callable[..., list[Any]]:
    """Imported at first use: it takes seconds and some 170 MB."""
    # Before the import: the library reports itself to its makers while it is imported.
    os.environ.update(DO_NOT_TRACK="1", UNSTRUCTURED_DISABLE_NOTICE="1", HF_HUB_OFFLINE="1")
    # The library would fetch a language model, with which it takes any short line without a verb for a title. Without
    # one, only what the file marks as a heading is one, and a file reads the same on every machine.
    nlp = importlib.import_module("spacy").blank("en")
    nlp.add_pipe("sentencizer")
    vars(importlib.import_module("unstructured.nlp.tokenize"))["_get_nlp"] = lambda: nlp
    module = importlib.import_module(f"unstructured.partition.{kind}")
    found: Callable[..., list[Any]] = getattr(module, f"partition_{kind}")
    return found
