"""The sentences worth their tokens, under a budget: what an LLM gets to read instead of whole passages."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from zuinig.core.tokens import Tokens
from zuinig.core.types import Hit, Packing
from zuinig.retrieval.read import Reading
from zuinig.retrieval.sentences import Sentence, of_hit

BASELINE_PASSAGES = 5

# Sentences are taken until so much of the chance that any of them holds the answer lies in those taken, and further
# while each token brings so much of it (docs/benchmarks.md has what that keeps).
_LEAST = {Packing.SENTENCES: (0.8, 0.001), Packing.TIGHT: (0.6, 0.002)}
_NUMBER = 4  # tokens of a passage's number
# A sentence that begins so says nothing without the one before it.
_POINTS_BACK = re.compile(
    r"(?:it|he|she|they|this|that|these|those|its|his|her|their|such|both|"
    r"het|hij|zij|ze|dit|dat|deze|die|zijn|haar|hun|beide)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A numbered piece of the context: the sentences taken from one passage, in the order of the document."""

    number: int
    hit: Hit
    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        parts = []
        for before, sentence in zip((None, *self.sentences), self.sentences, strict=False):
            if before is not None:
                parts.append(" " if sentence.start - before.end <= 2 else " … ")
            parts.append(sentence.shown)
        return "".join(parts)

    @property
    def heading(self) -> str:
        return heading(self.hit)

    @property
    def rendered(self) -> str:
        return f"[{self.number}] {self.text}"


@dataclass(frozen=True, slots=True)
class Packed:
    context: str
    tokens: int
    sources: tuple[Source, ...]

    @property
    def flagged(self) -> bool:
        """Whether it draws on a passage that was flagged, be it on the sentences beside what was."""
        return any(s.hit.flags for s in self.sources)


class _Bag:
    """What is taken so far, by passage, and what it costs."""

    def __init__(self, tokens: Tokens, budget: int) -> None:
        # Each is asked of the same texts again and again.
        self._count, self._folded, self._budget = cache(tokens.count), cache(_folded), budget
        self.taken: dict[int, list[Sentence]] = {}
        self._headings: set[tuple[str, str]] = set()
        self._seen: set[str] = set()
        self._spent = 0

    def holds(self, sentence: Sentence) -> bool:
        return self._folded(sentence.text) in self._seen

    def cost(self, *together: Sentence) -> int:
        """Tokens that these sentences of one passage add, with its number and the heading it stands under."""
        cost = sum(self._count(s.shown) + 2 for s in together if not self.holds(s))
        hit = together[0].hit
        if hit.passage_id not in self.taken:
            cost += _NUMBER
        if under(hit) not in self._headings:
            cost += self._count(heading(hit)) + 2
        return cost

    def take(self, *together: Sentence) -> bool:
        """All or none of these sentences of one passage; whether they fitted."""
        cost = self.cost(*together)
        if self._spent + cost > self._budget:
            return False
        self._spent += cost
        self._headings.add(under(together[0].hit))
        for sentence in together:
            if not self.holds(sentence):
                self._seen.add(self._folded(sentence.text))
                self.taken.setdefault(sentence.hit.passage_id, []).append(sentence)
        return True


def pack(reading: Reading, tokens: Tokens, budget: int, level: Packing = Packing.SENTENCES) -> Packed:
    """What fits into budget tokens, headings included; nothing is ever cut in the middle.

    full: whole passages. sentences: those that are worth their tokens. tight: those that are worth twice as many.
    What was flagged as speaking to a model stays out, whatever the level (docs/decisions/0012).
    The one exception: where not even the best sentence fits, it is clipped, since an empty context answers nothing.
    """
    bag = _Bag(tokens, budget)
    ranked = [s for s in reading.sentences if not s.flagged]
    if level is Packing.FULL:
        for hit in reading.hits:
            if whole := [s for s in of_hit(hit) if not s.flagged]:
                bag.take(*whole)
    else:
        _choose(ranked, bag, *_LEAST[level])
    return _packed(bag.taken.values(), ranked, tokens, budget)


def _choose(ranked: Sequence[Sentence], bag: _Bag, enough: float, worth: float) -> None:
    """The likeliest first, then always what brings most of the chance a token: the greedy way to fill a knapsack
    (Dantzig 1957). Where nothing stands out no sentence is worth its tokens, and together they are.
    """
    each = _with_what_they_need(ranked)
    total, reached = sum(together[-1].score for together in each), 0.0

    def gain(together: Sequence[Sentence]) -> float:
        return sum(s.score for s in together if not bag.holds(s)) / bag.cost(*together)

    left = {n: gain(together) for n, together in enumerate(each)}
    while left:
        best = max(left, key=left.__getitem__) if bag.taken else next(iter(left))
        if bag.taken and reached >= enough * total and left[best] < worth * total:
            return
        del left[best]
        together = each[best]
        if not (bag.take(*together) or bag.take(together[-1])):
            continue
        reached += together[-1].score
        # The number, the heading and what came along are paid for.
        for n in [n for n in left if under(each[n][-1].hit) == under(together[-1].hit)]:
            if bag.holds(each[n][-1]):
                reached += each[n][-1].score
                del left[n]
            else:
                left[n] = gain(each[n])


def _with_what_they_need(ranked: Sequence[Sentence]) -> list[Sequence[Sentence]]:
    """Each of the sentences, last, behind the one before it where it says nothing without, and that is not flagged.

    One passage repeats the end of the one before it: each text is there once.
    """
    first: dict[str, Sentence] = {}
    for sentence in ranked:
        first.setdefault(_folded(sentence.text), sentence)
    scored = {(s.hit.passage_id, s.start): s for s in ranked}
    before: dict[tuple[int, int], Sentence] = {}
    for hit in {s.hit.passage_id: s.hit for s in ranked}.values():
        for one, next_ in pairwise(of_hit(hit)):
            if _POINTS_BACK.match(next_.text) and not one.flagged:
                before[hit.passage_id, next_.start] = scored.get((hit.passage_id, one.start), one)
    needed = ((before.get((s.hit.passage_id, s.start)), s) for s in first.values())
    return [(s,) if one is None else (one, s) for one, s in needed]


def _packed(taken: Iterable[Sequence[Sentence]], ranked: Sequence[Sentence], tokens: Tokens, budget: int) -> Packed:
    """Passages under one heading of a document stand together below it, in the order of the document."""
    groups: dict[tuple[str, str], list[list[Sentence]]] = {}
    for chosen in taken:
        groups.setdefault(under(chosen[0].hit), []).append(sorted(chosen, key=lambda s: s.start))
    sources: list[Source] = []
    parts: list[str] = []
    for (_, shown), passages in groups.items():
        passages.sort(key=lambda chosen: chosen[0].start)
        below = [Source(n, c[0].hit, tuple(c)) for n, c in enumerate(passages, len(sources) + 1)]
        sources += below
        parts.append("\n".join((shown, *(s.rendered for s in below))))
    context = "\n\n".join(parts)
    if not sources and ranked:
        sources = [Source(1, ranked[0].hit, (ranked[0],))]
        context = tokens.clip(sources[0].rendered, budget)
    return Packed(context, tokens.count(context), tuple(sources))


def under(hit: Hit) -> tuple[str, str]:
    """The document and the heading that a passage stands under: those that share both share the line."""
    return hit.document_id, heading(hit)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def heading(hit: Hit) -> str:
    return hit.context.split("\n", 1)[0] or hit.title


def baseline(hits: Sequence[Hit]) -> str:
    """The context of plain RAG: the top five passages in full."""
    return "\n\n".join(f"[{n}] {heading(h)}\n{h.text}" for n, h in enumerate(hits[:BASELINE_PASSAGES], 1))
