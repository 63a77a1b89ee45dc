"""Forgetting a person: questions, conversations, feedback, keys and sessions go, and the name wherever it stands.

What stays is what belongs to others too: the numbers of the ledger, documents, and memories that people stand for, all
of them without the name. The audit log stays as it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from zuinig.app import personal
from zuinig.app.audit import Audit
from zuinig.app.personal import Owner
from zuinig.app.removal import Removed, count, remove_answers
from zuinig.core.db import Database, in_parts
from zuinig.core.tables import (
    Answer,
    ApiKey,
    AuditEvent,
    Budget,
    Conversation,
    Document,
    LedgerEntry,
    Memory,
    MemoryEvent,
    PortalSession,
    Suggestion,
    User,
    Wording,
)
from zuinig.core.types import Principal, SuggestionKind, SuggestionStatus
from zuinig.memory import curate
from zuinig.memory.calibrate import Calibration
from zuinig.memory.candidates import PEOPLE
from zuinig.memory.questions import question_key

# In place of a name that must not be empty: what was verified stays verified.
SOMEBODY = "somebody"

_NAMED = (Memory.created_by, Wording.created_by, MemoryEvent.by, Budget.created_by)
_DECIDED = (Memory.verified_by, Suggestion.decided_by)
# Sentences of the service itself that name who did it.
_NOTES = (Memory.status_reason, Memory.review_reason, MemoryEvent.detail)
_SENTENCES = (" by {}.", " by {},", "{} asked for a review by now.")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed, and of what stays what the name was taken from.

    memories: learnt from that person's questions, and confirmed by nobody. budgets: of the person's keys and, with the
    account, of the person.
    """

    conversations: int
    questions: int
    feedback: int
    suggestions: int
    memories: int
    keys: int
    sessions: int
    budgets: int
    account: bool
    kept_memories: int
    kept_documents: int
    kept_ledger_entries: int
    kept_audit_events: int


class _DryRun(Exception):
    """Undoes the transaction."""


class Forget:
    def __init__(self, db: Database, audit: Audit, calibration: Calibration) -> None:
        self._db, self._audit, self._calibration = db, audit, calibration

    def run(self, who: str, *, by: Principal | str, account: bool = False, dry_run: bool = False) -> Forgotten:
        """In one transaction. who: see `personal.find`. account: the user too, who can sign in no more.

        dry_run: what would be done, by doing it and undoing it. Raises NotFound.
        """
        done: Forgotten | None = None
        try:
            with self._db.write() as session:
                owner = personal.find(session, who)
                done = _forget(session, owner, account=account)
                told = ", ".join(f"{name} {n}" for name, n in asdict(done).items() if n and not name.startswith("kept"))
                self._audit.add(session, by, "forget", owner.user_id or owner.accounts[0], told or "nothing")
                if dry_run:
                    raise _DryRun
        except _DryRun:
            assert done is not None
            return done
        self._calibration.forget()
        return done


def _forget(session: Session, owner: Owner, *, account: bool) -> Forgotten:
    answers = _answers(session, owner)
    memories, kept_memories = _memories(session, owner)
    suggestions = _suggestions(session, {text for a in answers for text in (a.question, a.standalone_question)})
    removed = remove_answers(session, [a.id for a in answers])
    removed += Removed(suggestions=suggestions)
    mine = sa.or_(LedgerEntry.key_id.in_(owner.ids), LedgerEntry.user.in_(owner.accounts))
    entries = count(session, sa.update(LedgerEntry).where(mine).values(user=None, key_id=""))
    uploaded = sa.update(Document).where(Document.uploaded_by.in_(owner.ids))
    documents = count(session, uploaded.values(uploaded_by=None))
    _take_out_name(session, owner.names)
    keys, sessions, budgets = _access(session, owner, account=account)
    known = sa.select(sa.func.count()).select_from(AuditEvent).where(AuditEvent.actor_id.in_(owner.ids))
    return Forgotten(
        **asdict(removed),
        memories=memories,
        keys=keys,
        sessions=sessions,
        budgets=budgets,
        account=account and owner.user_id is not None,
        kept_memories=kept_memories,
        kept_documents=documents,
        kept_ledger_entries=entries,
        kept_audit_events=session.scalar(known) or 0,
    )


def _answers(session: Session, owner: Owner) -> Sequence[sa.Row[str, str, str]]:
    """Conversations have an index by owner, answers have none."""
    return session.execute(
        sa.select(Answer.id, Answer.question, Answer.standalone_question)
        .join(Conversation, Conversation.id == Answer.conversation_id)
        .where(Conversation.owner_id.in_(owner.ids))
    ).all()


def _memories(session: Session, owner: Owner) -> tuple[int, int]:
    """How many go and how many stay, of those learnt from this person's questions.

    Those stay that a curator verified, or that answered somebody else's question too.
    """
    made = sa.select(Memory.id, Memory.verified_by).where(
        Memory.created_by.in_(owner.ids), Memory.origin.not_in(PEOPLE)
    )
    found = session.execute(made).all()
    confirmed = {m.id for m in found if m.verified_by is not None}
    for part in in_parts([m.id for m in found if m.verified_by is None]):
        others = sa.select(Answer.memory_id).where(Answer.memory_id.in_(part), Answer.owner_id.not_in(owner.ids))
        confirmed.update(i for i in session.scalars(others.distinct()) if i is not None)
    gone = [m.id for m in found if m.id not in confirmed]
    curate.remove(session, gone)
    for kept in in_parts(sorted(confirmed)):
        session.execute(sa.update(Memory).where(Memory.id.in_(kept)).values(created_by=None))
        # A curator chose other words since.
        first_words = MemoryEvent.memory_id.in_(kept), MemoryEvent.detail.startswith("The question was: ")
        session.execute(sa.update(MemoryEvent).where(*first_words).values(detail=None))
    return len(gone), len(confirmed)


def _suggestions(session: Session, words: Iterable[str]) -> int:
    """How many are gone of those that repeat these words.

    Open ones are gathered anew of what others asked. Decided ones keep the hash of the question, so that they do not
    come back, and lose the words.
    """
    keys = {question_key(text) for text in words}
    gone = 0
    # Corrections go with the answers that they correct.
    gathered = sa.select(Suggestion).where(Suggestion.kind != SuggestionKind.CORRECTION).order_by(Suggestion.id)
    for found in session.scalars(gathered).all():
        if keys.isdisjoint({found.question_key, *map(question_key, (found.question, *found.wordings))}):
            continue
        gone += 1
        if found.status == SuggestionStatus.OPEN:
            session.delete(found)
        else:
            blank(found)
    session.flush()
    return gone


def blank(suggestion: Suggestion) -> None:
    """One that was decided: without its words."""
    suggestion.question, suggestion.answer, suggestion.wordings, suggestion.citations = "", "", [], []


def _take_out_name(session: Session, names: Sequence[str]) -> None:
    for columns, instead in ((_NAMED, None), (_DECIDED, SOMEBODY)):
        for column in columns:
            count(session, sa.update(column.class_).where(column.in_(names)).values({column.key: instead}))
    for note in _NOTES:
        for sentence in _SENTENCES:
            for name in names:
                _say_somebody(session, note, sentence.format(name), sentence.format(SOMEBODY))


def _say_somebody(session: Session, note: InstrumentedAttribute[str | None], named: str, unnamed: str) -> None:
    found = sa.update(note.class_).where(sa.func.instr(note, named) > 0)
    count(session, found.values({note.key: sa.func.replace(note, named, unnamed)}))


def _access(session: Session, owner: Owner, *, account: bool) -> tuple[int, int, int]:
    """How many keys, sessions and budgets are gone."""
    opened = sa.or_(PortalSession.user_id.in_(owner.ids), PortalSession.key_id.in_(owner.ids))
    sessions = count(session, sa.delete(PortalSession).where(opened))
    budgets = count(session, sa.delete(Budget).where(Budget.subject == "key", Budget.name.in_(owner.key_ids)))
    if account or owner.user_id is None:
        named = Budget.subject == "user", Budget.name.in_(owner.accounts)
        budgets += count(session, sa.delete(Budget).where(*named))
    keys = count(session, sa.delete(ApiKey).where(ApiKey.id.in_(owner.key_ids)))
    if account and owner.user_id is not None:
        count(session, sa.delete(User).where(User.id == owner.user_id))
    return keys, sessions, budgets
