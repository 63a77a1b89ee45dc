"""Blocks -> the extracted text, and the passages that search finds.

A passage is a contiguous piece of the extracted text, so that its offsets lead a reader to the exact place. It never
crosses a heading; what it needs from above (title, heading path, header row of its table) travels in its context.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from zuinig.core.types import Block, BlockKind, Parsed
from zuinig.retrieval.sentences import split as split_sentences

CountTokens = Callable[[Sequence[str]], list[int]]
_CONTEXT_CHARS = 300


@dataclass(frozen=True, slots=True)
class Draft:
    """A passage that has no vector yet. text is the extracted text from start to end."""

    text: str
    context: str
    page: int | None
    start: int
    end: int
    tokens: int

    @property
    def embedded(self) -> str:
        """What the embedder reads: the place of the passage, then the passage."""
        return f"{self.context}\n{self.text}" if self.context else self.text

    @property
    def content_hash(self) -> str:
        """Of the words alone: the same text moved, or set with other white space, is the same evidence."""
        return hashlib.sha256(" ".join(self.text.split()).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SplitText:
    text: str
    passages: tuple[Draft, ...]


@dataclass(frozen=True, slots=True)
class _Unit:
    """A piece that is not cut any further. section: number of the heading that it stands under."""

    start: int
    end: int
    tokens: int
    kind: BlockKind
    page: int | None
    section: int
    path: tuple[str, ...]
    header: str | None  # of the table that this unit continues


def split(parsed: Parsed, title: str, count_tokens: CountTokens, *, size: int, overlap: int) -> SplitText:
    """size, overlap: tokens, of the passage's text without its context. Passages in document order."""
    text, spans = _join(parsed.blocks)
    units = list(_units(parsed.blocks, spans, text, count_tokens, size))
    return SplitText(text, tuple(_passages(units, text, title, count_tokens, size, overlap)))


def _join(blocks: Sequence[Block]) -> tuple[str, list[tuple[int, int]]]:
    """The extracted text, and where in it each block stands."""
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    at = 0
    for i, block in enumerate(blocks):
        if i:
            both_items = block.kind == blocks[i - 1].kind == BlockKind.LIST_ITEM
            parts.append("\n" if both_items else "\n\n")
            at += len(parts[-1])
        parts.append(block.text)
        spans.append((at, at + len(block.text)))
        at += len(block.text)
    return "".join(parts), spans


def _units(
    blocks: Sequence[Block], spans: Sequence[tuple[int, int]], text: str, count_tokens: CountTokens, size: int
) -> Iterator[_Unit]:
    tokens = count_tokens([b.text for b in blocks])
    path: list[tuple[int, str]] = []
    section = 0

    def cut(block: Block, kind: BlockKind, start: int, end: int, count: int) -> Iterator[_Unit]:
        names = tuple(name for _, name in path)
        if count <= size:
            yield _Unit(start, end, count, kind, block.page, section, names, None)
            return
        header = block.text.split("\n", 1)[0] if kind == BlockKind.TABLE else None
        for n, (left, right, piece_count) in enumerate(_pieces(block, start, text, size, count_tokens)):
            yield _Unit(left, right, piece_count, kind, block.page, section, names, header if n else None)

    for i, (block, (start, end), count) in enumerate(zip(blocks, spans, tokens, strict=True)):
        if block.kind == BlockKind.HEADING:
            section += 1
            while path and path[-1][0] >= block.level:
                path.pop()
            follower = blocks[i + 1] if i + 1 < len(blocks) else None
            bare = follower is None or (follower.kind == BlockKind.HEADING and follower.level <= block.level)
            # Where nothing stands below it, or where it is body text in disguise, the heading itself is to be found.
            if block.text.strip() and (bare or len(block.text) > _CONTEXT_CHARS):
                yield from cut(block, BlockKind.TEXT, start, end, count)
            path.append((block.level, " ".join(block.text.split())))
        elif block.text.strip():
            yield from cut(block, block.kind, start, end, count)


def _pieces(block: Block, at: int, text: str, size: int, count_tokens: CountTokens) -> Iterator[tuple[int, int, int]]:
    """A block that does not fit, cut: tables and code by line, text by sentence, and what is left by words."""
    by_line = block.kind in (BlockKind.TABLE, BlockKind.CODE)
    cuts = _lines(block.text) if by_line else split_sentences(block.text)
    counts = count_tokens([block.text[a:b] for a, b in cuts])
    for (a, b), count in zip(cuts, counts, strict=True):
        if count <= size:
            yield at + a, at + b, count
        else:
            yield from _by_words(text, at + a, at + b, size, count_tokens)


def _lines(text: str) -> list[tuple[int, int]]:
    spans, at = [], 0
    for line in text.split("\n"):
        if line.strip():
            spans.append((at, at + len(line)))
        at += len(line) + 1
    return spans


def _by_words(text: str, start: int, end: int, size: int, count_tokens: CountTokens) -> Iterator[tuple[int, int, int]]:
    # The step is in characters so that text without spaces is cut as well. It begins with two a token, and is made
    # shorter where tokens are: in Chinese each character is one, and what the embedder does not read is not found.
    step = size * 2
    while start < end:
        stop = min(start + step, end)
        if stop < end and (space := text.rfind(" ", start + step // 2, stop)) > start:
            stop = space
        piece = text[start:stop]
        left = len(piece) - len(piece.lstrip())
        count = count_tokens([piece])[0] if piece.strip() else 0
        if count > size and stop - start > 1:
            step = max(1, min(stop - start - 1, (stop - start) * size // count))
            continue
        if piece.strip():
            yield start + left, start + len(piece.rstrip()), count
        start = stop


def _passages(
    units: Sequence[_Unit], text: str, title: str, count_tokens: CountTokens, size: int, overlap: int
) -> Iterator[Draft]:
    pending: list[_Unit] = []
    start = total = 0

    def draft() -> Draft:
        first = pending[0]
        return Draft(text[start : pending[-1].end], _context(title, first), first.page, start, pending[-1].end, total)

    for unit in units:
        full = pending and total + unit.tokens > size
        if pending and (full or unit.section != pending[-1].section):
            yield draft()
            last, before = pending[-1], start
            pending, start, total = [], unit.start, 0
            if full and unit.section == last.section and last.kind == unit.kind == BlockKind.TEXT:
                start, total = _overlap(text, before, last, unit, count_tokens, min(overlap, size - unit.tokens))
        if not pending:
            start = start if total else unit.start
        pending.append(unit)
        total += unit.tokens
    if pending:
        yield draft()


def _overlap(text: str, before: int, last: _Unit, unit: _Unit, count_tokens: CountTokens, most: int) -> tuple[int, int]:
    """Where the next passage begins so that it repeats whole sentences of the one before it: (start, tokens).

    before: where that one begins. last: its last unit, out of which alone is repeated.
    """
    start, total = unit.start, 0
    for a, b in reversed(split_sentences(text[before : last.end])):
        # The rest of a sentence that was cut by words begins in the unit before.
        if before + a < last.start:
            break
        count = count_tokens([text[before + a : before + b]])[0]
        if total + count > most:
            break
        start, total = before + a, total + count
    return start, total


def _context(title: str, unit: _Unit) -> str:
    """First line: title and heading path. Second: the header row of the table that goes on."""
    names = [title, *(name for name in unit.path if name != title)]
    line = " › ".join(name for name in names if name)[:_CONTEXT_CHARS]
    return f"{line}\n{unit.header[:_CONTEXT_CHARS]}" if unit.header else line
