"""The one door to memories: lookup in stages, each cheap enough for the next, and checked at the moment of serving.

the very words -> nearest wordings by vector -> the same question? -> not what somebody said it is not
    -> is the evidence still what the documents say, and may the asker read it?
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import structlog

from zuinig.core import tables
from zuinig.core.db import Database
from zuinig.core.types import EVERYTHING, Reach
from zuinig.memory import candidates
from zuinig.memory.bound import bound
from zuinig.memory.calibrate import Calibration
from zuinig.memory.candidates import Near, Remembered
from zuinig.memory.freshness import outdated
from zuinig.memory.verify import Verifier, VerifierFailed, Wording
from zuinig.retrieval.embed import Embedder, Vectors
from zuinig.retrieval.index import VectorIndex

_SHORTLIST = 8
_TRIES = 5
_AS_LIKELY = 0.0005

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Candidate:
    """question: the wording that was compared."""

    memory: Remembered
    question: str
    similarity: float
    probability: float
    rejected_because: str | None


@dataclass(frozen=True, slots=True)
class Lookup:
    """vector: (1, d) of the question, where it had to be made. contradicting: memories that answer it differently."""

    hit: Remembered | None
    probability: float
    candidates: tuple[Candidate, ...]
    vector: Vectors | None = None
    contradicting: tuple[int, ...] = ()


class Recall:
    def __init__(
        self,
        db: Database,
        embedder: Embedder,
        memories: VectorIndex,
        wordings: VectorIndex,
        verifier: Verifier,
        calibration: Calibration,
    ) -> None:
        self._db, self._embedder, self._memories, self._wordings = db, embedder, memories, wordings
        self._verifier, self._calibration = verifier, calibration

    def find(self, question: str, reach: Reach = EVERYTHING) -> Lookup:
        """One question of a dialog: the vector is made only where its very words find nothing."""
        exact = self._exact([question], reach)[0]
        return exact if exact is not None else self._similar([question], reach)[0]

    def lookup(self, questions: Sequence[str], reach: Reach = EVERYTHING) -> list[Lookup]:
        """Many questions at once, in their order."""
        exact = self._exact(questions, reach)
        missing = [i for i, found in enumerate(exact) if found is None]
        similar = dict(zip(missing, self._similar([questions[i] for i in missing], reach), strict=True))
        return [similar[i] if found is None else found for i, found in enumerate(exact)]

    def _exact(self, questions: Sequence[str], reach: Reach) -> list[Lookup | None]:
        with self._db.read() as session:
            found = candidates.by_words(session, questions, reach)
            gone = outdated(session, [m.id for group in found for m in group])
        out: list[Lookup | None] = []
        for group in found:
            standing = [m for m in group if m.id not in gone]
            best = _choose(standing, reach.scope)
            hit = (Candidate(best, best.question, 1.0, 1.0, None),) if best is not None else ()
            out.append(Lookup(best, 1.0, hit, None, _contradicting(best, standing)) if best is not None else None)
        return out

    def _similar(self, questions: Sequence[str], reach: Reach) -> list[Lookup]:
        if not questions:
            return []
        vectors = self._embedder.embed(questions)
        for last in (*[False] * (_TRIES - 1), True):
            with self._db.read() as session:
                near, of_snapshot = candidates.by_vector(
                    session, self._memories, self._wordings, vectors, _SHORTLIST, reach
                )
                if of_snapshot or last:
                    ids = {x.memory.id for group in near for x in group}
                    gone = outdated(session, sorted(ids))
                    differing = candidates.counter_examples(session, ids, self._embedder.id)
                    break
        least = self._calibration.least(reach.scope)
        judge = _Judge(self._verifier, reach.scope, least, gone, differing)
        probabilities = self._probabilities(questions, near)
        return [
            judge.judge(question, vectors[n : n + 1], near[n], probabilities[n]) for n, question in enumerate(questions)
        ]

    def _probabilities(self, questions: Sequence[str], near: Sequence[Sequence[Near]]) -> list[list[float]]:
        """Of each candidate that it asks the same; zeros where the verifier failed: no judgement is no hit."""
        wordings = [[Wording(x.question, x.similarity, x.memory.answer) for x in group] for group in near]
        return _judged(self._verifier, questions, wordings)


@dataclass(frozen=True, slots=True)
class _Judge:
    """least: the probability from which on a memory may be served."""

    verifier: Verifier
    scope: str
    least: float
    gone: set[int]
    differing: dict[int, list[tables.Wording]]

    def judge(self, question: str, vector: Vectors, near: Sequence[Near], probabilities: Sequence[float]) -> Lookup:
        found = [
            Candidate(
                x.memory, x.question, round(x.similarity, 4), round(p, 4), self._rejection(question, vector, x, p)
            )
            for x, p in zip(near, probabilities, strict=True)
        ]
        accepted = [n for n, c in enumerate(found) if c.rejected_because is None]
        if accepted:
            alike = self._alike([(near[n], probabilities[n]) for n in accepted])
            memories = [memory for memory, _ in alike.values()]
            best = _choose(memories, self.scope)
            if best is not None:
                rest = _contradicting(best, memories)
                return Lookup(best, alike[best.id][1], tuple(found), vector, rest)
            for n in accepted:
                found[n] = replace(found[n], rejected_because="collections answer it differently")
        return Lookup(None, max(probabilities, default=0.0), tuple(found), vector)

    def _rejection(self, question: str, vector: Vectors, x: Near, probability: float) -> str | None:
        if x.memory.id in self.gone:
            return "the documents it rests on changed"
        if probability < self.least:
            return "probably another question"
        if bound(question) != bound(x.question):
            return "one of the two holds only for now, or only for the asker"
        if self._is_another(question, vector, x.memory.id, probability):
            return "somebody said that this is another question"
        return None

    def _is_another(self, question: str, vector: Vectors, memory_id: int, probability: float) -> bool:
        others = self.differing.get(memory_id)
        if not others:
            return False
        cosines = [float(np.frombuffer(w.vector, np.float32) @ vector[0]) for w in others]
        wordings = [[Wording(w.question, c)] for w, c in zip(others, cosines, strict=True)]
        likeness = _judged(self.verifier, [question] * len(others), wordings, failed=1.0)
        return max(likeness)[0] >= min(probability, self.least)

    def _alike(self, accepted: Sequence[tuple[Near, float]]) -> dict[int, tuple[Remembered, float]]:
        """By id: the likeliest, and those that as likely answer the question or ask the same as the likeliest does."""
        accepted = sorted(accepted, key=lambda pair: -pair[1])
        (first, most), rest = accepted[0], accepted[1:]
        alike = {first.memory.id: (first.memory, most)}
        others = [(x, p) for x, p in rest if x.memory.id != first.memory.id]
        differing = [(x, p) for x, p in others if _differs(x.memory, first.memory) and p < most - _AS_LIKELY]
        # The cosine of the two is not at hand; that of each with the question stands for it.
        wordings = [[Wording(first.question, min(x.similarity, first.similarity))] for x, _ in differing]
        same = _judged(self.verifier, [x.question for x, _ in differing], wordings)
        contradicting = {x.memory.id for (x, _), [s] in zip(differing, same, strict=True) if s >= self.least}
        for x, p in others:
            if x.memory.id in contradicting or p >= most - _AS_LIKELY:
                alike.setdefault(x.memory.id, (x.memory, p))
        return alike


def _judged(
    verifier: Verifier, asked: Sequence[str], near: Sequence[Sequence[Wording]], *, failed: float = 0.0
) -> list[list[float]]:
    try:
        return verifier.judge(asked, near)
    except VerifierFailed as error:
        log.error("verifier.failed", reason=str(error))
        return [[failed] * len(wordings) for wordings in near]


def _differs(a: Remembered, b: Remembered) -> bool:
    return " ".join(a.answer.split()) != " ".join(b.answer.split())


def _contradicting(best: Remembered, others: Sequence[Remembered]) -> tuple[int, ...]:
    """Those of the same scope that answer differently; answers of a rung to what people wrote do not count."""
    return tuple(
        sorted(
            m.id for m in others if m.id != best.id and m.scope == best.scope and _differs(m, best) and m.verified_by
        )
    )


def _choose(memories: Sequence[Remembered], scope: str) -> Remembered | None:
    """The one to serve: of the very scope before any other, by its standing. None where collections disagree."""
    exact = [m for m in memories if m.scope == scope]
    if exact:
        return max(exact, key=lambda m: m.standing)
    best = {m.scope: m for m in sorted(memories, key=lambda m: m.standing)}
    first = next(iter(best.values()), None)
    return None if first is None or any(_differs(first, m) for m in best.values()) else first
