"""What was asked, what it cost, and what it would have cost."""

from datetime import date, datetime
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from zuinig.app.api.deps import Admin, Served
from zuinig.app.api.schemas import Limit, Page, page
from zuinig.app.summary import GroupBy, Span, summary, total
from zuinig.core.tables import LedgerEntry

router = APIRouter(prefix="/v1/ledger", tags=["ledger"])


class StepOut(BaseModel):
    """One call of a language model; outcome: what came of it, or why there was no call (`hard`, `shared`)."""

    rung: str
    model: str
    signs: str
    outcome: str
    prompt_tokens: int
    completion_tokens: int
    cost: float
    ms: float


class EntryOut(BaseModel):
    id: str
    answer_id: str
    source: str
    model: str | None
    user: str | None
    group: str | None
    prompt_tokens: int
    completion_tokens: int
    baseline_tokens: int
    saved_tokens: int
    cost: float
    saved_cost: float
    timing_ms: dict[str, float]
    steps: list[StepOut]
    notice: str | None
    created_at: datetime


class RungOut(BaseModel):
    """Percentiles of the time of the answers that one rung gave."""

    model_config = ConfigDict(from_attributes=True)
    source: str
    questions: int
    p50_ms: float
    p95_ms: float


class SummaryOut(BaseModel):
    """group: as people call it; empty where an answer has none, and for a document that was deleted. id: of the
    collection, document or key.

    baseline: what the same questions would have cost with the five best passages in full, counted by the same
    tokenizer. reviewed, wrong: answers that a reader or a curator judged, and those found wrong.
    """

    model_config = ConfigDict(from_attributes=True)
    group: str
    id: str | None
    questions: int
    prompt_tokens: int
    completion_tokens: int
    baseline_tokens: int
    saved_tokens: int
    cost: float
    baseline_cost: float
    saved_cost: float
    reviewed: int
    wrong: int
    wrong_rate: float | None
    p50_ms: float
    p95_ms: float
    rungs: list[RungOut]


class SummariesOut(BaseModel):
    """total: each question once; rows by collection and document may add up to more."""

    currency: str
    total: SummaryOut
    data: list[SummaryOut]


@router.get("")
def entries(
    served: Served, _: Admin, limit: Annotated[Limit, Query()] = 20, after: str | None = None
) -> Page[EntryOut]:
    """Newest first; one entry an answer."""
    wanted = sa.select(LedgerEntry).order_by(LedgerEntry.id.desc()).limit(limit + 1)
    if after is not None:
        wanted = wanted.where(LedgerEntry.id < after)
    with served.db.read() as session:
        rows = [_entry(e) for e in session.scalars(wanted)]
    return Page[EntryOut](**page(rows[:limit], len(rows) > limit))


@router.get("/summary")
def summary_by(
    served: Served,
    _: Admin,
    group_by: GroupBy = "day",
    since: date | None = None,
    until: date | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> SummariesOut:
    """Questions, tokens, money, times and what was wrong, by day, rung (`source`), model, user, group, key, collection
    or document. since, until: days in UTC, both included.

    Newest first by day, else what was asked most first. A question that was asked of several collections counts for
    each of them (`all`: it was asked of everything), and one whose answer cites several documents for each of those.
    """
    span = Span(since, until).check()
    with served.db.read() as session:
        whole, rows = total(session, span), summary(session, group_by, span, limit=limit)
    return SummariesOut(
        currency=served.settings.currency,
        total=SummaryOut.model_validate(whole),
        data=[SummaryOut.model_validate(row) for row in rows],
    )


def _entry(e: LedgerEntry) -> EntryOut:
    return EntryOut(
        id=e.id,
        answer_id=e.answer_id,
        source=e.source,
        model=e.model,
        user=e.user,
        group=e.group,
        prompt_tokens=e.prompt_tokens,
        completion_tokens=e.completion_tokens,
        baseline_tokens=e.baseline_tokens,
        saved_tokens=e.baseline_tokens - e.prompt_tokens - e.completion_tokens,
        cost=e.cost_micros / 1_000_000,
        saved_cost=e.saved_cost_micros / 1_000_000,
        timing_ms=e.timing_ms,
        steps=[StepOut(**s, cost=s["cost_micros"] / 1_000_000) for s in e.steps],
        notice=e.notice,
        created_at=e.created_at,
    )
