"""The savings page: what was spent, what plain RAG would have spent, and what budgets leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from zuinig.app.api.deps import Admin, Served
from zuinig.app.portal.pages import render
from zuinig.app.summary import GroupBy, Span, SummaryRow, summary, total
from zuinig.core.tables import now
from zuinig.core.types import Source

_ROWS_SHOWN = 100
_MOST_DAYS = 366
_WIDTH, _HEIGHT = 720, 120  # of the drawing, in its own units
_PERIODS = (7, 30, 365, 0)
_GROUPS: tuple[GroupBy, ...] = ("source", "day", "collection", "document", "user", "group", "key", "model")

router = APIRouter(prefix="/portal", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Bar:
    """A day of the chart. x, width and the heights are in units of the drawing."""

    day: date
    x: float
    width: float
    plain: float
    spent: float
    plain_tokens: int
    spent_tokens: int


@dataclass(frozen=True, slots=True)
class Chart:
    """bars: without gaps, oldest first. most: the tokens that the whole height stands for."""

    bars: Sequence[Bar]
    most: int
    width: int = _WIDTH
    height: int = _HEIGHT


@router.get("/savings")
def savings(
    request: Request,
    served: Served,
    principal: Admin,
    days: Annotated[int, Query(ge=0, le=36_500)] = 30,
    by: GroupBy = "source",
) -> Response:
    """days: today and those before it, in UTC; 0 means all time."""
    today = now().date()
    span = Span(since=today - timedelta(days=days - 1) if days else None)
    with served.db.read() as session:
        whole = total(session, span)
        per_day = summary(session, "day", span, limit=_MOST_DAYS)
        rows = summary(session, by, span, limit=_ROWS_SHOWN + 1)
        by_source = rows if by == "source" else summary(session, "source", span, limit=len(Source))

    def link(**changed: object) -> str:
        return f"/portal/savings?{urlencode({'by': by, 'days': days, **changed})}"

    paid = sum(r.questions for r in whole.rungs if r.source == Source.LLM)
    return render(
        request,
        served,
        "savings.html",
        principal,
        total=whole,
        # Plain RAG would have spent this too, but for no answer that somebody got.
        unanswered=sum(r.saved_tokens for r in by_source if r.group == Source.NONE),
        free=(whole.questions - paid) / whole.questions if whole.questions else 0.0,
        chart=_chart(per_day, today),
        rows=rows[:_ROWS_SHOWN],
        more=len(rows) > _ROWS_SHOWN,
        by=by,
        groups=_GROUPS,
        days=days,
        periods=_PERIODS,
        budgets=served.budgets.all(),
        link=link,
    )


def _chart(per_day: Sequence[SummaryRow], today: date) -> Chart | None:
    """From the first day on which something was asked until today; the last year of it. None for no day at all."""
    found = {date.fromisoformat(row.group): row for row in per_day}
    if not found:
        return None
    first = max(min(found), today - timedelta(days=_MOST_DAYS - 1))
    all_days = [first + timedelta(days=n) for n in range((max(today, *found) - first).days + 1)]
    most = max(max(row.baseline_tokens, row.spent_tokens) for row in found.values())
    step = _WIDTH / max(len(all_days), 14)  # a few days make no planks of a bar
    bars = []
    for n, day in enumerate(all_days):
        row = found.get(day)
        plain, spent = (row.baseline_tokens, row.spent_tokens) if row is not None else (0, 0)
        high, low = (round(_HEIGHT * tokens / max(most, 1), 2) for tokens in (plain, spent))
        bars.append(Bar(day, round(n * step, 2), round(step * 0.8, 2), high, low, plain, spent))
    return Chart(bars, most)
