"""What readers say of answers, and what follows from it for the memory behind them.

Nobody's word alone changes what others are told: a thumbs-down can only lead to the question being answered anew out
of the documents, or to a curator being asked; a correction is a suggestion until a curator approves it.
"""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.errors import NotFound
from zuinig.core.tables import Answer, Feedback, LedgerEntry, Memory, Suggestion, now
from zuinig.core.types import MemoryStatus, SuggestionKind, SuggestionStatus, Verdict
from zuinig.memory import history
from zuinig.memory.freshness import hold
from zuinig.memory.questions import question_key
from zuinig.retrieval.shelves import Readable, hidden

_WRONG = "A reader called the answer wrong."


def judge(
    session: Session,
    answer_id: str,
    owner_id: str,
    verdict: Verdict,
    correction: str | None,
    *,
    readable: Readable = None,
) -> Feedback:
    """The last word of an asker counts: it takes the place of what the same asker said of this answer before.

    A thumbs-down takes an unverified memory out of service until a curator has looked; a verified one stays, and comes
    up for review. Raises NotFound for an answer that is not the asker's, or rests on what the asker may no longer read.
    """
    answer = session.get(Answer, answer_id)
    if answer is None or answer.owner_id != owner_id or hidden(session, _cited(answer), readable):
        raise NotFound("There is no such answer.")
    session.execute(sa.delete(Feedback).where(Feedback.answer_id == answer_id, Feedback.owner_id == owner_id))
    row = Feedback(answer_id=answer_id, owner_id=owner_id, verdict=verdict, correction=correction)
    session.add(row)
    session.flush()
    if verdict == Verdict.DOWN and answer.memory_id is not None:
        _doubt(session, answer.memory_id)
    _suggest(session, answer, correction)
    return row


def _cited(answer: Answer) -> set[str]:
    return {c["document_id"] for c in answer.citations}


def _doubt(session: Session, memory_id: int) -> None:
    memory = session.get(Memory, memory_id)
    if memory is None or memory.status != MemoryStatus.LIVE:
        return
    if memory.verified_by is None:
        hold(session, [memory_id], _WRONG)
    else:
        history.put_up(session, [memory_id], f"{_WRONG} It was verified by {memory.verified_by}, and stays in service.")


def _suggest(session: Session, answer: Answer, correction: str | None) -> None:
    """An asker has one open correction of an answer: the last one; none where it was taken back."""
    mine = sa.and_(Suggestion.kind == SuggestionKind.CORRECTION, Suggestion.status == SuggestionStatus.OPEN)
    session.execute(sa.delete(Suggestion).where(mine, Suggestion.answer_id == answer.id))
    if correction is None:
        return
    scope = session.scalar(sa.select(LedgerEntry.scope).where(LedgerEntry.answer_id == answer.id))
    session.add(
        Suggestion(
            kind=SuggestionKind.CORRECTION,
            question=answer.standalone_question,
            question_key=question_key(answer.standalone_question),
            answer=correction,
            answer_id=answer.id,
            scope=scope or "",
            memory_id=answer.memory_id,
            last_asked_at=now(),
        )
    )
    session.flush()


def dismiss(session: Session, memory_id: int) -> None:
    """A curator found the answer right: what readers said against it no longer counts."""
    answers = sa.select(Answer.id).where(Answer.memory_id == memory_id)
    session.execute(
        sa.update(Feedback)
        .where(Feedback.answer_id.in_(answers), Feedback.verdict == Verdict.DOWN)
        .values(dismissed=True)
    )
