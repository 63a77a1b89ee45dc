"""What each answer cost, and what plain RAG would have spent on the same question."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.app.llm import Endpoint, Rung
from zuinig.core.db import Database
from zuinig.core.tables import ApiKey, Collection, LedgerEntry
from zuinig.core.types import Source, Usage

GroupBy = Literal["day", "source", "user", "collection"]
_MICROS = 1_000_000

Outcome = Literal[
    "answered",
    "not_covered",  # it says that the documents do not answer
    "denied",  # it says so although the reader is sure that they do
    "citations",  # none, or some that do not hold
    "disagrees",  # says what stands neither in the question nor in the sources that it names
    "cut_off",  # ended at the limit of output
    "failed",  # no answer came
    "hard",  # left out: the question went straight to the large model
    "shared",  # an identical question that was being asked had this answer too, and paid for it
]
FAILED = frozenset({"denied", "citations", "disagrees", "cut_off"})
CHECKED = frozenset({"answered", "not_covered", *FAILED})


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a language model, or why there was none. signs: see `app/router.py`. cost: in millionths."""

    rung: Rung
    model: str
    signs: str
    outcome: Outcome
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int = 0
    ms: float = 0.0


@dataclass(frozen=True, slots=True)
class SummaryRow:
    group: str
    answers: int
    prompt_tokens: int
    completion_tokens: int
    baseline_tokens: int
    cost: float
    saved_cost: float
    p50_ms: float
    p95_ms: float

    @property
    def saved_tokens(self) -> int:
        return self.baseline_tokens - self.prompt_tokens - self.completion_tokens


class Ledger:
    def __init__(self, db: Database, priced: Endpoint | None) -> None:
        """priced: the model that plain RAG would have asked each time: the large one where there are two."""
        self._db, self._priced = db, priced

    def usage(
        self,
        *,
        calls: Sequence[Call],
        baseline_prompt: int,
        baseline_completion: int,
        model: str | None,
    ) -> Usage:
        """What the calls cost in all, each by the prices of its model, beside what plain RAG would have. Baselines in
        tokens. model: the one whose answer is served.
        """
        cost = sum(c.cost_micros for c in calls)
        instead = self._priced.cost_micros(baseline_prompt, baseline_completion) if self._priced else 0
        return Usage(
            sum(c.prompt_tokens for c in calls),
            sum(c.completion_tokens for c in calls),
            baseline_prompt + baseline_completion,
            cost / _MICROS,
            (instead - cost) / _MICROS,
            model,
        )

    def write(
        self,
        session: Session,
        *,
        answer_id: str,
        key_id: str,
        source: Source,
        scope: str,
        usage: Usage,
        calls: Sequence[Call],
        timing_ms: dict[str, float],
    ) -> None:
        session.add(
            LedgerEntry(
                answer_id=answer_id,
                key_id=key_id,
                source=source,
                scope=scope,
                model=usage.model,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                baseline_tokens=usage.baseline_tokens,
                cost_micros=round(usage.cost * _MICROS),
                saved_cost_micros=round(usage.saved_cost * _MICROS),
                timing_ms=timing_ms,
                steps=[asdict(c) for c in calls],
            )
        )

    def summary(self, group_by: GroupBy, *, since: datetime | None = None) -> list[SummaryRow]:
        """Newest group first by day, else the one with most answers first."""
        group = self._group(group_by)
        total_ms = sa.cast(LedgerEntry.timing_ms["total"].as_float(), sa.Float)
        query = sa.select(
            group.label("group"),
            LedgerEntry.prompt_tokens,
            LedgerEntry.completion_tokens,
            LedgerEntry.baseline_tokens,
            LedgerEntry.cost_micros,
            LedgerEntry.saved_cost_micros,
            total_ms.label("ms"),
        ).outerjoin(ApiKey, ApiKey.id == LedgerEntry.key_id)
        if since is not None:
            query = query.where(LedgerEntry.created_at >= since)
        inner = query.subquery()
        # Nearest-rank percentiles in the database: the ledger may hold millions of rows.
        ranked = sa.select(
            inner,
            sa.func.row_number().over(partition_by=inner.c.group, order_by=inner.c.ms).label("rank"),
            sa.func.count().over(partition_by=inner.c.group).label("size"),
        ).subquery()
        c = ranked.c
        rows = sa.select(
            c.group,
            sa.func.count(),
            sa.func.sum(c.prompt_tokens),
            sa.func.sum(c.completion_tokens),
            sa.func.sum(c.baseline_tokens),
            sa.func.sum(c.cost_micros),
            sa.func.sum(c.saved_cost_micros),
            _percentile(c, 50),
            _percentile(c, 95),
        ).group_by(c.group)
        rows = rows.order_by(c.group.desc() if group_by == "day" else sa.func.count().desc())
        with self._db.read() as session:
            names = _collection_names(session) if group_by == "collection" else {}
            return [
                SummaryRow(
                    _named(g, names) if group_by == "collection" else str(g or ""),
                    n,
                    p,
                    o,
                    b,
                    cost / _MICROS,
                    saved / _MICROS,
                    p50 or 0.0,
                    p95 or 0.0,
                )
                for g, n, p, o, b, cost, saved, p50, p95 in session.execute(rows)
            ]

    def _group(self, group_by: GroupBy) -> sa.ColumnElement[Any]:
        match group_by:
            case "day":
                return sa.func.date(LedgerEntry.created_at)
            case "source":
                return sa.type_coerce(LedgerEntry.source, sa.String)
            case "user":
                return sa.func.coalesce(ApiKey.name, LedgerEntry.key_id)
            case "collection":
                return sa.type_coerce(LedgerEntry.scope, sa.String)


def _collection_names(session: Session) -> dict[str, str]:
    return {str(i): name for i, name in session.execute(sa.select(Collection.id, Collection.name))}


def _named(scope: str | None, names: Mapping[str, str]) -> str:
    """What a question was asked of, as people call it: collections parted by commas, or all of them."""
    return ", ".join(names.get(i, "deleted") for i in scope.split(",")) if scope else "all"


def _percentile(c: Any, percent: int) -> sa.ColumnElement[float]:
    return sa.func.min(sa.case((c.rank * 100 >= c.size * percent, c.ms)))
