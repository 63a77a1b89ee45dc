"""Answered questions, as a page shows them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.errors import NotFound
from zuinig.core.tables import Answer, Feedback, LedgerEntry, Memory
from zuinig.core.types import Principal, Source
from zuinig.retrieval import shelves

_MARK = re.compile(r"(\[\d+\])")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an answer. citation: where its mark, such as [1], leads."""

    text: str
    citation: Any = None


@dataclass(frozen=True, slots=True)
class Turn:
    """memory_id, first_answered: of the memory that answered, where it still stands. notice: see `notices.Notice`.

    withheld: the answer is not shown, since it rests on what its reader may no longer read.
    """

    id: str
    question: str
    answer: str
    source: str
    citations: Sequence[dict[str, Any]]
    memory_id: str | None
    first_answered: datetime | None
    checked_by: str | None
    model: str | None
    tokens: int
    saved_tokens: int
    cost: float
    saved_cost: float
    notice: str | None
    withheld: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    question: str
    answer: str
    verdict: str
    correction: str | None
    created_at: datetime


def of_answer(session: Session, answer_id: str, asker: Principal) -> Turn:
    """Raises NotFound for an answer that is not the asker's."""
    found = _turns(session, asker, Answer.id == answer_id)
    if not found:
        raise NotFound("There is no such answer.")
    return found[0]


def of_conversation(session: Session, conversation_id: str, asker: Principal) -> list[Turn]:
    """In order; none where the conversation is not the asker's."""
    return _turns(session, asker, Answer.conversation_id == conversation_id)


def verdicts(session: Session, limit: int) -> list[Verdict]:
    """Newest first."""
    rows = session.execute(
        sa.select(Feedback, Answer)
        .join(Answer, Answer.id == Feedback.answer_id)
        .order_by(Feedback.id.desc())
        .limit(limit)
    )
    return [Verdict(a.question, a.answer, f.verdict, f.correction, f.created_at) for f, a in rows]


def _turns(session: Session, asker: Principal, which: sa.ColumnElement[bool]) -> list[Turn]:
    served_from = sa.and_(Memory.id == Answer.memory_id, Answer.source == Source.MEMORY)
    rows = session.execute(
        sa.select(Answer, LedgerEntry, Memory.created_at, Memory.verified_by)
        .join(LedgerEntry, LedgerEntry.answer_id == Answer.id)
        .outerjoin(Memory, served_from)
        .where(which, Answer.owner_id == asker.id)
        .order_by(Answer.id)
    ).all()
    hidden = shelves.hidden(session, {c["document_id"] for row in rows for c in row[0].citations}, asker.readable)
    return [_turn(*row, hidden) for row in rows]


def _turn(
    answer: Answer, entry: LedgerEntry, first_answered: datetime | None, checked_by: str | None, hidden: set[str]
) -> Turn:
    withheld = not hidden.isdisjoint(c["document_id"] for c in answer.citations)
    tokens = entry.prompt_tokens + entry.completion_tokens
    return Turn(
        id=answer.id,
        question=answer.question,
        answer="" if withheld else answer.answer,
        source=answer.source,
        citations=[] if withheld else answer.citations,
        memory_id=f"mem_{answer.memory_id}" if first_answered is not None else None,
        first_answered=first_answered,
        checked_by=checked_by,
        model=entry.model,
        tokens=tokens,
        saved_tokens=entry.baseline_tokens - tokens,
        cost=entry.cost_micros / 1_000_000,
        saved_cost=entry.saved_cost_micros / 1_000_000,
        notice=entry.notice,
        withheld=withheld,
    )


def parts(text: str, citations: Sequence[Any]) -> list[Part]:
    """An answer, taken apart at its marks."""
    found = []
    for piece in filter(None, _MARK.split(text)):
        number = int(piece[1:-1]) if _MARK.fullmatch(piece) else 0
        found.append(Part(piece, citations[number - 1] if 0 < number <= len(citations) else None))
    return found
