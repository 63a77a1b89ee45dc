"""How far an upload of many files has come."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import in_parts
from zuinig.core.tables import Document, DocumentVersion
from zuinig.core.types import ENDED, DocumentStatus, Principal
from zuinig.ingestion import queue
from zuinig.retrieval import shelves


@dataclass(frozen=True, slots=True)
class Tally:
    """In files. open: not at their end. waiting: those of them that can still be called off."""

    total: int
    done: int
    failed: int
    cancelled: int
    waiting: int

    @property
    def ended(self) -> int:
        return self.done + self.failed + self.cancelled

    @property
    def open(self) -> int:
        return max(0, self.total - self.ended)


def count(session: Session, ids: Sequence[str], reader: Principal, *, total: int, refused: int, dropped: int) -> Tally:
    """ids: of the documents that were accepted, one a file, so the same bytes sent twice count twice.

    refused: files that were not accepted; dropped: files that were called off before they were sent.
    """
    found = _states(session, ids, shelves.on(reader.readable))
    # A document that was deleted meanwhile has no state, nor has one that the reader may not read.
    states = Counter(found.get(i, DocumentStatus.CANCELLED) for i in ids)
    return Tally(
        total=total,
        done=states[DocumentStatus.READY],
        failed=states[DocumentStatus.FAILED] + refused,
        cancelled=states[DocumentStatus.CANCELLED] + dropped,
        waiting=states[DocumentStatus.QUEUED] + max(0, total - len(ids) - refused - dropped),
    )


def cancel_waiting(session: Session, ids: Sequence[str], editor: Principal) -> list[str]:
    """Those that the editor may change; those being read go on to their end. Returns which."""
    mine = sa.true() if editor.editable is None else Document.collection_id.in_(sorted(editor.editable))
    waiting = [i for i, status in _states(session, ids, mine).items() if status == DocumentStatus.QUEUED]
    for document_id in waiting:
        queue.cancel(session, document_id)
    return waiting


def under_way(counts: dict[str, int]) -> int:
    """counts: versions by state."""
    return sum(n for status, n in counts.items() if status not in ENDED)


def _states(session: Session, ids: Sequence[str], which: sa.ColumnElement[bool]) -> dict[str, str]:
    """Of the newest version of each document."""
    found: dict[str, str] = {}
    wanted = list(dict.fromkeys(ids))
    for part in in_parts(wanted):
        newest = (
            sa.select(sa.func.max(DocumentVersion.id))
            .join(Document, Document.id == DocumentVersion.document_id)
            .where(DocumentVersion.document_id.in_(part), which)
            .group_by(DocumentVersion.document_id)
        )
        rows = session.execute(
            sa.select(DocumentVersion.document_id, DocumentVersion.status).where(DocumentVersion.id.in_(newest))
        )
        found.update((document_id, str(status)) for document_id, status in rows)
    return found
