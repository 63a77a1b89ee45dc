"""Which memories may be served to whom: in service, within reach of the asker, and standing on what may be read.

Every condition stands in the query itself, so that what an asker may not see is not even a near miss.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from zuinig.core.db import in_parts
from zuinig.core.tables import Document, Evidence, Memory, Wording, now
from zuinig.core.types import EVERYTHING, MemoryStatus, Reach, Source
from zuinig.memory.questions import question_key
from zuinig.retrieval.embed import Vectors
from zuinig.retrieval.index import VectorIndex

PEOPLE = ("import", "human")  # origins of what people wrote, which rests on no document

_WIDEST = 4096


@dataclass(frozen=True, slots=True)
class Remembered:
    """A memory as it may be served."""

    id: int
    external_id: str | None
    question: str
    answer: str
    scope: str
    origin: str
    verified_by: str | None
    confidence: float
    citations: Sequence[dict[str, Any]]
    baseline_tokens: int | None
    created_at: datetime
    updated_at: datetime

    @property
    def public_id(self) -> str:
        return f"mem_{self.id}"

    @property
    def standing(self) -> tuple[bool, bool, datetime, int]:
        """Orders answers to one question: the verified one, then what people wrote, then the newer."""
        return self.verified_by is not None, self.origin in PEOPLE, self.updated_at, self.id


@dataclass(frozen=True, slots=True)
class Near:
    """A memory, by the wording of it that is near what was asked."""

    memory: Remembered
    question: str
    similarity: float


def remembered(m: Memory) -> Remembered:
    return Remembered(
        id=m.id,
        external_id=m.external_id,
        question=m.question,
        answer=m.answer,
        scope=m.scope,
        origin=m.origin,
        verified_by=m.verified_by,
        confidence=m.confidence,
        citations=m.citations,
        baseline_tokens=m.baseline_tokens,
        created_at=m.created_at,
        updated_at=m.updated_at,
    )


# The moment is taken when a statement is run, so that the statements below are built once for each reach.
_NOW: sa.BindParameter[datetime] = sa.bindparam("now", callable_=now, type_=Memory.expires_at.type)
_LIVE = sa.and_(Memory.status == MemoryStatus.LIVE, sa.or_(Memory.expires_at.is_(None), Memory.expires_at > _NOW))


def within(reach: Reach) -> sa.ColumnElement[bool]:
    """An answer out of documents serves the scope it was asked in; one that people wrote also those who ask of all.

    Two askers with different rights have different scopes, so that neither gets what only the other may know.
    """
    same = Memory.scope == reach.scope
    if reach.named is None:
        same = sa.or_(same, sa.and_(Memory.origin.in_(PEOPLE), _scope_readable(reach.readable)))
    else:
        # A curator writes for the main shelf of a collection, which may have others.
        inside = Memory.scope.in_([str(i) for i in reach.shelves or ()])
        same = sa.or_(same, sa.and_(Memory.origin.in_(PEOPLE), inside))
    return sa.and_(same, _evidence_readable(reach.readable))


def visible(readable: frozenset[int] | None) -> sa.ColumnElement[bool]:
    """What a person may see of the memory as a whole: what its scope and its evidence allow."""
    if readable is None:
        return sa.true()
    # What was made out of everything may tell of anything, whatever it cites.
    open_to_all = sa.or_(Memory.scope != "", Memory.origin.in_(PEOPLE))
    # A language model tells more than it cites; out of service it may be because of what it did not cite.
    served = sa.or_(Memory.origin != Source.LLM, Memory.status == MemoryStatus.LIVE)
    return sa.and_(open_to_all, served, _scope_readable(readable), _evidence_readable(readable))


def _scope_readable(readable: frozenset[int] | None) -> sa.ColumnElement[bool]:
    if readable is None:
        return sa.true()
    parts = sa.func.json_each(sa.func.replace("[" + Memory.scope + "]", "-", "")).table_valued("value")
    outside = sa.select(parts.c.value).where(parts.c.value.not_in(sorted(readable)))
    return ~outside.correlate(Memory).exists()


def _evidence_readable(readable: frozenset[int] | None) -> sa.ColumnElement[bool]:
    if readable is None:
        return sa.true()
    hidden = (
        sa.select(Evidence.memory_id)
        .outerjoin(Document, Document.id == Evidence.document_id)
        .where(
            Evidence.memory_id == Memory.id,
            # A document that is gone can no longer say who might have read it.
            sa.or_(Document.id.is_(None), Document.shelf_id.not_in(sorted(readable))),
        )
    )
    return ~hidden.correlate(Memory).exists()


@dataclass(frozen=True, slots=True)
class _Statements:
    """What a lookup asks of the database. `these`: the keys or ids that it asks for."""

    by_key: sa.Select[Memory]
    wordings_by_key: sa.Select[str, bool, Memory]
    by_id: sa.Select[Memory]
    wordings_by_id: sa.Select[int, str, Memory]


@lru_cache(maxsize=256)
def _statements(reach: Reach) -> _Statements:
    these: sa.BindParameter[Any] = sa.bindparam("these", expanding=True)
    allowed = sa.and_(_LIVE, within(reach))
    joined = sa.select(Wording.question_key, Wording.differs, Memory).join(Memory, Memory.id == Wording.memory_id)
    by_id = sa.select(Wording.id, Wording.question, Memory).join(Memory, Memory.id == Wording.memory_id)
    return _Statements(
        by_key=sa.select(Memory).where(Memory.question_key.in_(these), allowed),
        wordings_by_key=joined.where(Wording.question_key.in_(these), allowed).order_by(Wording.differs),
        by_id=sa.select(Memory).where(Memory.id.in_(these), allowed),
        wordings_by_id=by_id.where(Wording.id.in_(these), ~Wording.differs, allowed),
    )


def by_words(session: Session, questions: Sequence[str], reach: Reach = EVERYTHING) -> list[list[Remembered]]:
    """For each question the memories that are asked for in these very words, and are not said to differ from them."""
    keys = [question_key(q) for q in questions]
    found: dict[str, dict[int, Remembered]] = {}
    statements = _statements(reach)
    for part in in_parts(list(dict.fromkeys(keys))):
        for m in session.scalars(statements.by_key, {"these": part}):
            found.setdefault(m.question_key, {})[m.id] = remembered(m)
        for key, differs, m in session.execute(statements.wordings_by_key, {"these": part}):
            if differs:
                found.get(key, {}).pop(m.id, None)
            else:
                found.setdefault(key, {})[m.id] = remembered(m)
    return [list(found.get(key, {}).values()) for key in keys]


def by_vector(
    session: Session,
    memories: VectorIndex,
    wordings: VectorIndex,
    vectors: Vectors,
    shortlist: int,
    reach: Reach = EVERYTHING,
) -> tuple[list[list[Near]], bool]:
    """For each vector (n, d) the nearest wordings, best first, and whether indexes and session agree.

    Widens until what the asker may not have leaves enough.
    """
    limit = shortlist
    while True:
        ids, scores, agrees = memories.search(session, vectors, limit)
        also, also_scores, also_agrees = wordings.search(session, vectors, limit)
        by_id = _memories(session, {int(i) for i in ids.ravel()}, reach)
        by_wording = _wordings(session, {int(i) for i in also.ravel()}, reach)
        near = []
        for n in range(len(vectors)):
            found = [
                Near(m, m.question, min(float(s), 1.0))
                for i, s in zip(ids[n], scores[n], strict=True)
                if (m := by_id.get(int(i))) is not None
            ]
            found += [
                Near(*by_wording[int(i)], min(float(s), 1.0))
                for i, s in zip(also[n], also_scores[n], strict=True)
                if int(i) in by_wording
            ]
            near.append(sorted(found, key=lambda x: -x.similarity)[:shortlist])
        whole = limit >= max(len(memories), len(wordings))
        if whole or limit >= _WIDEST or all(len(found) >= shortlist for found in near):
            return near, agrees and also_agrees
        limit *= 8


_DIFFERING = (
    sa.select(Wording)
    .options(undefer(Wording.vector))
    .where(Wording.memory_id.in_(sa.bindparam("these", expanding=True)), Wording.differs)
)


def counter_examples(session: Session, ids: Iterable[int], embedder: str) -> dict[int, list[Wording]]:
    """Questions that somebody said are not the memory's, by memory."""
    found: dict[int, list[Wording]] = {}
    for part in in_parts(sorted(set(ids))):
        for w in session.scalars(_DIFFERING, {"these": part}):
            if w.embedder == embedder:
                found.setdefault(w.memory_id, []).append(w)
    return found


def _memories(session: Session, ids: set[int], reach: Reach) -> dict[int, Remembered]:
    found: dict[int, Remembered] = {}
    for part in in_parts(sorted(ids)):
        found.update({m.id: remembered(m) for m in session.scalars(_statements(reach).by_id, {"these": part})})
    return found


def _wordings(session: Session, ids: set[int], reach: Reach) -> dict[int, tuple[Remembered, str]]:
    found: dict[int, tuple[Remembered, str]] = {}
    for part in in_parts(sorted(ids)):
        rows = session.execute(_statements(reach).wordings_by_id, {"these": part})
        found.update({i: (remembered(m), question) for i, question, m in rows})
    return found
