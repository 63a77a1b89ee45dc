"""What was done to a memory, when, and by whom."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import in_parts
from zuinig.core.tables import Memory, MemoryEvent, now


def note(session: Session, ids: Sequence[int], action: str, *, by: str | None, detail: str | None = None) -> None:
    """In the caller's transaction. by: None where the service itself did it."""
    if ids:
        rows = [{"memory_id": i, "action": action, "by": by, "detail": detail} for i in ids]
        session.execute(sa.insert(MemoryEvent), rows)


def of(session: Session, memory_id: int) -> Sequence[MemoryEvent]:
    """Oldest first. That it was made stands in the memory's own row."""
    return session.scalars(
        sa.select(MemoryEvent).where(MemoryEvent.memory_id == memory_id).order_by(MemoryEvent.id)
    ).all()


def put_up(session: Session, ids: Sequence[int], reason: str) -> None:
    """Ask a curator to look, at once; what waits for one already keeps its reason."""
    waiting = sa.func.coalesce(Memory.review_at <= now(), sa.false())
    for part in in_parts(ids):
        chosen = session.scalars(sa.select(Memory.id).where(Memory.id.in_(part), ~waiting)).all()
        values = {"review_at": now(), "review_reason": reason}
        session.execute(sa.update(Memory).where(Memory.id.in_(chosen)).values(values))
        note(session, chosen, "review", by=None, detail=reason)
