"""The sentences worth their tokens, under a budget: what an LLM gets to read instead of whole passages."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zuinig.core.tokens import Tokens
from zuinig.core.types import Hit, Packing
from zuinig.retrieval.read import Reading
from zuinig.retrieval.sentences import Sentence, of_hit

BASELINE_PASSAGES = 5

# Sentences are taken until so much of the chance that any of them holds the answer lies in those taken: on SQuAD that
# keeps 97 % of plain RAG's answers in a sixth of its tokens, and 93 % in a tenth (docs/benchmarks.md).
_ENOUGH = {Packing.SENTENCES: 0.85, Packing.TIGHT: 0.65}
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
    def rendered(self) -> str:
        return f"[{self.number}] {heading(self.hit)}\n{self.text}"


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
        self._tokens, self._budget = tokens, budget
        self.taken: dict[int, list[Sentence]] = {}
        self._seen: set[str] = set()
        self._spent = 0

    def holds(self, sentence: Sentence) -> bool:
        return _folded(sentence.text) in self._seen

    def take(self, *together: Sentence) -> bool:
        """All or none of these sentences of one passage; whether they fitted."""
        new = [s for s in together if not self.holds(s)]
        cost = sum(self._tokens.count(s.shown) + 2 for s in new)
        hit = together[0].hit
        if hit.passage_id not in self.taken:
            cost += self._tokens.count(heading(hit)) + 4
        if self._spent + cost > self._budget:
            return False
        self._spent += cost
        for sentence in new:
            self._seen.add(_folded(sentence.text))
            self.taken.setdefault(hit.passage_id, []).append(sentence)
        return True


def pack(reading: Reading, tokens: Tokens, budget: int, level: Packing = Packing.SENTENCES) -> Packed:
    """What fits into budget tokens, headings included; nothing is ever cut in the middle.

    full: whole passages. sentences: until the answer is very likely among them. tight: until it is likely.
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
        _choose(ranked, bag, _ENOUGH[level])
    return _packed(bag.taken.values(), ranked, tokens, budget)


def _choose(ranked: Sequence[Sentence], bag: _Bag, enough: float) -> None:
    total = sum(s.score for s in _distinct(ranked))
    reached = 0.0
    for sentence in ranked:
        if bag.holds(sentence):
            continue
        before = _before(sentence) if _POINTS_BACK.match(sentence.text) else None
        if (before is not None and bag.take(before, sentence)) or bag.take(sentence):
            reached += sentence.score
        if reached >= enough * total:
            return


def _distinct(sentences: Iterable[Sentence]) -> Iterable[Sentence]:
    """One passage repeats the end of the one before it."""
    return {_folded(s.text): s for s in sentences}.values()


def _before(sentence: Sentence) -> Sentence | None:
    """The sentence before it in its passage, unless that one was flagged."""
    last = None
    for other in of_hit(sentence.hit):
        if other.start >= sentence.start:
            break
        last = other
    return last if last is not None and not last.flagged else None


def _packed(taken: Iterable[Sequence[Sentence]], ranked: Sequence[Sentence], tokens: Tokens, budget: int) -> Packed:
    sources = tuple(
        Source(n, chosen[0].hit, tuple(sorted(chosen, key=lambda s: s.start))) for n, chosen in enumerate(taken, 1)
    )
    context = "\n\n".join(s.rendered for s in sources)
    if not sources and ranked:
        best = ranked[0]
        sources = (Source(1, best.hit, (best,)),)
        context = tokens.clip(sources[0].rendered, budget)
    return Packed(context, tokens.count(context), sources)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def heading(hit: Hit) -> str:
    return hit.context.split("\n", 1)[0] or hit.title


def baseline(hits: Sequence[Hit]) -> str:
    """The context of plain RAG: the top five passages in full."""
    return "\n\n".join(f"[{n}] {heading(h)}\n{h.text}" for n, h in enumerate(hits[:BASELINE_PASSAGES], 1))
