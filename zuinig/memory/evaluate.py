"""How well memory would do on questions whose repeats are known: served, and wrong among what was served."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from zuinig.memory.questions import question_key
from zuinig.memory.verify import Verifier, Wording
from zuinig.retrieval.embed import Embedder

_SHORTLIST = 8
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """Two wordings and whether they ask the same: `a` is stored, `b` is asked."""

    a: str
    b: str
    same: bool


@dataclass(frozen=True, slots=True)
class Interval:
    """A share with its 95 % interval (Wilson)."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """budget: the share of wrong answers that was allowed. hits: repeats served rightly; wrong: of what was served."""

    budget: float
    threshold: float
    asked: int
    repeats: int
    served: int
    hits: Interval
    wrong: Interval


def evaluate(
    pairs: Sequence[LabelledPair], embedder: Embedder, verifier: Verifier, budgets: Sequence[float]
) -> list[Outcome]:
    """Store every `a`, ask every `b`, and count. What is served counts as right only if some pair says so.

    Nothing is written anywhere. Labels that are missing make right answers look wrong: look at what is listed.
    """
    stored = list(dict.fromkeys(p.a for p in pairs))
    asked = list(dict.fromkeys(p.b for p in pairs))
    same: dict[str, set[str]] = {}
    for p in pairs:
        if p.same:
            same.setdefault(p.b, set()).add(p.a)
    best = _best(stored, asked, embedder, verifier)
    repeats = sum(q in same for q in asked)
    outcomes = []
    for budget in budgets:
        threshold = verifier.threshold(budget)
        served = [(q, s) for q, (s, probability) in zip(asked, best, strict=True) if probability >= threshold]
        right = sum(s in same.get(q, ()) for q, s in served)
        outcomes.append(
            Outcome(
                budget,
                threshold,
                len(asked),
                repeats,
                len(served),
                wilson(right, repeats),
                wilson(len(served) - right, len(served)),
            )
        )
    return outcomes


def _best(
    stored: Sequence[str], asked: Sequence[str], embedder: Embedder, verifier: Verifier
) -> list[tuple[str, float]]:
    """For each asked question the stored one that most likely asks the same; 2.0 for the same words."""
    by_key = {question_key(s): s for s in reversed(stored)}
    vectors = embedder.embed(stored)
    found: list[tuple[str, float]] = []
    for start in range(0, len(asked), _AT_ONCE):
        part = asked[start : start + _AT_ONCE]
        cosines = embedder.embed(part) @ vectors.T
        near = np.argsort(-cosines, axis=1)[:, :_SHORTLIST]
        close = np.take_along_axis(cosines, near, axis=1)
        wordings = [
            [Wording(stored[i], float(c)) for i, c in zip(*row, strict=True)] for row in zip(near, close, strict=True)
        ]
        probabilities = np.array(verifier.judge(part, wordings))
        for q, row, probability in zip(part, near, probabilities, strict=True):
            exact = by_key.get(question_key(q))
            n = int(probability.argmax())
            found.append((exact, 2.0) if exact is not None else (stored[int(row[n])], float(probability[n])))
    return found


def wilson(count: float, total: float, z: float = 1.96) -> Interval:
    """Wilson's score interval; of nothing, everything is possible."""
    if total == 0:
        return Interval(0.0, 0.0, 1.0)
    share = count / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))
