"""Whether a new model is better than the old one by more than chance, on the same held-out questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from zuinig.memory.evaluate import wilson

_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Measure:
    """old, new: what each scored for each question, in the same order; more is better.

    decides: whether the new model may be taken for it. Of a measure that only guards it must not lose by more than
    chance.
    """

    name: str
    old: Sequence[float]
    new: Sequence[float]
    decides: bool = True

    @property
    def better(self) -> int:
        return sum(n > o for o, n in zip(self.old, self.new, strict=True))

    @property
    def worse(self) -> int:
        return sum(n < o for o, n in zip(self.old, self.new, strict=True))

    def __str__(self) -> str:
        before, after = (sum(x) / max(len(x), 1) for x in (self.old, self.new))
        return (
            f"{self.name}: {before:.1%} before, {after:.1%} after, of {len(self.old)} "
            f"({self.better} better, {self.worse} worse, p {chance(self.better, self.worse):.3f})"
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """Answers of the new model that were wrong, of those that it gave alone, and the share that may be."""

    wrong: int
    given: int
    allowed: float

    @property
    def broken(self) -> bool:
        """Whether more than that share is wrong by more than chance (Wilson, 95 %)."""
        return wilson(self.wrong, self.given).low > self.allowed

    def __str__(self) -> str:
        return f"wrong among {self.given} answered alone: {self.wrong}; allowed {self.allowed:.1%}"


@dataclass(frozen=True, slots=True)
class Verdict:
    better: bool
    why: str


def chance(better: int, worse: int) -> float:
    """How likely so many of the questions that differ come out better where both models are equally good.

    The exact sign test; for right and wrong answers that is McNemar's.
    """
    n = better + worse
    return float(sum(comb(n, k) for k in range(better, n + 1)) / 2**n)


def verdict(measures: Sequence[Measure], budget: Budget | None = None) -> Verdict:
    """Better on some measure that decides by more than chance (Bonferroni), worse on none, and within the budget."""
    if budget is not None and budget.broken:
        return Verdict(False, f"too much of what it would answer alone is wrong: {budget.wrong} of {budget.given}")
    lost = [m for m in measures if chance(m.worse, m.better) < _CHANCE]
    if lost:
        return Verdict(False, f"it is worse: {lost[0].name}")
    deciding = [m for m in measures if m.decides]
    won = [m for m in deciding if chance(m.better, m.worse) < _CHANCE / len(deciding)]
    if won:
        return Verdict(True, f"it is better by more than chance: {', '.join(m.name for m in won)}")
    return Verdict(False, "it is not better by more than chance")
