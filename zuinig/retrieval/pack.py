"""The sentences worth their tokens, under a budget: what an LLM gets to read instead of whole passages."""

from collections.abc import Sequence
from dataclasses import dataclass

from zuinig.core.tokens import Tokens
from zuinig.core.types import Hit
from zuinig.retrieval.sentences import Sentence

BASELINE_PASSAGES = 5


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


def pack(ranked: Sequence[Sentence], tokens: Tokens, budget: int) -> Packed:
    """ranked: best first. Takes what fits into budget tokens, headings included; nothing is ever cut in the middle.

    The one exception: where not even the best sentence fits, it is clipped, since an empty context answers nothing.
    """
    taken: dict[int, list[Sentence]] = {}
    seen: set[str] = set()
    spent = 0
    for sentence in ranked:
        if sentence.text in seen:
            continue
        cost = tokens.count(sentence.shown) + 2
        if sentence.hit.passage_id not in taken:
            cost += tokens.count(heading(sentence.hit)) + 4
        if spent + cost > budget:
            continue
        spent += cost
        seen.add(sentence.text)
        taken.setdefault(sentence.hit.passage_id, []).append(sentence)
    sources = tuple(
        Source(n, chosen[0].hit, tuple(sorted(chosen, key=lambda s: s.start)))
        for n, chosen in enumerate(taken.values(), 1)
    )
    context = "\n\n".join(s.rendered for s in sources)
    if not sources and ranked:
        best = ranked[0]
        sources = (Source(1, best.hit, (best,)),)
        context = tokens.clip(sources[0].rendered, budget)
    return Packed(context, tokens.count(context), sources)


def heading(hit: Hit) -> str:
    return hit.context.split("\n", 1)[0] or hit.title


def baseline(hits: Sequence[Hit]) -> str:
    """The context of plain RAG: the top five passages in full."""
    return "\n\n".join(f"[{n}] {heading(h)}\n{h.text}" for n, h in enumerate(hits[:BASELINE_PASSAGES], 1))
