"""Taking questions and answers out: the texts go, the ledger keeps their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.app.summary import settle
from zuinig.core.db import in_parts
from zuinig.core.tables import Answer, Conversation, Feedback, Suggestion
from zuinig.core.types import SuggestionKind


@dataclass(frozen=True, slots=True)
class Removed:
    """feedback: verdicts with their corrections. suggestions: corrections of readers that waited or were decided."""

    conversations: int = 0
    questions: int = 0
    feedback: int = 0
    suggestions: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(
            self.conversations + other.conversations,
            self.questions + other.questions,
            self.feedback + other.feedback,
            self.suggestions + other.suggestions,
        )


def remove_answers(session: Session, ids: Sequence[str]) -> Removed:
    """With what readers said of them, and conversations that are empty then. How they were judged stays counted."""
    done = Removed()
    for part in in_parts(ids):
        done += _remove(session, part)
    return done


def _remove(session: Session, ids: Sequence[str]) -> Removed:
    settle(session, ids)
    within = set(session.scalars(sa.select(Answer.conversation_id).where(Answer.id.in_(ids))))
    said = count(session, sa.delete(Feedback).where(Feedback.answer_id.in_(ids)))
    corrections = sa.delete(Suggestion).where(
        Suggestion.kind == SuggestionKind.CORRECTION, Suggestion.answer_id.in_(ids)
    )
    suggested = count(session, corrections)
    asked = count(session, sa.delete(Answer).where(Answer.id.in_(ids)))
    goes_on = sa.select(Answer.id).where(Answer.conversation_id == Conversation.id).exists()
    empty = count(session, sa.delete(Conversation).where(Conversation.id.in_(sorted(within)), ~goes_on))
    return Removed(empty, asked, said, suggested)


def count(session: Session, change: sa.Delete | sa.Update) -> int:
    """Make the change, and say how many rows it changed. What the session holds of them is not brought up to date."""
    done = session.execute(change, execution_options={"synchronize_session": False})
    return int(done.rowcount)  # type: ignore[attr-defined]
