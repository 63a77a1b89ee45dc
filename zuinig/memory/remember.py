"""Putting an answer into memory, with the evidence it rests on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.tables import Evidence, Memory
from zuinig.core.types import Citation, MemoryStatus, Source
from zuinig.memory.bound import bound
from zuinig.memory.candidates import PEOPLE
from zuinig.memory.freshness import FLAGGED, has_rivals, hold, outdated, take_out
from zuinig.memory.questions import question_key
from zuinig.retrieval.embed import Vectors
from zuinig.retrieval.index import changed
from zuinig.retrieval.shelves import moved_since


@dataclass(frozen=True, slots=True)
class NewMemory:
    """scope: see `Reach.scope`. vector: (1, d), the question's. origin: the rung that answered.

    since: the last change of the passages' index that the answer could take into account. doubtful: whether it rests on
    a passage that was flagged at ingestion.
    """

    question: str
    answer: str
    scope: str
    origin: str
    confidence: float
    citations: Sequence[Citation]
    baseline_tokens: int
    created_by: str
    vector: Vectors
    embedder: str
    since: int
    doubtful: bool = False


def remember(session: Session, new: NewMemory) -> int | None:
    """Returns the memory's id, or None where there is nothing to remember: no evidence, evidence that is gone, newer
    passages that may answer otherwise, a question bound to the moment or the asker, or an answer that somebody called
    wrong.

    An earlier answer to the very same question that nobody verified makes room: its row is taken out of service. A
    doubtful one displaces nothing: it is held, and waits for a curator; one at a time for a question.
    """
    if not new.citations or bound(new.question) is not None:
        return None
    if new.origin == Source.LLM and moved_since(session, new.since):
        return None  # it may tell of what its next asker may not read, and does not cite
    key = question_key(new.question)
    if _called_wrong(session, key, new) or (new.doubtful and _waits(session, key, new.scope)):
        return None
    memory = Memory(
        question=new.question,
        question_key=key,
        answer=new.answer,
        scope=new.scope,
        origin=new.origin,
        confidence=new.confidence,
        citations=[asdict(c) for c in new.citations],
        baseline_tokens=new.baseline_tokens,
        created_by=new.created_by,
        vector=np.ascontiguousarray(new.vector, np.float32).tobytes(),
        embedder=new.embedder,
    )
    session.add(memory)
    session.flush()
    evidence = dict.fromkeys((c.document_id, c.version_id, c.content_hash) for c in new.citations)
    session.add_all(
        Evidence(memory_id=memory.id, ordinal=n, document_id=d, version_id=v, content_hash=h)
        for n, (d, v, h) in enumerate(evidence)
    )
    session.flush()
    # The documents may have changed while the answer was being made.
    if outdated(session, [memory.id]) or has_rivals(session, memory.id, new.vector, new.since):
        session.delete(memory)
        return None
    if new.doubtful:
        hold(session, [memory.id], FLAGGED)
        return memory.id
    replace(session, key, new.scope, memory.id)
    changed(session, "memories", [memory.id], added=True)
    return memory.id


def _called_wrong(session: Session, key: str, new: NewMemory) -> bool:
    """Whether this very answer waits for a curator, or was rejected by one: made anew it is no better."""
    same = sa.select(Memory.id).where(
        Memory.question_key == key,
        Memory.answer == new.answer,
        Memory.status.in_((MemoryStatus.HELD, MemoryStatus.REJECTED)),
    )
    return session.scalar(same.limit(1)) is not None


def _waits(session: Session, key: str, scope: str) -> bool:
    """Whether an answer to this question is held already: who asks often must not fill the curators' queue.

    One that the documents no longer give can only be rejected or edited, and keeps no other out.
    """
    held = session.scalars(
        sa.select(Memory.id).where(
            Memory.question_key == key, Memory.scope == scope, Memory.status == MemoryStatus.HELD
        )
    ).all()
    return bool(set(held) - outdated(session, held))


def replace(session: Session, key: str, scope: str, by: int) -> None:
    """Take earlier memories that an answer made out of service; what people wrote stays."""
    earlier = session.scalars(
        sa.select(Memory.id).where(
            Memory.question_key == key,
            Memory.scope == scope,
            Memory.status == MemoryStatus.LIVE,
            Memory.origin.not_in(PEOPLE),
            Memory.verified_by.is_(None),
            Memory.id != by,
        )
    ).all()
    if earlier:
        take_out(session, earlier, MemoryStatus.RETIRED, f"Answered anew as mem_{by}.")
