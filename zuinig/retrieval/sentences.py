"""Passages cut into sentences, each with its exact place, and the share of the question's words in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zuinig.core.types import Hit
from zuinig.retrieval.words import content_words, stem, words

# A full stop ends a sentence before white space and a capital, digit or opening mark, unless an abbreviation bears it.
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9À-Þ•–-])|\n+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|approx|incl|excl|max|min|no|nr|vs|ext|tel|dept|cf|fig|dr|mr|mrs|ms|st|prof|inc|ltd|co|"
    r"bijv|d\.w\.z|o\.a|m\.b\.t|t\.a\.v|i\.v\.m|evt|resp|art|dhr|mevr|ca)|\b[A-Z])\.$",
    re.IGNORECASE,
)

_FEW_WORDS = 4


@dataclass(frozen=True, slots=True)
class Sentence:
    """hit.text[start - hit.start : end - hit.start] is text: offsets are those of the document version."""

    hit: Hit
    text: str
    start: int
    end: int
    shown: str  # as a person should read it: a table row with the names of its columns
    score: float = 0.0  # the chance that it holds the answer, where a question was asked

    @property
    def flagged(self) -> bool:
        """Whether it is part of what speaks to a model in its passage."""
        return any(f.start < self.end and self.start < f.end for f in self.hit.flags)


def split(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence or line, without the white space around them, in order."""
    spans: list[tuple[int, int]] = []
    start = 0
    for match in [*_END.finditer(text), None]:
        end = match.start() if match else len(text)
        if match and "\n" not in match.group() and _goes_on(text, start, end):
            continue
        piece = text[start:end]
        left = len(piece) - len(piece.lstrip())
        if piece.strip():
            spans.append((start + left, start + len(piece.rstrip())))
        start = match.end() if match else end
    return spans


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether what looks like the end of a sentence is none, or leaves a piece that says nothing alone."""
    piece = text[start:end]
    line_end = text.find("\n", end)
    is_row = " | " in text[start : line_end if line_end >= 0 else len(text)]
    short = piece.endswith("?") or len(piece.split()) < _FEW_WORDS
    return is_row or short or bool(_ABBREVIATION.search(piece))


def of_hit(hit: Hit) -> list[Sentence]:
    """The sentences of a passage. A row of a table is shown as `column: cell; column: cell`."""
    header = _table_header(hit)
    found = []
    for start, end in split(hit.text):
        text = hit.text[start:end]
        shown = text
        if header and " | " in text:
            cells = text.split(" | ")
            if cells == header:
                continue
            if len(cells) == len(header):
                shown = "; ".join(
                    f"{name}: {cell}" if name and name != cell else cell
                    for name, cell in zip(header, cells, strict=True)
                    if cell
                )
        found.append(Sentence(hit, text, hit.start + start, hit.start + end, shown))
    return found


def _table_header(hit: Hit) -> list[str] | None:
    for line in (*hit.context.splitlines()[::-1], *hit.text.splitlines()):
        if " | " in line:
            return line.split(" | ")
    return None


def term_weights(question: str, hits: Sequence[Hit]) -> dict[str, float]:
    """Stem -> weight, summing to 1: a word that few of the passages contain says more."""
    terms = {stem(w) for w in content_words(question)}
    if not terms:
        return {}
    texts = [{stem(w) for w in words(f"{h.context} {h.text}")} for h in hits]
    weight = {t: float(np.log(1 + (len(texts) + 1) / (0.5 + sum(t in text for text in texts)))) for t in terms}
    total = sum(weight.values())
    return {t: w / total for t, w in weight.items()}


def coverage(weights: dict[str, float], text: str, *, around: str = "") -> float:
    """0 to 1. A word found only around the sentence (its headings, its document's title) counts half."""
    inside = {stem(w) for w in words(text)}
    outside = {stem(w) for w in words(around)}
    return sum(w if t in inside else w / 2 if t in outside else 0.0 for t, w in weights.items())
