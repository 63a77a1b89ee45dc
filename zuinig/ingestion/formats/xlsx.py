"""Excel workbooks; every sheet is a table of the values that were last computed."""

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openpyxl

from zuinig.core.types import Block, BlockKind, Parsed
from zuinig.ingestion.formats import _zip
from zuinig.ingestion.formats._reader import reader
from zuinig.ingestion.formats._text import sheet

LABELS = frozenset({"xlsx"})


@reader("Excel workbook")
def read(path: Path) -> Parsed:
    _zip.label(path)
    # The file and not its path, of which the library would want to see the extension.
    with path.open("rb") as file, closing(openpyxl.load_workbook(file, read_only=True, data_only=True)) as book:
        sheets = [(each.title, inside) for each in book.worksheets if (inside := sheet(_rows(each)))]
    if len(sheets) == 1:
        return Parsed(tuple(sheets[0][1]), _zip.core_title(path))
    blocks = [
        block
        for name, inside in sheets
        for block in (Block(BlockKind.HEADING, name, level=1), *(block for block in inside if block.text != name))
    ]
    return Parsed(tuple(blocks), _zip.core_title(path))


def _rows(worksheet: Any) -> Iterator[list[str]]:
    worksheet.reset_dimensions()  # what a file claims about its own size may be wrong in either direction
    for row in worksheet.iter_rows(values_only=True):
        yield [_text(value) for value in row]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, dt.datetime) and value.time() == dt.time.min:
        return value.date().isoformat()
    return str(value)
