"""Comma, semicolon, tab or bar separated values."""

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from zuinig.core.types import Parsed
from zuinig.ingestion.formats._reader import reader
from zuinig.ingestion.formats._text import decode, sheet

LABELS = frozenset({"csv", "tsv"})

_SAMPLE_ROWS = 50

csv.field_size_limit(sys.maxsize)  # the library's own limit refuses long texts in cells


@reader("table of values")
def read(path: Path) -> Parsed:
    text = decode(path.read_bytes()).replace("\x00", "")
    return Parsed(tuple(sheet(_rows(text, _delimiter(text)))))


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _delimiter(text: str) -> str:
    """The one that cuts most of the first rows into the same number of cells, and into the most of them."""

    def score(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(row) for row, _ in zip(_rows(text, delimiter), range(_SAMPLE_ROWS), strict=False) if row)
        if not widths:
            return 0, 0
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        return (count, width) if width > 1 else (0, 0)

    return max(",;\t|", key=score)
