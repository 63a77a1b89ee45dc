"""The probability from which on memory serves: what the shipped calibration says, refined by what readers said here.

The shipped calibration counts as so many reviewed answers (a prior), reviews of this service's own answers are added to
it, and the share that was wrong at each threshold is the posterior mean of a beta-binomial. An error that is reported
therefore raises the threshold at once, and answers found right bring it back. Below the shipped threshold only reviews
of many people together may lead, and never further than to twice the budget's own threshold.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import Database
from zuinig.core.tables import Answer, ApiKey, Feedback, LedgerEntry, User
from zuinig.core.types import Role, Scope, Source, Verdict
from zuinig.memory.evaluate import wilson
from zuinig.memory.verify import Verifier

_PRIOR = 200  # answers that the shipped calibration counts for
_ENOUGH = 200  # weight of reviews from which on a collection has a calibration of its own, or may serve more
_KEEPS_S = 10.0
_NEWEST = 5000
_Z = 0.84  # one-sided 80 %, as in the shipped calibration


@dataclass(frozen=True, slots=True)
class Review:
    """One reader's word on an answer out of memory. weight: 1 for a curator; all of another reader's together weigh 1
    among those that are wrong, and 1 among those that are right, so that nobody alone decides for others."""

    probability: float
    wrong: bool
    weight: float
    scope: str


class Calibration:
    """budget: the share of what is served that may be wrong."""

    def __init__(self, db: Database, verifier: Verifier, *, budget: float) -> None:
        self._db, self._verifier, self._budget = db, verifier, budget
        self._reviews: list[Review] = []
        self._least: dict[str, float] = {}  # by scope, worked out of these reviews
        self._read_at = float("-inf")

    def least(self, scope: str) -> float:
        """For questions asked of that scope."""
        if time.monotonic() - self._read_at > _KEEPS_S:
            with self._db.read() as session:
                self._reviews, self._least = reviews(session), {}
            self._read_at = time.monotonic()
        known, found = self._least, self._reviews
        if scope not in known:
            own = [r for r in found if r.scope == scope]
            enough = sum(r.weight for r in own) >= _ENOUGH
            known[scope] = refine(self._verifier, self._budget, own if enough else found)
        return known[scope]

    def forget(self) -> None:
        """Somebody judged an answer: read the reviews again at the next lookup."""
        self._read_at = float("-inf")


def refine(verifier: Verifier, budget: float, found: Sequence[Review]) -> float:
    """The least probability at which the shipped calibration and the reviews together keep to the budget."""
    shipped = verifier.threshold(budget)
    if not found or shipped == float("inf"):
        return shipped
    probability = np.array([r.probability for r in found])
    weight = np.array([r.weight for r in found])
    wrong = np.array([r.wrong for r in found])
    for least in sorted({shipped, *_steps(verifier, budget)}):
        above = probability >= least
        n, k = float(weight[above].sum()), float(weight[above & wrong].sum())
        if least < shipped and not _proven(n, k, budget):
            continue
        if (_PRIOR * (1 - least) + k) / (_PRIOR + n) <= budget + 1e-9:
            return least
    return float("inf")


def _steps(verifier: Verifier, budget: float) -> list[float]:
    """Thresholds to try, from that of twice the budget to near certainty."""
    steps: list[float] = np.linspace(verifier.threshold(2 * budget), 0.9995, 64).tolist()
    return steps


def _proven(n: float, k: float, budget: float) -> bool:
    """Whether with 80 % confidence (Wilson) no more than the budget was wrong of at least _ENOUGH reviews."""
    return n >= _ENOUGH and wilson(k, n, _Z).high <= budget


def _curates(scopes: Sequence[str] | None, role: str | None) -> bool:
    held = {*(scopes or ()), *(Role(role).scopes if role is not None else ())}
    return bool(held & {Scope.CURATE, Scope.ADMIN})


def reviews(session: Session) -> list[Review]:
    """The newest, of answers that memory gave to other words than its own, but for verdicts a curator dismissed."""
    rows = session.execute(
        sa.select(Feedback.verdict, Feedback.owner_id, Answer.confidence, LedgerEntry.scope, ApiKey.scopes, User.role)
        .join(Answer, Answer.id == Feedback.answer_id)
        .join(LedgerEntry, LedgerEntry.answer_id == Answer.id)
        .outerjoin(ApiKey, ApiKey.id == Feedback.owner_id)
        .outerjoin(User, User.id == Feedback.owner_id)
        .where(Answer.source == Source.MEMORY, Answer.confidence < 1, ~Feedback.dismissed)
        .order_by(Feedback.id.desc())
        .limit(_NEWEST)
    ).all()
    count: dict[tuple[str, str], int] = {}
    for row in rows:
        count[row.owner_id, row.verdict] = count.get((row.owner_id, row.verdict), 0) + 1
    return [
        Review(
            row.confidence,
            row.verdict == Verdict.DOWN,
            1.0 if _curates(row.scopes, row.role) else 1 / count[row.owner_id, row.verdict],
            row.scope,
        )
        for row in rows
    ]
