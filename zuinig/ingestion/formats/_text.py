"""Bytes to characters, characters to paragraphs."""

import re
from collections.abc import Iterable, Sequence

import charset_normalizer

from zuinig.core.errors import DocumentError
from zuinig.core.types import Block, BlockKind

# Controls other than tab and newline, soft hyphens, byte order marks, noncharacters, and halves of surrogate pairs,
# which neither SQLite nor JSON can store.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\ufeff\ufff9-\uffff\ud800-\udfff]")
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_BULLET = re.compile(r"([-*+•‣◦▪●–—·]|(?P<number>\(?(\d{1,3}|[a-zA-Z])[.)]))\s+(?=\S)")
_UNDERLINE = re.compile(r"[=~*#^-]{3,}")
_WRAPPED_FROM = 50  # a text whose lines are longer than this was broken by a margin, not by its author


def clean(text: str) -> str:
    """Without control characters and blank edges; every line break a newline."""
    lines = _UNWANTED.sub("", _BREAKS.sub("\n", text)).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n").rstrip()


def inline(text: str) -> str:
    """On one line, with single spaces."""
    return " ".join(text.split())


def decode(data: bytes) -> str:
    """The text in whatever encoding it is. Raises DocumentError if these bytes are no text."""
    text = _BREAKS.sub("\n", _decode(data))
    odd = len(_UNWANTED.findall(text[:100_000])) + text[:100_000].count("\ufffd")
    if odd * 20 > len(text[:100_000]):
        raise DocumentError(
            "This file should be text but its bytes are not; it is damaged, or another kind of file under this name.",
            code="corrupt",
        )
    return text


def _decode(data: bytes) -> str:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, errors="replace")
    if wide := _without_bom(data[:4000]):
        return data.decode(wide, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    best = charset_normalizer.from_bytes(data[:200_000]).best() if len(data) > 100 else None
    return data.decode(best.encoding if best else "cp1252", errors="replace")


def _without_bom(head: bytes) -> str | None:
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 4 < len(head):  # under half of the high bytes are zero
        return None
    return "utf-16-le" if odd > even else "utf-16-be" if even > odd else None


def table(rows: Iterable[Sequence[str]]) -> str:
    """One row a line, cells parted by " | "; rows and columns that are empty all through are left out."""
    kept = [cells for row in rows if any(cells := [inline(cell) for cell in row])]
    width = max(map(len, kept), default=0)
    used = [any(column < len(row) and row[column] for row in kept) for column in range(width)]
    padded = (row + [""] * (width - len(row)) for row in kept)
    return "\n".join(" | ".join(cell for cell, keep in zip(row, used, strict=True) if keep).rstrip() for row in padded)


def sheet(rows: Iterable[Sequence[str]]) -> list[Block]:
    """A grid of cells as a table; as several, where a title stands below an empty row. Titles become text."""
    parts: list[list[list[str]]] = [[]]
    blank = False
    for row in rows:
        cells = [inline(cell) for cell in row]
        if blank and _filled(cells) == 1 and parts[-1]:
            parts.append([])
        if any(cells):
            parts[-1].append(cells)
        blank = not any(cells)
    return [block for part in parts if part for block in _part(part)]


def _part(rows: list[list[str]]) -> list[Block]:
    wide = [at for at, row in enumerate(rows) if _filled(row) > 1]
    first = wide[0] if wide else 0
    above = [Block(BlockKind.TEXT, next(filter(None, row))) for row in rows[:first]]
    return [*above, Block(BlockKind.TABLE, table(rows[first:]))]


def _filled(row: Sequence[str]) -> int:
    return sum(map(bool, row))


def paragraphs(text: str) -> list[Block]:
    """Plain text: parted at blank lines, underlined lines as headings, wrapped lines joined, bullets as list items."""
    blocks: list[Block] = []
    for chunk in re.split(r"\n[ \t]*\n", clean(text)):
        lines = [line.strip() for line in chunk.split("\n") if line.strip()]
        if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1]) and len(lines[1]) * 2 > len(lines[0]):
            blocks.append(Block(BlockKind.HEADING, lines[0], level=1 if lines[1][0] in "=#*" else 2))
            lines = lines[2:]
        blocks += _lines(lines)
    return blocks


def _lines(lines: list[str]) -> list[Block]:
    groups: list[list[str]] = []
    number = 0  # the one a wrapped line may only continue with, so that a year at its start makes no item
    for line in lines:
        bullet = _BULLET.match(line)
        ordinal = _ordinal(bullet["number"]) if bullet and bullet["number"] else None
        starts = bullet and (ordinal is None or ordinal == number + 1)
        if starts and ordinal:
            number = ordinal
        if starts or not groups:
            groups.append([])
        groups[-1].append(line)
    return [_group(group) for group in groups]


def _ordinal(marker: str) -> int:
    inside = marker.strip("().").lower()
    return int(inside) if inside.isdecimal() else ord(inside) - ord("a") + 1


def _group(lines: list[str]) -> Block:
    wrapped = len(lines) > 1 and sum(map(len, lines[:-1])) / (len(lines) - 1) > _WRAPPED_FROM
    text = (" " if wrapped else "\n").join(lines)
    bullet = _BULLET.match(text)
    if not bullet:
        return Block(BlockKind.TEXT, text)
    return Block(BlockKind.LIST_ITEM, text if bullet["number"] else text[bullet.end() :])
