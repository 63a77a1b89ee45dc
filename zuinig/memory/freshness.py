"""Whether a memory may still be served: its evidence must be what the documents say, now."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.tables import DocumentVersion, Evidence, Memory, Passage, now
from zuinig.core.types import MemoryStatus
from zuinig.retrieval.index import changed


def document_changed(session: Session, document_id: str) -> None:
    """Every live memory that rests on the document is stale from this transaction on."""
    ids = session.scalars(
        sa.select(Memory.id)
        .where(Memory.status == MemoryStatus.LIVE)
        .where(Memory.id.in_(sa.select(Evidence.memory_id).where(Evidence.document_id == document_id)))
    ).all()
    take_out(session, ids, MemoryStatus.STALE, f"The document {document_id} changed or was deleted.")


def take_out(session: Session, ids: Sequence[int], status: MemoryStatus, reason: str) -> None:
    """Out of service and out of the index, in the caller's transaction."""
    for i in range(0, len(ids), 900):
        session.execute(
            sa.update(Memory)
            .where(Memory.id.in_(ids[i : i + 900]))
            .values(status=status, status_reason=reason, updated_at=now())
        )
    changed(session, "memories", ids, added=False)


def outdated(session: Session, ids: Sequence[int]) -> set[int]:
    """Those of the memories with evidence that no live document version holds any more."""
    holds = (
        sa.select(Passage.id)
        .join(DocumentVersion, DocumentVersion.id == Passage.version_id)
        .where(
            DocumentVersion.id == Evidence.version_id,
            DocumentVersion.live,
            Passage.content_hash == Evidence.content_hash,
        )
    )
    return set(session.scalars(sa.select(Evidence.memory_id).where(Evidence.memory_id.in_(ids), ~holds.exists())))
