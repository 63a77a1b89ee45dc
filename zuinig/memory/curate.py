"""Memories that people put in: import, listing, editing, and taking out of service."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import Database
from zuinig.core.errors import NotFound
from zuinig.core.tables import Evidence, Memory, now
from zuinig.core.types import MemoryStatus, ProgressReport
from zuinig.memory.freshness import take_out
from zuinig.memory.questions import question_key
from zuinig.retrieval.embed import Embedder
from zuinig.retrieval.index import changed

_BATCH = 512


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its answer as people wrote them. scope: see `memory.recall.scope_key`."""

    question: str
    answer: str
    external_id: str | None = None
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    added: int
    updated: int
    unchanged: int


class Curate:
    def __init__(self, db: Database, embedder: Embedder) -> None:
        self._db, self._embedder = db, embedder

    def import_pairs(
        self, pairs: Sequence[Pair], *, created_by: str, progress: ProgressReport | None = None, origin: str = "import"
    ) -> Imported:
        """Batches of 512, each its own transaction: an import that is cut off is repeated, not undone.

        The same external id, or without one the same question in the same scope, updates what is there.
        """
        added = updated = unchanged = done = 0
        for batch in _batches(pairs, _BATCH):
            vectors = self._embedder.embed([p.question for p in batch])
            with self._db.write() as session:
                present = _present(session, batch)
                fresh: list[Memory] = []
                touched: list[int] = []
                for pair, vector in zip(batch, vectors, strict=True):
                    memory = present.get(_identity(pair))
                    if memory is None:
                        memory = Memory(origin=origin, confidence=1.0, created_by=created_by, scope=pair.scope)
                        present[_identity(pair)] = memory
                        fresh.append(memory)
                        session.add(memory)
                        added += 1
                    elif (memory.question, memory.answer, memory.status) == (
                        pair.question,
                        pair.answer,
                        MemoryStatus.LIVE,
                    ):
                        unchanged += 1
                        continue
                    else:
                        touched.append(memory.id)
                        updated += 1
                    _fill(memory, pair, vector.tobytes(), self._embedder.id, created_by)
                session.flush()
                changed(session, "memories", [i for i in touched if i is not None], added=True)
                changed(session, "memories", [m.id for m in fresh], added=True)
            done += len(batch)
            if progress is not None:
                progress(done, len(pairs))
        return Imported(added, updated, unchanged)

    def edit(self, memory_id: int, *, question: str | None, answer: str | None, by: str) -> None:
        """A person's words take the place of the memory's: it rests on that person from now on. Raises NotFound."""
        with self._db.read() as session:
            current = get(session, memory_id).question
        vector = self._embedder.embed([question or current])[0].tobytes()
        with self._db.write() as session:
            memory = get(session, memory_id)
            pair = Pair(question or memory.question, answer or memory.answer, memory.external_id)
            if answer is not None and answer != memory.answer:
                session.execute(sa.delete(Evidence).where(Evidence.memory_id == memory_id))
                memory.citations, memory.origin = [], "human"
            _fill(memory, pair, vector, self._embedder.id, by)
            changed(session, "memories", [memory_id], added=True)

    def set_status(self, memory_id: int, status: MemoryStatus, *, by: str) -> None:
        """Take it out of service, or put it back. Raises NotFound."""
        with self._db.write() as session:
            memory = get(session, memory_id)
            if status == MemoryStatus.LIVE:
                memory.status, memory.status_reason, memory.updated_at = MemoryStatus.LIVE, None, now()
                changed(session, "memories", [memory_id], added=True)
            else:
                take_out(session, [memory_id], status, f"Taken out of service by {by}.")

    def delete(self, memory_id: int) -> None:
        """Raises NotFound."""
        with self._db.write() as session:
            get(session, memory_id)
            session.execute(sa.delete(Memory).where(Memory.id == memory_id))
            changed(session, "memories", [memory_id], added=False)


def _fill(memory: Memory, pair: Pair, vector: bytes, embedder: str, by: str) -> None:
    memory.question, memory.answer = pair.question, pair.answer
    memory.question_key = question_key(pair.question)
    memory.external_id = pair.external_id if pair.external_id is not None else memory.external_id
    memory.vector, memory.embedder = vector, embedder
    memory.status, memory.status_reason = MemoryStatus.LIVE, None
    memory.verified_by, memory.updated_at = by, now()


def _identity(pair: Pair) -> tuple[str, str]:
    """What makes two lines of an import one memory: within a scope, the id they bear, else the question."""
    name = f"id:{pair.external_id}" if pair.external_id is not None else f"key:{question_key(pair.question)}"
    return pair.scope, name


def _present(session: Session, batch: Sequence[Pair]) -> dict[tuple[str, str], Memory]:
    ids = [p.external_id for p in batch if p.external_id is not None]
    keys = [question_key(p.question) for p in batch if p.external_id is None]
    people = Memory.origin.in_(("import", "human"))
    found: dict[tuple[str, str], Memory] = {}
    for memory in session.scalars(sa.select(Memory).where(people, Memory.external_id.in_(ids))):
        found[memory.scope, f"id:{memory.external_id}"] = memory
    for memory in session.scalars(sa.select(Memory).where(people, Memory.question_key.in_(keys))):
        found[memory.scope, f"key:{memory.question_key}"] = memory
    return found


def get(session: Session, memory_id: int) -> Memory:
    """Raises NotFound."""
    memory = session.get(Memory, memory_id)
    if memory is None:
        raise NotFound("There is no such memory; it may have been deleted.")
    return memory


def written(session: Session) -> Iterator[Memory]:
    """The memories in service that people wrote, oldest first; for export."""
    live = sa.select(Memory).where(Memory.status == MemoryStatus.LIVE, Memory.origin.in_(("import", "human")))
    yield from session.scalars(live.order_by(Memory.id).execution_options(yield_per=1000))


def _batches(pairs: Iterable[Pair], size: int) -> Iterator[list[Pair]]:
    iterator = iter(pairs)
    while batch := list(islice(iterator, size)):
        yield batch
