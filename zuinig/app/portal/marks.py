"""A text cut where what is marked in it begins and ends."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Piece:
    """quote: what an answer cited; flagged: what seems to speak to a language model."""

    text: str
    quote: bool = False
    flagged: bool = False


def pieces(text: str, window: tuple[int, int], quote: tuple[int, int], flags: Iterable[tuple[int, int]]) -> list[Piece]:
    """The text within the window, in order. An empty quote marks nothing; a quote is one piece, flagged or not."""
    first, last = window
    start, end = quote
    spans = [(max(a, first), min(b, last)) for a, b in flags if a < last and first < b]
    cuts = sorted({first, last, start, end, *(at for span in spans for at in span)} if first < last else ())
    found: list[Piece] = []
    for a, b in pairwise(cuts):
        piece = Piece(text[a:b], start <= a < b <= end, any(x <= a and b <= y for x, y in spans))
        if found and piece.quote and found[-1].quote:
            piece = Piece(found.pop().text + piece.text, quote=True)
        found.append(piece)
    return found
