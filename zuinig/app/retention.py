"""What is kept for so many days only: conversations, the texts of questions and answers, and documents.

The ledger keeps its numbers for ever, memories stay as long as their evidence does, and the audit log stays as it is.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.app.audit import THE_SERVICE, Audit
from zuinig.app.forget import blank
from zuinig.app.removal import Removed, remove_answers
from zuinig.core.db import Database
from zuinig.core.errors import NotFound
from zuinig.core.settings import Settings
from zuinig.core.tables import Answer, Conversation, Document, Feedback, Suggestion, first_id, now
from zuinig.core.types import Principal, SuggestionKind, SuggestionStatus
from zuinig.ingestion.upload import Uploads

_ANSWERS, _DOCUMENTS = 500, 100
# In one run: the first, over years of questions, takes some, and keeps no other writer waiting for long.
_MOST_BATCHES = 200


@dataclass(frozen=True, slots=True)
class Expired:
    """removed.suggestions: those that repeat what was asked before, open or decided."""

    removed: Removed
    documents: int

    def __str__(self) -> str:
        counts = {**asdict(self.removed), "documents": self.documents}
        return ", ".join(f"{name} {n}" for name, n in counts.items() if n) or "nothing"


class Retention:
    def __init__(self, db: Database, uploads: Uploads, audit: Audit, settings: Settings) -> None:
        self._db, self._uploads, self._audit = db, uploads, audit
        self._conversations_days = settings.keep_conversations_days
        self._text_days = settings.keep_ledger_text_days
        self._uploads_days = settings.keep_uploads_days

    @property
    def wanted(self) -> bool:
        """Whether there is anything that is not kept for ever."""
        return bool(self._conversations_days or self._text_days or self._uploads_days)

    def run(self, *, by: Principal | str = THE_SERVICE) -> Expired:
        """In small transactions, each of them whole; what is left over goes the next time."""
        removed = Removed()
        for _ in range(_MOST_BATCHES):
            with self._db.write() as session:
                ids = session.scalars(sa.select(Answer.id).where(self._due()).order_by(Answer.id).limit(_ANSWERS)).all()
                removed += remove_answers(session, ids)
            if not ids:
                break
        with self._db.write() as session:
            removed += Removed(suggestions=self._drop_suggestions(session))
        done = Expired(removed, self._delete_documents(by))
        if done != Expired(Removed(), 0):
            self._audit.record(by, "retention", detail=str(done))
        return done

    def dry_run(self) -> Expired:
        """What `run` would remove, were it to come to its end."""
        due = self._due()
        answers = sa.select(Answer.id).where(due)
        of_it = Answer.conversation_id == Conversation.id
        ends = sa.select(Answer.id).where(of_it, due).exists() & ~sa.select(Answer.id).where(of_it, ~due).exists()
        correction = (Suggestion.kind == SuggestionKind.CORRECTION) & Suggestion.answer_id.in_(answers)
        with self._db.read() as session:
            removed = Removed(
                conversations=_count(session, Conversation, ends),
                questions=_count(session, Answer, due),
                feedback=_count(session, Feedback, Feedback.answer_id.in_(answers)),
                suggestions=_count(session, Suggestion, correction | self._old_suggestions()),
            )
            return Expired(removed, _count(session, Document, self._old_documents()))

    # What is due

    def _due(self) -> sa.ColumnElement[bool]:
        """Of answers. By their ids, which sort by time and have an index, as their dates do not."""
        which: list[sa.ColumnElement[bool]] = []
        if self._text_days:
            which.append(Answer.id < _first("ans", self._text_days))
        if self._conversations_days:
            later = sa.select(Answer.id).where(
                Answer.conversation_id == Conversation.id, Answer.id >= _first("ans", self._conversations_days)
            )
            idle = sa.select(Conversation.id).where(
                Conversation.id < _first("conv", self._conversations_days),
                ~later.correlate(Conversation).exists(),
            )
            which.append(Answer.conversation_id.in_(idle))
        return sa.or_(sa.false(), *which)

    def _old_suggestions(self) -> sa.ColumnElement[bool]:
        """Last asked so long ago, and with their words still in them."""
        asked = [days for days in (self._conversations_days, self._text_days) if days]
        if not asked:
            return sa.false()
        return (Suggestion.last_asked_at < now() - timedelta(days=min(asked))) & (Suggestion.question != "")

    def _old_documents(self) -> sa.ColumnElement[bool]:
        if not self._uploads_days:
            return sa.false()
        return sa.func.coalesce(Document.sent_at, Document.updated_at) < now() - timedelta(days=self._uploads_days)

    # Removing it

    def _drop_suggestions(self, session: Session) -> int:
        """Decided ones keep the hash of the question, so that they do not come back."""
        found = session.scalars(sa.select(Suggestion).where(self._old_suggestions())).all()
        for suggestion in found:
            if suggestion.status == SuggestionStatus.OPEN:
                session.delete(suggestion)
            else:
                blank(suggestion)
        return len(found)

    def _delete_documents(self, by: Principal | str) -> int:
        deleted = 0
        for _ in range(_MOST_BATCHES):
            with self._db.read() as session:
                ids = session.scalars(sa.select(Document.id).where(self._old_documents()).limit(_DOCUMENTS)).all()
            for document_id in ids:
                # Somebody else may have deleted it meanwhile.
                with suppress(NotFound):
                    self._uploads.delete(document_id)
                    self._audit.record(by, "delete_document", document_id, "retention")
                    deleted += 1
            if not ids:
                break
        return deleted


def _first(prefix: str, days: int) -> str:
    return first_id(prefix, now() - timedelta(days=days))


def _count(session: Session, table: type, which: sa.ColumnElement[bool]) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(table).where(which)) or 0
