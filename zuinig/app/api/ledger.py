"""What was asked, what it cost, and what it would have cost."""

from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from zuinig.app.api.deps import Admin, Served
from zuinig.app.api.schemas import Limit, Page, page
from zuinig.app.ledger import GroupBy
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
    prompt_tokens: int
    completion_tokens: int
    baseline_tokens: int
    saved_tokens: int
    cost: float
    saved_cost: float
    timing_ms: dict[str, float]
    steps: list[StepOut]
    created_at: datetime


class SummaryOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    group: str
    answers: int
    prompt_tokens: int
    completion_tokens: int
    baseline_tokens: int
    saved_tokens: int
    cost: float
    saved_cost: float
    p50_ms: float
    p95_ms: float


class SummariesOut(BaseModel):
    currency: str
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
def summary(served: Served, _: Admin, group_by: GroupBy = "day", since: datetime | None = None) -> SummariesOut:
    """Tokens and money by day, source, user (the key that asked) or collection."""
    rows = served.ledger.summary(group_by, since=since)
    return SummariesOut(currency=served.settings.currency, data=[SummaryOut.model_validate(row) for row in rows])


def _entry(e: LedgerEntry) -> EntryOut:
    return EntryOut(
        id=e.id,
        answer_id=e.answer_id,
        source=e.source,
        model=e.model,
        prompt_tokens=e.prompt_tokens,
        completion_tokens=e.completion_tokens,
        baseline_tokens=e.baseline_tokens,
        saved_tokens=e.baseline_tokens - e.prompt_tokens - e.completion_tokens,
        cost=e.cost_micros / 1_000_000,
        saved_cost=e.saved_cost_micros / 1_000_000,
        timing_ms=e.timing_ms,
        steps=[StepOut(**s, cost=s["cost_micros"] / 1_000_000) for s in e.steps],
        created_at=e.created_at,
    )
