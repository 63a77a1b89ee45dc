"""Whether a question goes straight to the large language model: where small answers have failed too often to be worth
their price (docs/decisions/0008-the-small-model-answers-first.md).

Questions are told apart by signs known before any call. Asking the small model first costs its price, and the large
one's too where its answer fails; so it pays unless it fails for more than 1 - small price / large price of them. How
often it does is counted in this service's own ledger, for each set of signs, beside a prior by hand.
"""

import time
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.app.ledger import CHECKED, FAILED
from zuinig.app.lengths import Kind, kind
from zuinig.app.llm import Endpoint
from zuinig.core.db import Database
from zuinig.core.tables import LedgerEntry
from zuinig.memory.evaluate import wilson
from zuinig.retrieval.read import COVERED_FROM
from zuinig.retrieval.sentences import Sentence

# Log-odds that a small model's answer fails, by hand: one in eight of plain questions, two in three with every sign.
# Nothing stands behind them but judgement; they weigh as much as _PRIOR questions, and decide nothing alone.
_BASE = -2.0
_SIGNS = {"explains": 0.8, "unsure": 1.0, "spread": 0.6, "long": 0.4}
_PRIOR = 10
_ENOUGH = 20  # answers of the small model with the same signs, before a question may be called hard
_Z = 0.84  # one-sided 80 %, as in memory's calibration
# One question in so many that would be hard is still put to the small model first: a new model, or better documents,
# would else never show.
_STILL_TRIED = 20

_NEWEST = 20_000  # entries of the ledger
_KEPT_S = 60.0
_LONG_WORDS = 20
_NEAR_BEST = 0.8
_MANY_PASSAGES = 3

# A call as it usually is, in tokens: the ratio of two prices depends little on it.
_PROMPT, _COMPLETION = 500, 60


def signs(question: str, ranked: Sequence[Sentence], confidence: float) -> str:
    """The signs of trouble, joined by "+": "" for none. ranked: best first. confidence: the reader's."""
    passages = {s.hit.passage_id for s in ranked if s.score >= _NEAR_BEST * ranked[0].score}
    found = {
        "explains": kind(question) == Kind.LONG,
        "unsure": confidence < COVERED_FROM,
        "spread": len(passages) >= _MANY_PASSAGES,
        "long": len(question.split()) > _LONG_WORDS,
    }
    return "+".join(name for name in _SIGNS if found[name])


class Router:
    def __init__(self, db: Database, small: Endpoint, large: Endpoint) -> None:
        self._db, self._small = db, small
        self._worth_up_to = worth_up_to(small, large)
        self._counted: Mapping[str, tuple[int, int]] = {}
        self._read_at = float("-inf")

    def hard(self, question: str, shown: str) -> bool:
        """Whether to leave the small model out. shown: the question's signs."""
        if zlib.crc32(question.encode()) % _STILL_TRIED == 0:
            return False
        if time.monotonic() - self._read_at > _KEPT_S:
            with self._db.read() as session:
                self._counted = counted(session, self._small.name)
            self._read_at = time.monotonic()
        asked, failed = self._counted.get(shown, (0, 0))
        return is_hard(shown, asked, failed, self._worth_up_to)


def is_hard(shown: str, asked: int, failed: int, worth_up_to: float) -> bool:
    """Whether the share that fails lies above worth_up_to, with 80 % confidence (Wilson) on the prior and what was
    counted together.
    """
    if asked < _ENOUGH:
        return False
    return wilson(_PRIOR * prior(shown) + failed, _PRIOR + asked, _Z).low > worth_up_to


def prior(shown: str) -> float:
    """The chance by hand that a small model's answer fails."""
    odds = _BASE + sum(_SIGNS[name] for name in shown.split("+") if name)
    return float(1 / (1 + np.exp(-odds)))


def worth_up_to(small: Endpoint, large: Endpoint) -> float:
    """The share of failing answers up to which asking the small model first is no dearer; 1 without prices."""
    price = large.cost_micros(_PROMPT, _COMPLETION)
    return max(0.0, 1 - small.cost_micros(_PROMPT, _COMPLETION) / price) if price else 1.0


def counted(session: Session, model: str) -> dict[str, tuple[int, int]]:
    """Signs -> (answers of this small model that were checked, those that failed), out of the newest of the ledger."""
    newest = sa.select(LedgerEntry.steps).order_by(LedgerEntry.id.desc()).limit(_NEWEST).subquery()
    found: dict[str, tuple[int, int]] = {}
    for steps in session.scalars(sa.select(newest.c.steps).where(sa.func.json_array_length(newest.c.steps) > 0)):
        for step in steps:
            if step["model"] != model or step["rung"] != "small" or step["outcome"] not in CHECKED:
                continue
            asked, failed = found.get(step["signs"], (0, 0))
            found[step["signs"]] = asked + 1, failed + (step["outcome"] in FAILED)
    return found
