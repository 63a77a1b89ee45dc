"""What every reader does around its own work: name the failure, clean the text, refuse a file without any."""

import functools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from zuinig.core.errors import DocumentError
from zuinig.core.types import Block, BlockKind, Parsed
from zuinig.ingestion.formats._text import clean, inline

Read = Callable[[Path], Parsed]

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
    blocks = tuple(block for each in found.blocks if (block := _block(each)).text)
    if not blocks:
        raise DocumentError(
            f"This {kind} holds no text that can be read; if its text is in pictures, run OCR on it first.",
            code="empty",
        )
    return Parsed(blocks, inline(clean(found.title or ""))[:300] or None)


def _block(block: Block) -> Block:
    text = clean(block.text) if block.kind is BlockKind.CODE else clean(block.text).strip()
    if block.kind is BlockKind.TEXT and (bullet := _TYPED_BULLET.match(text)):
        return replace(block, kind=BlockKind.LIST_ITEM, text=text[bullet.end() :])
    return replace(block, text=text)
