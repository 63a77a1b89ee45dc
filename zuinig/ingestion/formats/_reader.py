"""What every reader does around its own work: name the failure, clean the text, refuse a file without any."""

import functools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from zuinig.core.errors import DocumentError
from zuinig.core.types import Block, BlockKind, Parsed
from zuinig.ingestion.formats._hidden import told, uncovered
from zuinig.ingestion.formats._text import clean, inline

Read = Callable[[Path], Parsed]

_MOST_HIDDEN = 10_000  # pieces of one file that are told of
_TYPED_BULLET = re.compile(r"[•‣◦▪●⁃]\s*(?=.)")  # of a list that its author, or a converter, made by hand


def reader(kind: str) -> Callable[[Read], Read]:
    """Decorates a `read`. kind: the format in a person's words, as in "Word document"."""

    def decorate(read: Read) -> Read:
        @functools.wraps(read)
        def guarded(path: Path) -> Parsed:
            if path.stat().st_size == 0:
                raise DocumentError(
                    "This file is empty (0 bytes); check that it was saved and upload it again.", code="empty"
                )
            try:
                found = read(path)
            except (DocumentError, MemoryError):
                raise
            except RecursionError as error:
                raise DocumentError(
                    f"This {kind} is nested too deeply to be read; simplify it and upload it again.", code="corrupt"
                ) from error
            except Exception as error:  # parsing libraries raise anything at all on bytes they did not expect
                raise corrupt(kind) from error
            return _tidy(found, kind)

        return guarded

    return decorate


def corrupt(kind: str) -> DocumentError:
    return DocumentError(
        f"This {kind} is damaged or incomplete and cannot be read; open it in the program that made it, "
        "save it again and upload the new copy.",
        code="corrupt",
    )


def encrypted(kind: str) -> DocumentError:
    return DocumentError(
        f"This {kind} is protected by a password; remove the password and upload it again.", code="encrypted"
    )


def _tidy(found: Parsed, kind: str) -> Parsed:
    hidden: list[str] = []
    blocks = tuple(block for each in found.blocks if (block := _block(each, hidden)).text)
    if not blocks:
        raise DocumentError(
            f"This {kind} holds no text that can be read; if its text is in pictures, run OCR on it first.",
            code="empty",
        )
    title, more = uncovered(found.title or "")
    told_of = (*found.hidden, *told([*hidden, *more]))
    return Parsed(blocks, inline(clean(title))[:300] or None, told_of[:_MOST_HIDDEN])


def _block(block: Block, hidden: list[str]) -> Block:
    """hidden: takes what characters of the block hid."""
    seen, more = uncovered(block.text)
    hidden += more
    text = clean(seen) if block.kind is BlockKind.CODE else clean(seen).strip()
    if block.kind is BlockKind.TEXT and (bullet := _TYPED_BULLET.match(text)):
        return replace(block, kind=BlockKind.LIST_ITEM, text=text[bullet.end() :])
    return replace(block, text=text)
