"""JSON lines, and JSON files that hold a list of records."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zuinig.core.errors import DocumentError
from zuinig.core.types import Block, BlockKind, Parsed
from zuinig.ingestion.formats._reader import reader
from zuinig.ingestion.formats._text import decode, inline

LABELS = frozenset({"jsonl", "json"})


@reader("JSON file")
def read(path: Path) -> Parsed:
    texts = ("\n".join(_lines("", record)) for record in _records(decode(path.read_bytes())))
    return Parsed(tuple(Block(BlockKind.TEXT, text) for text in texts if text))


def _records(text: str) -> list[Any]:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return [_record(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return whole if isinstance(whole, list) else [whole]


def _record(number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise DocumentError(
            f"This file is no valid JSON and line {number} of it is no JSON record: {error.msg}. "
            "Correct it, or upload it as text (.txt).",
            code="corrupt",
        ) from error


def _lines(key: str, value: Any) -> Iterator[str]:
    """ "key: value" lines, the keys of nested objects joined with dots."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _lines(f"{key}.{name}" if key else str(name), inner)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for item in value:
            yield from _lines(key, item)
    elif isinstance(value, list):
        yield from _lines(key, ", ".join(str(item) for item in value))
    elif value is not None and (text := inline(value if isinstance(value, str) else json.dumps(value))):
        yield f"{key}: {text}" if key else text
