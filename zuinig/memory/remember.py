"""Putting an answer into memory, with the evidence it rests on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.tables import Evidence, Memory, now
from zuinig.core.types import Citation, MemoryStatus
from zuinig.memory.bound import bound
from zuinig.memory.freshness import has_rivals, outdated
from zuinig.memory.questions import question_key
from zuinig.retrieval.embed import Vectors
from zuinig.retrieval.index import changed


@dataclass(frozen=True, slots=True)
class NewMemory:
    """scope: see `memory.recall.scope_key`. vector: (1, d), the question's. origin: the rung that answered.

    since: the last change of the passages' index that the answer could take into account.
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


def remember(session: Session, new: NewMemory) -> int | None:
    """Returns the memory's id, or None where there is nothing to remember: no evidence, evidence that is gone, newer
    passages that may answer otherwise, or a question bound to the moment or the asker.

    An earlier answer to the very same question makes room: its row is taken out of service, not overwritten.
    """
    if not new.citations or bound(new.question) is not None:
        return None
    key = question_key(new.question)
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
    replace(session, key, new.scope, memory.id)
    changed(session, "memories", [memory.id], added=True)
    return memory.id


def replace(session: Session, key: str, scope: str, by: int) -> None:
    """Take earlier memories that an answer made out of service; what people wrote stays."""
    earlier = session.scalars(
        sa.select(Memory.id).where(
            Memory.question_key == key,
            Memory.scope == scope,
            Memory.status == MemoryStatus.LIVE,
            Memory.origin.in_(("specialist", "llm")),
            Memory.id != by,
        )
    ).all()
    if earlier:
        session.execute(
            sa.update(Memory)
            .where(Memory.id.in_(earlier))
            .values(status=MemoryStatus.RETIRED, status_reason=f"Answered anew as mem_{by}.", updated_at=now())
        )
        changed(session, "memories", earlier, added=False)
