"""What the ledger tells: by day, rung, model, user, group, key, collection or document.

A question that was asked of several collections counts for each of them, and one whose answer cites several documents
counts for each of those: such rows add up to more than the total. Everything is worked out in the database, since the
ledger may hold millions of rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.errors import BadRequest
from zuinig.core.tables import (
    Answer,
    ApiKey,
    Collection,
    Document,
    Feedback,
    LedgerDocument,
    LedgerEntry,
    Memory,
    Shelf,
)
from zuinig.core.types import MemoryStatus, Source, Verdict

GroupBy = Literal["day", "source", "model", "user", "group", "key", "collection", "document"]

RIGHT, WRONG = "right", "wrong"  # as the ledger keeps the verdict on an answer that is gone

_MICROS = 1_000_000
_SUMS = ("prompt", "completion", "baseline", "cost", "saved", "reviewed", "wrong")
_NOTHING = "-"  # the scope of a question whose asker may read none of what was named


@dataclass(frozen=True, slots=True)
class Rung:
    """How long answers of one rung took."""

    source: str
    questions: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """group: as people call it; empty where an answer has none, and for a document that was deleted.

    id: of the collection, document or key.

    reviewed, wrong: answers that somebody judged, and those of them that are wrong; see `_verdicts`. p50_ms, p95_ms:
    over all rungs together, nearest rank.
    """

    group: str
    id: str | None
    questions: int
    prompt_tokens: int
    completion_tokens: int
    baseline_tokens: int
    cost: float
    baseline_cost: float
    reviewed: int
    wrong: int
    p50_ms: float
    p95_ms: float
    rungs: tuple[Rung, ...]

    @property
    def spent_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def saved_tokens(self) -> int:
        return self.baseline_tokens - self.spent_tokens

    @property
    def saved_cost(self) -> float:
        return self.baseline_cost - self.cost

    @property
    def wrong_rate(self) -> float | None:
        return self.wrong / self.reviewed if self.reviewed else None


@dataclass(frozen=True, slots=True)
class Span:
    """Days in UTC, both included; None for no bound."""

    since: date | None = None
    until: date | None = None

    def check(self) -> "Span":
        """Raises BadRequest."""
        if self.since is not None and self.until is not None and self.since > self.until:
            raise BadRequest("`since` is a later day than `until`; swap them.", param="since")
        return self

    def holds(self) -> list[sa.ColumnElement[bool]]:
        found = []
        if self.since is not None:
            found.append(LedgerEntry.created_at >= datetime.combine(self.since, time(), UTC))
        # The last day that a date can name has no day after it.
        if self.until is not None and self.until < date.max:
            found.append(LedgerEntry.created_at < datetime.combine(self.until + timedelta(days=1), time(), UTC))
        return found


def summary(session: Session, group_by: GroupBy, span: Span, *, limit: int) -> list[SummaryRow]:
    """Newest first by day, else what was asked most first."""
    return _rows(session, group_by, span, limit)


def total(session: Session, span: Span) -> SummaryRow:
    """Each question once."""
    rows = _rows(session, None, span, 1)
    return rows[0] if rows else SummaryRow("", None, 0, 0, 0, 0, 0.0, 0.0, 0, 0, 0.0, 0.0, ())


def _rows(session: Session, group_by: GroupBy | None, span: Span, limit: int) -> list[SummaryRow]:
    inner = _entries(group_by, span)
    found = _aggregate(session, inner, ("key",), _SUMS)
    found.sort(key=lambda row: row[0], reverse=group_by == "day")
    if group_by != "day":
        found.sort(key=lambda row: row[1], reverse=True)
    rungs: dict[str, list[Rung]] = {}
    for key, source, n, p50, p95 in _aggregate(session, inner, ("key", "source")):
        rungs.setdefault(key, []).append(Rung(source, n, p50 or 0.0, p95 or 0.0))
    order = list(Source)
    names = _names(session, group_by, [row[0] for row in found[:limit]])
    rows = []
    for key, n, p50, p95, prompt, completion, baseline, cost, saved, reviewed, wrong in found[:limit]:
        label, identity = names.get(key, (key, None))
        by_rung = sorted(rungs[key], key=lambda r: order.index(Source(r.source)))
        money = cost / _MICROS, (cost + saved) / _MICROS
        tokens = prompt, completion, baseline
        times = p50 or 0.0, p95 or 0.0
        rows.append(SummaryRow(label, identity, n, *tokens, *money, reviewed, wrong, *times, tuple(by_rung)))
    return rows


def _entries(group_by: GroupBy | None, span: Span) -> sa.Subquery:
    """One row for each entry and group that it counts for."""
    e = LedgerEntry
    down, rejected, approved = _verdicts()
    judged, wrong = _judged(down, rejected, approved)
    key, joins = _key(group_by)
    wanted = sa.select(
        key.label("key"),
        e.source.label("source"),
        e.prompt_tokens.label("prompt"),
        e.completion_tokens.label("completion"),
        e.baseline_tokens.label("baseline"),
        e.cost_micros.label("cost"),
        e.saved_cost_micros.label("saved"),
        sa.case((judged | e.verdict.is_not(None), 1), else_=0).label("reviewed"),
        sa.case((wrong | (sa.func.coalesce(e.verdict, "") == WRONG), 1), else_=0).label("wrong"),
        sa.cast(e.timing_ms["total"].as_float(), sa.Float).label("ms"),
    )
    source: Any = sa.outerjoin(e, Answer, Answer.id == e.answer_id)
    source = source.outerjoin(down, down.c.answer_id == e.answer_id)
    source = source.outerjoin(Memory, Memory.id == Answer.memory_id)
    for table, condition in joins:
        source = source.outerjoin(table, condition)
    return wanted.select_from(source).where(*span.holds()).subquery()


def settle(session: Session, answer_ids: Sequence[str]) -> None:
    """Before answers go, write into the ledger how they were judged: it goes on counting them."""
    down, rejected, approved = _verdicts()
    judged, wrong = _judged(down, rejected, approved)
    rows = (
        sa.select(Answer.id, sa.case((wrong, WRONG), else_=RIGHT))
        .outerjoin(down, down.c.answer_id == Answer.id)
        .outerjoin(Memory, Memory.id == Answer.memory_id)
        .where(Answer.id.in_(answer_ids), judged)
    )
    for answer_id, verdict in session.execute(rows).all():
        session.execute(sa.update(LedgerEntry).where(LedgerEntry.answer_id == answer_id).values(verdict=verdict))


def _judged(
    down: sa.Subquery, rejected: sa.ColumnElement[bool], approved: sa.ColumnElement[bool]
) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Whether somebody judged an answer, and found it wrong."""
    return down.c.answer_id.is_not(None) | rejected | approved, (sa.func.coalesce(down.c.wrong, 0) == 1) | rejected


def _verdicts() -> tuple[sa.Subquery, sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """What readers said of answers, and what curators decided on memories that hold those answers word for word.

    An answer is wrong where a reader says so and no curator dismissed it, or where a curator rejected the memory. A
    memory that a curator approved speaks for the answer that it was made of, not for those that were served from it
    later: whether it was the right memory for another question was not looked at.
    """
    against = sa.and_(Feedback.verdict == Verdict.DOWN, ~Feedback.dismissed)
    said = sa.select(Feedback.answer_id, sa.func.max(sa.case((against, 1), else_=0)).label("wrong"))
    same = sa.and_(Memory.id.is_not(None), Memory.answer == Answer.answer)
    rejected = sa.and_(same, Memory.status == MemoryStatus.REJECTED)
    made_of = sa.and_(Answer.source != Source.MEMORY, Memory.origin.in_((Source.SPECIALIST, Source.LLM)))
    approved = sa.and_(same, made_of, Memory.verified_by.is_not(None))
    no = sa.false()
    return (
        said.group_by(Feedback.answer_id).subquery(),
        sa.func.coalesce(rejected, no),
        sa.func.coalesce(approved, no),
    )


def _key(group_by: GroupBy | None) -> tuple[sa.ColumnElement[str], list[tuple[Any, sa.ColumnElement[bool]]]]:
    """What to group by, and what must be joined for it."""
    e = LedgerEntry
    match group_by:
        case None:
            return sa.literal(""), []
        case "day":
            return sa.func.date(e.created_at), []
        case "source":
            return sa.type_coerce(e.source, sa.String), []
        case "key":
            return sa.type_coerce(e.key_id, sa.String), []
        case "model" | "user" | "group":
            return sa.func.coalesce(getattr(e, group_by), ""), []
        case "collection":
            on_shelf = sa.func.instr("," + e.scope + ",", "," + sa.cast(Shelf.id, sa.String) + ",") > 0
            among = sa.select(Shelf.id).where(Shelf.collection_id == Collection.id, on_shelf).exists()
            # Where no collection is found: "" for all there are, "-" for nothing that the asker may read.
            return sa.func.coalesce(sa.cast(Collection.id, sa.String), e.scope), [(Collection, among)]
        case "document":
            cited = LedgerDocument.ledger_id == e.id
            return sa.func.coalesce(LedgerDocument.document_id, ""), [(LedgerDocument, cited)]


def _aggregate(
    session: Session, inner: sa.Subquery, by: Sequence[str], sums: Sequence[str] = ()
) -> list[tuple[Any, ...]]:
    """What it is grouped by, how many, the 50th and 95th percentile of the time (nearest rank), and the sums."""
    keys = [inner.c[name] for name in by]
    ranked = sa.select(
        inner,
        sa.func.row_number().over(partition_by=keys, order_by=inner.c.ms).label("rank"),
        sa.func.count().over(partition_by=keys).label("size"),
    ).subquery()
    c = ranked.c
    group = [c[name] for name in by]
    figures = sa.func.count(), _percentile(c, 50), _percentile(c, 95), *(sa.func.sum(c[name]) for name in sums)
    return [tuple(row) for row in session.execute(sa.select(*group, *figures).group_by(*group))]


def _percentile(c: Any, percent: int) -> sa.ColumnElement[float]:
    return sa.func.min(sa.case((c.rank * 100 >= c.size * percent, c.ms)))


def _names(session: Session, group_by: GroupBy | None, keys: Sequence[str]) -> Mapping[str, tuple[str, str | None]]:
    """By key: what people call it, and its id."""
    match group_by:
        case "collection":
            found = session.execute(sa.select(Collection.id, Collection.name))
            return {"": ("all", None), _NOTHING: ("none", None), **{str(i): (name, str(i)) for i, name in found}}
        case "document":
            titles = session.execute(sa.select(Document.id, Document.title).where(Document.id.in_(keys)))
            known = {row.id: row.title for row in titles}
            return {k: (known.get(k, ""), k) for k in keys if k}
        case "key":
            named = session.execute(sa.select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(keys)))
            return {i: (name, i) for i, name in named}
        case _:
            return {}
