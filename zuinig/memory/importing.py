"""Question-answer pairs that people bring: what an import would do, and doing it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import Database
from zuinig.core.tables import Memory
from zuinig.core.types import MemoryStatus, ProgressReport
from zuinig.memory import history
from zuinig.memory.candidates import PEOPLE
from zuinig.memory.curate import fill
from zuinig.memory.questions import question_key
from zuinig.retrieval.embed import Embedder
from zuinig.retrieval.index import changed

_BATCH = 512


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its answer as people wrote them. scope: see `Reach.scope`."""

    question: str
    answer: str
    external_id: str | None = None
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    added: int
    updated: int
    unchanged: int

    def __add__(self, other: "Imported") -> "Imported":
        return Imported(self.added + other.added, self.updated + other.updated, self.unchanged + other.unchanged)


@dataclass(frozen=True, slots=True)
class Clash:
    """Why somebody should look at a line before it is imported. line: from 1, of the pairs. memory_id: what is there.

    answer: another answer to the same question stands there, and would be replaced. twice: an earlier line of the
    import says the same id or question. revived: it was taken out of service, and would be back.
    """

    line: int
    kind: Literal["answer", "twice", "revived"]
    question: str
    answer: str
    memory_id: int | None
    present_answer: str | None


class Importing:
    def __init__(self, db: Database, embedder: Embedder) -> None:
        self._db, self._embedder = db, embedder

    def run(self, pairs: Sequence[Pair], *, by: str, progress: ProgressReport | None = None) -> Imported:
        """Batches of 512, each its own transaction: an import that is cut off is repeated, not undone.

        The same external id, or without one the same question in the same scope, updates what is there.
        """
        total, done = Imported(0, 0, 0), 0
        for batch in _batches(pairs, _BATCH):
            total += self._batch(batch, by)
            done += len(batch)
            if progress is not None:
                progress(done, len(pairs))
        return total

    def _batch(self, batch: Sequence[Pair], by: str) -> Imported:
        vectors = self._embedder.embed([p.question for p in batch])
        unchanged = 0
        with self._db.write() as session:
            present = _present(session, batch)
            fresh: list[Memory] = []
            touched: list[Memory] = []
            for pair, vector in zip(batch, vectors, strict=True):
                memory = present.get(_identity(pair))
                if memory is None:
                    memory = Memory(origin="import", confidence=1.0, created_by=by, scope=pair.scope)
                    present[_identity(pair)] = memory
                    fresh.append(memory)
                    session.add(memory)
                elif _is(memory, pair):
                    unchanged += 1
                    continue
                else:
                    touched.append(memory)
                memory.external_id = pair.external_id if pair.external_id is not None else memory.external_id
                fill(memory, pair.question, pair.answer, vector, self._embedder.id, by)
            session.flush()
            known = [m.id for m in touched if m not in fresh]
            history.note(session, list(dict.fromkeys(known)), "import", by=by)
            changed(session, "memories", list(dict.fromkeys(m.id for m in [*fresh, *touched])), added=True)
        return Imported(len(fresh), len(touched), unchanged)

    def dry_run(self, pairs: Sequence[Pair]) -> tuple[Imported, list[Clash]]:
        """What `run` would do, and what somebody should look at before. Nothing is written."""
        added = updated = unchanged = 0
        clashes: list[Clash] = []
        first: dict[tuple[str, str], Pair] = {}
        line = 0
        with self._db.read() as session:
            for batch in _batches(pairs, _BATCH):
                present = _present(session, batch)
                for pair in batch:
                    line += 1
                    identity = _identity(pair)
                    memory, earlier = present.get(identity), first.setdefault(identity, pair)
                    if earlier is not pair:
                        clashes.append(Clash(line, "twice", pair.question, pair.answer, None, earlier.answer))
                        updated, unchanged = updated + (earlier != pair), unchanged + (earlier == pair)
                    elif memory is None:
                        added += 1
                    elif _is(memory, pair):
                        unchanged += 1
                    else:
                        updated += 1
                        if memory.status != MemoryStatus.LIVE:
                            clashes.append(_clash(line, "revived", pair, memory))
                        elif memory.answer != pair.answer:
                            clashes.append(_clash(line, "answer", pair, memory))
        return Imported(added, updated, unchanged), clashes


def _clash(line: int, kind: Literal["answer", "revived"], pair: Pair, memory: Memory) -> Clash:
    return Clash(line, kind, pair.question, pair.answer, memory.id, memory.answer)


def _is(memory: Memory, pair: Pair) -> bool:
    """Whether the memory says this already."""
    return (memory.question, memory.answer, memory.status) == (pair.question, pair.answer, MemoryStatus.LIVE)


def _identity(pair: Pair) -> tuple[str, str]:
    """What makes two lines of an import one memory: within a scope, the id they bear, else the question."""
    name = f"id:{pair.external_id}" if pair.external_id is not None else f"key:{question_key(pair.question)}"
    return pair.scope, name


def _present(session: Session, batch: Sequence[Pair]) -> dict[tuple[str, str], Memory]:
    ids = [p.external_id for p in batch if p.external_id is not None]
    keys = [question_key(p.question) for p in batch if p.external_id is None]
    people = Memory.origin.in_(PEOPLE)
    found: dict[tuple[str, str], Memory] = {}
    for memory in session.scalars(sa.select(Memory).where(people, Memory.external_id.in_(ids))):
        found[memory.scope, f"id:{memory.external_id}"] = memory
    for memory in session.scalars(sa.select(Memory).where(people, Memory.question_key.in_(keys))):
        found[memory.scope, f"key:{memory.question_key}"] = memory
    return found


def _batches(pairs: Iterable[Pair], size: int) -> Iterator[list[Pair]]:
    iterator = iter(pairs)
    while batch := list(islice(iterator, size)):
        yield batch
