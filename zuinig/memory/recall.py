"""The one door to memories: lookup in stages, each cheap enough for the next, and checked at the moment of serving.

normal form -> nearest questions by vector -> the same question? -> is the evidence still what the documents say?
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from zuinig.core.db import Database
from zuinig.core.tables import Memory, now
from zuinig.core.types import MemoryStatus
from zuinig.memory.bound import bound
from zuinig.memory.freshness import outdated
from zuinig.memory.questions import question_key
from zuinig.memory.verify import Verifier, VerifierFailed
from zuinig.retrieval.embed import Embedder, Vectors
from zuinig.retrieval.index import VectorIndex

_SHORTLIST = 8
_TRIES = 5
_AS_LIKELY = 0.005
_SQL_VARIABLES = 900

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Remembered:
    """A memory as it may be served."""

    id: int
    external_id: str | None
    question: str
    answer: str
    origin: str
    verified_by: str | None
    confidence: float
    citations: Sequence[dict[str, Any]]
    baseline_tokens: int | None
    created_at: datetime

    @property
    def public_id(self) -> str:
        return f"mem_{self.id}"


@dataclass(frozen=True, slots=True)
class Candidate:
    memory: Remembered
    similarity: float
    probability: float
    rejected_because: str | None


@dataclass(frozen=True, slots=True)
class Lookup:
    """vector: (1, d) of the question, where it had to be made."""

    hit: Remembered | None
    probability: float
    candidates: tuple[Candidate, ...]
    vector: Vectors | None = None


def scope_key(collections: Sequence[int] | None) -> str:
    """What a question was asked of, as it stands in a memory: "" for everything, else the sorted collection ids."""
    return "" if collections is None else ",".join(map(str, sorted(set(collections))))


class Recall:
    """wrong_budget: the share of what is served that may be wrong; the verifier's calibration keeps to it."""

    def __init__(
        self, db: Database, embedder: Embedder, index: VectorIndex, verifier: Verifier, *, wrong_budget: float
    ) -> None:
        self._db, self._embedder, self._index, self._verifier = db, embedder, index, verifier
        self._least = verifier.threshold(wrong_budget)

    def find(self, question: str, collections: Sequence[int] | None) -> Lookup:
        """One question of a dialog: the vector is made only where the normal form finds nothing."""
        with self._db.read() as session:
            exact = self._exact(session, [question], scope_key(collections))[0]
        if exact is not None:
            return Lookup(exact, 1.0, (Candidate(exact, 1.0, 1.0, None),))
        return self._similar([question], scope_key(collections))[0]

    def lookup(self, questions: Sequence[str], collections: Sequence[int] | None) -> list[Lookup]:
        """Many questions at once, in their order."""
        scope = scope_key(collections)
        with self._db.read() as session:
            exact = self._exact(session, questions, scope)
        missing = [i for i, found in enumerate(exact) if found is None]
        similar = dict(zip(missing, self._similar([questions[i] for i in missing], scope), strict=True))
        return [
            similar[i] if found is None else Lookup(found, 1.0, (Candidate(found, 1.0, 1.0, None),))
            for i, found in enumerate(exact)
        ]

    def _exact(self, session: Session, questions: Sequence[str], scope: str) -> list[Remembered | None]:
        keys = [question_key(q) for q in questions]
        found: dict[str, list[Memory]] = {}
        for i in range(0, len(keys), _SQL_VARIABLES):
            for memory in session.scalars(_live().where(Memory.question_key.in_(keys[i : i + _SQL_VARIABLES]))):
                found.setdefault(memory.question_key, []).append(memory)
        gone = outdated(session, [m.id for rows in found.values() for m in rows])
        return [_choose([m for m in found.get(k, []) if m.id not in gone], scope) for k in keys]

    def _similar(self, questions: Sequence[str], scope: str) -> list[Lookup]:
        if not questions:
            return []
        vectors = self._embedder.embed(questions)
        for last in (*[False] * (_TRIES - 1), True):
            with self._db.read() as session:
                ids, scores, of_snapshot = self._index.search(session, vectors, _SHORTLIST)
                if of_snapshot or last:
                    memories = _by_id(session, {int(i) for i in ids.ravel()})
                    gone = outdated(session, list(memories))
                    break
        near = [
            [
                (memory, min(float(score), 1.0))
                for i, score in zip(ids[n], scores[n], strict=True)
                # What is of another scope is none of the asker's business, not even as a near miss.
                if (memory := memories.get(int(i))) is not None and _serves(memory, scope)
            ]
            for n in range(len(questions))
        ]
        probabilities = self._probabilities(questions, near)
        return [
            self._judge(question, scope, vectors[n : n + 1], near[n], probabilities[n], gone)
            for n, question in enumerate(questions)
        ]

    def _probabilities(
        self, questions: Sequence[str], near: Sequence[Sequence[tuple[Memory, float]]]
    ) -> list[list[float]]:
        """Of each candidate that it asks the same; zeros where the verifier failed: no judgement is no hit."""
        pairs = [(q, memory.question) for q, found in zip(questions, near, strict=True) for memory, _ in found]
        try:
            flat = iter(self._verifier.probabilities(pairs, [c for found in near for _, c in found]).tolist())
        except VerifierFailed as error:
            log.error("verifier.failed", reason=str(error))
            flat = iter([0.0] * len(pairs))
        return [[next(flat) for _ in found] for found in near]

    def _judge(
        self,
        question: str,
        scope: str,
        vector: Vectors,
        near: Sequence[tuple[Memory, float]],
        probabilities: Sequence[float],
        gone: set[int],
    ) -> Lookup:
        candidates = [
            Candidate(_remembered(m), round(cosine, 4), round(p, 4), self._rejection(question, m, p, m.id in gone))
            for (m, cosine), p in zip(near, probabilities, strict=True)
        ]
        accepted = [n for n, c in enumerate(candidates) if c.rejected_because is None]
        if accepted:
            # The likeliest first; of equal ones what people wrote, and the newest.
            likeliest = max(probabilities[n] for n in accepted)
            alike = [near[n][0] for n in accepted if probabilities[n] >= likeliest - _AS_LIKELY]
            best = _choose(alike, scope)
            if best is not None:
                probability = next(p for (m, _), p in zip(near, probabilities, strict=True) if m.id == best.id)
                return Lookup(best, probability, tuple(candidates), vector)
            for n in accepted:
                candidates[n] = replace(candidates[n], rejected_because="collections answer it differently")
        return Lookup(None, max(probabilities, default=0.0), tuple(candidates), vector)

    def _rejection(self, question: str, memory: Memory, probability: float, is_outdated: bool) -> str | None:
        if is_outdated:
            return "the documents it rests on changed"
        if probability < self._least:
            return "probably another question"
        if bound(question) != bound(memory.question):
            return "one of the two holds only for now, or only for the asker"
        return None


def _live() -> sa.Select[Memory]:
    unexpired = sa.or_(Memory.expires_at.is_(None), Memory.expires_at > now())
    return sa.select(Memory).where(Memory.status == MemoryStatus.LIVE, unexpired)


def _by_id(session: Session, ids: set[int]) -> dict[int, Memory]:
    found: dict[int, Memory] = {}
    wanted = list(ids)
    for i in range(0, len(wanted), _SQL_VARIABLES):
        found.update({m.id: m for m in session.scalars(_live().where(Memory.id.in_(wanted[i : i + _SQL_VARIABLES])))})
    return found


def _serves(memory: Memory, scope: str) -> bool:
    """An answer out of documents serves the scope it was asked in; one that people wrote also those who ask of all."""
    return memory.scope == scope or (scope == "" and memory.origin in ("import", "human"))


def _choose(memories: Sequence[Memory], scope: str) -> Remembered | None:
    """The one to serve: of the very scope before any other, the newest first. None where collections disagree."""
    exact = [m for m in memories if m.scope == scope]
    if exact:
        # What people wrote comes before what a rung made.
        return _remembered(max(exact, key=lambda m: (m.origin in ("import", "human"), m.id)))
    others = [m for m in memories if _serves(m, scope)]
    newest = {m.scope: m for m in sorted(others, key=lambda m: m.id)}
    return _remembered(next(iter(newest.values()))) if len({m.answer for m in newest.values()}) == 1 else None


def _remembered(memory: Memory) -> Remembered:
    return Remembered(
        id=memory.id,
        external_id=memory.external_id,
        question=memory.question,
        answer=memory.answer,
        origin=memory.origin,
        verified_by=memory.verified_by,
        confidence=memory.confidence,
        citations=memory.citations,
        baseline_tokens=memory.baseline_tokens,
        created_at=memory.created_at,
    )
