"""What curators do to memories: write, edit, approve, reject, merge, retire, and say how else a question is asked.

All of it is noted in the memory's history, with who and when. Curators may read everything.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import Database, in_parts
from zuinig.core.errors import BadRequest, Conflict, NotFound
from zuinig.core.tables import Evidence, Memory, Shelf, Wording, now
from zuinig.core.types import MemoryStatus, Reach
from zuinig.memory import history
from zuinig.memory.candidates import PEOPLE, visible
from zuinig.memory.feedback import dismiss
from zuinig.memory.freshness import outdated, take_out
from zuinig.memory.questions import question_key
from zuinig.retrieval.embed import Embedder, Vectors
from zuinig.retrieval.index import changed

MOST_WORDINGS = 200
Readable = frozenset[int] | None


class Curate:
    def __init__(self, db: Database, embedder: Embedder) -> None:
        self._db, self._embedder = db, embedder

    def write(self, question: str, answer: str, *, scope: str, by: str) -> int:
        """A person's own memory; one to the very same question in the same scope gets the new answer."""
        vector = self._embedder.embed([question])
        with self._db.write() as session:
            memory = session.scalar(
                sa.select(Memory).where(
                    Memory.question_key == question_key(question),
                    Memory.scope == scope,
                    Memory.origin.in_(PEOPLE),
                    Memory.external_id.is_(None),
                )
            )
            if memory is None:
                memory = Memory(origin="human", confidence=1.0, created_by=by, scope=scope)
                session.add(memory)
            elif memory.answer != answer:
                history.note(session, [memory.id], "edit", by=by, detail=f"The answer was: {memory.answer}")
            fill(memory, question, answer, vector, self._embedder.id, by)
            session.flush()
            changed(session, "memories", [memory.id], added=True)
            return memory.id

    def edit(self, memory_id: int, *, question: str | None, answer: str | None, by: str) -> None:
        """A person's words take the place of the memory's: it rests on that person from now on. Raises NotFound."""
        with self._db.read() as session:
            current = get(session, memory_id).question
        vector = self._embedder.embed([question or current])
        with self._db.write() as session:
            memory = get(session, memory_id)
            was = [f"The question was: {memory.question}"] if question not in (None, memory.question) else []
            if answer is not None and answer != memory.answer:
                was.append(f"The answer was: {memory.answer}")
                session.execute(sa.delete(Evidence).where(Evidence.memory_id == memory_id))
                if memory.origin not in PEOPLE:
                    memory.scope = scope_of_readers(session, memory.scope)
                memory.citations, memory.origin = [], "human"
                dismiss(session, memory_id)  # it was said of the answer that is gone
            history.note(session, [memory_id], "edit", by=by, detail="\n".join(was) or None)
            fill(memory, question or memory.question, answer or memory.answer, vector, self._embedder.id, by)
            changed(session, "memories", [memory_id], added=True)

    def approve(self, memory_id: int, *, by: str) -> None:
        """In service from now on, as verified by this person; what readers said against it before is dismissed.

        Raises NotFound, Conflict where the documents no longer say what it rests on.
        """
        with self._db.write() as session:
            memory = get(session, memory_id)
            if outdated(session, [memory_id]):
                raise Conflict(
                    "The documents this answer rests on have changed; edit the answer, or ask the question anew.",
                    code="outdated",
                )
            memory.status, memory.status_reason, memory.verified_by = MemoryStatus.LIVE, None, by
            memory.review_at = memory.review_reason = None
            memory.updated_at = now()
            dismiss(session, memory_id)
            history.note(session, [memory_id], "approve", by=by)
            changed(session, "memories", [memory_id], added=True)

    def reject(self, memory_id: int, *, by: str, reason: str | None = None) -> None:
        """Out of service, and the same answer is not learnt again. Raises NotFound."""
        with self._db.write() as session:
            memory = get(session, memory_id)
            take_out(session, [memory_id], MemoryStatus.REJECTED, reason or f"Found wrong by {by}.", by=by)
            session.refresh(memory)
            memory.verified_by = memory.review_at = memory.review_reason = None

    def merge(self, memory_id: int, *, into: int, by: str) -> None:
        """Its question and wordings become wordings of the other, and it is retired. Raises NotFound, BadRequest."""
        if memory_id == into:
            raise BadRequest("A memory cannot be merged into itself.", param="into")
        with self._db.write() as session:
            memory, other = get(session, memory_id), get(session, into)
            moved = session.scalars(sa.select(Wording.id).where(Wording.memory_id == memory_id)).all()
            session.execute(sa.update(Wording).where(Wording.id.in_(moved)).values(memory_id=into))
            vector = session.scalar(sa.select(Memory.vector).where(Memory.id == memory_id))
            if memory.question_key != other.question_key and vector is not None:
                self._add_wording(session, other, memory.question, vector, memory.embedder, differs=False, by=by)
            other.hits += memory.hits
            memory.review_at = memory.review_reason = None
            session.flush()
            take_out(session, [memory_id], MemoryStatus.RETIRED, f"Merged into mem_{into} by {by}.", by=by)
            history.note(session, [into], "merge", by=by, detail=f"mem_{memory_id}: {memory.question}")

    def add_wording(self, memory_id: int, question: str, *, differs: bool, by: str) -> int:
        """Another way to ask for it, or by `differs` a question that is not it. Raises NotFound, BadRequest."""
        vector = self._embedder.embed([question])[0].tobytes()
        with self._db.write() as session:
            memory = get(session, memory_id)
            if differs and question_key(question) == memory.question_key:
                raise BadRequest(
                    "These are the memory's own words; edit or retire the memory instead.", param="question"
                )
            found = self._add_wording(session, memory, question, vector, self._embedder.id, differs=differs, by=by)
            history.note(session, [memory_id], "differs" if differs else "wording", by=by, detail=question)
            return found

    def remove_wording(self, memory_id: int, wording_id: int, *, by: str) -> None:
        """Raises NotFound."""
        with self._db.write() as session:
            get(session, memory_id)
            wording = session.get(Wording, wording_id)
            if wording is None or wording.memory_id != memory_id:
                raise NotFound("There is no such wording; it may have been removed.")
            history.note(session, [memory_id], "unwording", by=by, detail=wording.question)
            session.delete(wording)
            changed(session, "wordings", [wording_id], added=False)

    def schedule(
        self,
        memory_id: int,
        *,
        by: str,
        expires_at: datetime | None,
        review_at: datetime | None,
    ) -> None:
        """When it stops being served, and when somebody should look at it; None for never. Raises NotFound."""
        with self._db.write() as session:
            memory = get(session, memory_id)
            if review_at != memory.review_at:
                memory.review_reason = f"{by} asked for a review by now." if review_at is not None else None
            memory.expires_at, memory.review_at = expires_at, review_at
            shown = [f"{name} {at:%Y-%m-%d}" for name, at in (("expires", expires_at), ("review", review_at)) if at]
            history.note(session, [memory_id], "schedule", by=by, detail=", ".join(shown) or None)

    def set_status(self, memory_id: int, status: MemoryStatus, *, by: str) -> None:
        """Take it out of service, or put it back. Raises NotFound."""
        with self._db.write() as session:
            memory = get(session, memory_id)
            if status == MemoryStatus.LIVE:
                memory.status, memory.status_reason, memory.updated_at = MemoryStatus.LIVE, None, now()
                history.note(session, [memory_id], "live", by=by)
                changed(session, "memories", [memory_id], added=True)
            else:
                memory.review_at = memory.review_reason = None
                session.flush()
                take_out(session, [memory_id], status, f"Taken out of service by {by}.", by=by)

    def delete(self, memory_id: int) -> None:
        """With its wordings and its history. Raises NotFound."""
        with self._db.write() as session:
            get(session, memory_id)
            remove(session, [memory_id])

    def _add_wording(
        self, session: Session, memory: Memory, question: str, vector: bytes, embedder: str, *, differs: bool, by: str
    ) -> int:
        """The same words are kept once: what was said of them last counts."""
        key = question_key(question)
        mine = sa.select(Wording).where(Wording.memory_id == memory.id)
        wording = session.scalar(mine.where(Wording.question_key == key))
        if wording is None:
            if (session.scalar(sa.select(sa.func.count()).select_from(mine.subquery())) or 0) >= MOST_WORDINGS:
                raise Conflict(f"A memory has at most {MOST_WORDINGS} wordings; remove one first.", code="too_many")
            wording = Wording(memory_id=memory.id, question_key=key)
            session.add(wording)
        wording.question, wording.differs, wording.created_by = question, differs, by
        wording.vector, wording.embedder = vector, embedder
        session.flush()
        changed(session, "wordings", [wording.id], added=not differs)
        return wording.id


def scope_of_readers(session: Session, scope: str) -> str:
    """For what a person writes in place of a rung's answer: of everything it was made of everything, which of a
    person's words would mean that everybody may have them. Whoever may not read it all may not have it.
    """
    return scope or Reach(tuple(session.scalars(sa.select(Shelf.id)))).scope


def fill(memory: Memory, question: str, answer: str, vector: Vectors, embedder: str, by: str) -> None:
    """A person's words, in service and verified by that person. vector: (1, d) or (d,)."""
    memory.question, memory.answer = question, answer
    memory.question_key = question_key(question)
    memory.vector, memory.embedder = vector.tobytes(), embedder
    memory.status, memory.status_reason = MemoryStatus.LIVE, None
    memory.review_at = memory.review_reason = None
    memory.verified_by, memory.updated_at = by, now()


def remove(session: Session, ids: Sequence[int]) -> None:
    """With their wordings and their history, and out of the indexes."""
    for part in in_parts(ids):
        wordings = session.scalars(sa.select(Wording.id).where(Wording.memory_id.in_(part))).all()
        session.execute(sa.delete(Memory).where(Memory.id.in_(part)))
        changed(session, "memories", part, added=False)
        changed(session, "wordings", wordings, added=False)


def get(session: Session, memory_id: int, readable: Readable = None) -> Memory:
    """Raises NotFound, also for what the reader may not see."""
    memory = session.scalar(sa.select(Memory).where(Memory.id == memory_id, visible(readable)))
    if memory is None:
        raise NotFound("There is no such memory; it may have been deleted.")
    return memory


def listed(
    *,
    readable: Readable = None,
    status: MemoryStatus | None = None,
    origin: str | None = None,
    verified: bool | None = None,
    review: bool = False,
    query: str | None = None,
) -> sa.Select[Memory]:
    """Newest first. review: only what waits for a curator. query: part of a question or an answer."""
    wanted = sa.select(Memory).where(visible(readable)).order_by(Memory.id.desc())
    if status is not None:
        wanted = wanted.where(Memory.status == status)
    if origin is not None:
        wanted = wanted.where(Memory.origin == origin)
    if verified is not None:
        wanted = wanted.where(Memory.verified_by.is_not(None) if verified else Memory.verified_by.is_(None))
    if review:
        wanted = wanted.where(sa.or_(Memory.review_at <= now(), Memory.status == MemoryStatus.HELD))
    if query:
        found = (column.contains(query, autoescape=True) for column in (Memory.question, Memory.answer))
        wanted = wanted.where(sa.or_(*found))
    return wanted


def wordings(session: Session, memory_id: int) -> Sequence[Wording]:
    """Oldest first, those that differ among them."""
    return session.scalars(sa.select(Wording).where(Wording.memory_id == memory_id).order_by(Wording.id)).all()


def written(session: Session) -> Iterator[Memory]:
    """The memories in service that people wrote, oldest first; for export."""
    live = sa.select(Memory).where(Memory.status == MemoryStatus.LIVE, Memory.origin.in_(PEOPLE))
    yield from session.scalars(live.order_by(Memory.id).execution_options(yield_per=1000))
