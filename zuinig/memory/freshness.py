"""Whether a memory may still be served: its evidence must be what the documents say, now."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import Database, in_parts
from zuinig.core.tables import Document, DocumentVersion, Evidence, IndexChange, Memory, Passage, now
from zuinig.core.types import MemoryStatus, Source
from zuinig.memory import history
from zuinig.memory.candidates import PEOPLE
from zuinig.retrieval.embed import Vectors
from zuinig.retrieval.index import VectorIndex, changed

# Called in the transaction of a swap with the document and the version that is live from now on.
Swapped = Callable[[Session, str, int], None]

_NEAREST = 64
_AT_ONCE = 32
# A new passage this much further from the question than the evidence is may still be the one that answers it.
_RIVAL_MARGIN = 0.05
# What people wrote has no evidence to compare with: a passage this near speaks of the same matter.
_SPEAKS_OF = 0.6
# A passage this near may well have been among those that a language model was shown.
_SHOWN = 0.4

FLAGGED = "It rests on a passage that seems to speak to a language model."


class Freshness:
    """What the dialog memory has to do when documents change."""

    def __init__(self, db: Database, memories: VectorIndex) -> None:
        self._db, self._memories = db, memories

    def deleted(self, session: Session, document_id: str) -> None:
        """Every live memory that rests on the document is stale from this transaction on, and of those that a language
        model made each to which the document spoke: it may tell of it without citing it. The document is still there.
        """
        near = self._nearness(_live_vectors(session, document_id, self._memories.dimension))
        shown = [m for m, cosine in near.items() if cosine >= _SHOWN]
        made = sa.and_(Memory.origin == Source.LLM, _made_of(session, document_id))
        told = sa.select(Memory.id).where(Memory.status == MemoryStatus.LIVE, _among(shown), made)
        resting = session.scalars(_resting_on(document_id).where(Memory.status == MemoryStatus.LIVE))
        ids = {*resting, *session.scalars(told)}
        take_out(session, sorted(ids), MemoryStatus.STALE, f"The document {document_id} was deleted.")

    def moved(self, session: Session, document_id: str, shelf_id: int) -> None:
        """When a document got other readers than those of the shelf on which it stood: what a language model made of
        that shelf is stale, since it read more than it cites.
        """
        told = sa.select(Memory.id).where(
            Memory.status == MemoryStatus.LIVE, Memory.origin == Source.LLM, _lists(shelf_id)
        )
        ids = session.scalars(told).all()
        take_out(session, ids, MemoryStatus.STALE, f"The document {document_id} got other readers.")

    def foresee(self, passages: Vectors) -> Swapped:
        """Before a swap: find the memories that the new passages (n, d) may contradict (percolation).

        What is returned belongs in the swap's transaction. Memories that rest on the document are re-anchored where
        the new version still holds their evidence, else stale; those that the new passages may answer differently are
        stale too, so that the next asker is answered anew; what people wrote stays in service and is put up for review.
        """
        rivals = self._rivals(passages)

        def swapped(session: Session, document_id: str, version_id: int) -> None:
            reanchor(session, document_id, version_id)
            beside = _made_of(session, document_id)
            live = set(
                session.scalars(sa.select(Memory.id).where(Memory.status == MemoryStatus.LIVE, _among(rivals), beside))
            )
            written = _of_people(session, live)
            take_out(
                session,
                sorted(live - written),
                MemoryStatus.STALE,
                f"The document {document_id} says something new on this; the next answer takes it into account.",
            )
            history.put_up(session, sorted(written), f"The document {document_id} says something new on this.")

        return swapped

    def foresee_move(self, document_id: str) -> Swapped:
        """As `foresee`, for a document that others will read: to them all of it is new."""
        with self._db.read() as session:
            vectors = _live_vectors(session, document_id, self._memories.dimension)
        return self.foresee(vectors)

    def _rivals(self, passages: Vectors) -> set[int]:
        """The memories to whose question a new passage is about as near as their evidence."""
        near = self._nearness(passages)
        found: set[int] = set()
        with self._db.read() as session:
            for part in in_parts(list(near)):
                nearness = evidence_nearness(session, part)
                found.update(m for m in part if near[m] >= nearness.get(m, _SPEAKS_OF + _RIVAL_MARGIN) - _RIVAL_MARGIN)
        return found

    def _nearness(self, passages: Vectors) -> dict[int, float]:
        """memory -> cosine of its question with the nearest of the passages, of those that are among the nearest."""
        near: dict[int, float] = {}
        for start in range(0, len(passages), _AT_ONCE):
            with self._db.read() as session:
                ids, scores, _ = self._memories.search(session, passages[start : start + _AT_ONCE], _NEAREST)
            for i, score in zip(ids.ravel().tolist(), scores.ravel().tolist(), strict=True):
                near[i] = max(score, near.get(i, -1.0))
        near.pop(-1, None)
        return near


def reanchor(session: Session, document_id: str, version_id: int) -> None:
    """Memories that rest on the document move to its new version if that holds the very passages, else are stale.

    What waits for a curator goes on waiting: the same answer is not to be learnt again meanwhile.
    """
    resting = session.scalars(_resting_on(document_id)).all()
    if not resting:
        return
    number = session.scalar(sa.select(DocumentVersion.number).where(DocumentVersion.id == version_id))
    passages = {
        p.content_hash: p for p in session.scalars(sa.select(Passage).where(Passage.version_id == version_id)).all()
    }
    lost = []
    for part in in_parts(resting):
        evidence: dict[int, list[Evidence]] = {}
        for e in session.scalars(
            sa.select(Evidence).where(Evidence.document_id == document_id, Evidence.memory_id.in_(part))
        ):
            evidence.setdefault(e.memory_id, []).append(e)
        for memory in session.scalars(sa.select(Memory).where(Memory.id.in_(part))):
            rests_on = evidence[memory.id]
            if not all(e.content_hash in passages for e in rests_on):
                if memory.status == MemoryStatus.LIVE:
                    lost.append(memory.id)
                continue
            for e in rests_on:
                e.version_id = version_id
            memory.citations = [
                _moved(c, passages[c["content_hash"]], number or 1) if c["document_id"] == document_id else c
                for c in memory.citations
            ]
    session.flush()
    take_out(session, lost, MemoryStatus.STALE, f"The document {document_id} no longer says what this rests on.")
    hold_flagged(session, version_id)


def hold_flagged(session: Session, version_id: int) -> None:
    """Memories that rest on passages of the version which are flagged wait for a curator, unless one has verified
    them: a passage may be flagged long after it was cited, as when the heading above it changes.
    """
    flagged = sa.select(Passage.content_hash).where(Passage.version_id == version_id, Passage.flags.is_not(None))
    resting = sa.select(Evidence.memory_id).where(Evidence.version_id == version_id, Evidence.content_hash.in_(flagged))
    ids = session.scalars(
        sa.select(Memory.id).where(
            Memory.status == MemoryStatus.LIVE, Memory.verified_by.is_(None), Memory.id.in_(resting)
        )
    ).all()
    hold(session, ids, FLAGGED)


def _moved(citation: dict[str, Any], passage: Passage, number: int) -> dict[str, Any]:
    at = max(passage.text.find(citation["quote"]), 0)
    start = passage.start + at
    return citation | {
        "version_id": passage.version_id,
        "version": number,
        "passage_id": passage.id,
        "page": passage.page,
        "start": start,
        "end": start + len(citation["quote"]),
    }


def evidence_nearness(session: Session, ids: Sequence[int]) -> dict[int, float]:
    """memory -> cosine of its question with the furthest passage of its evidence; none for what people wrote."""
    rows = session.execute(
        sa.select(Memory.id, Memory.vector, Passage.vector.label("passage"))
        .join(Evidence, Evidence.memory_id == Memory.id)
        .join(
            Passage,
            sa.and_(Passage.version_id == Evidence.version_id, Passage.content_hash == Evidence.content_hash),
        )
        .where(Memory.id.in_(ids))
    )
    found: dict[int, float] = {}
    for row in rows:
        cosine = float(np.frombuffer(row.vector, np.float32) @ np.frombuffer(row.passage, np.float32))
        found[row.id] = min(cosine, found.get(row.id, 1.0))
    return found


def has_rivals(session: Session, memory_id: int, vector: Vectors, since: int) -> bool:
    """Whether passages that came after change `since` of the index are about as near as the memory's evidence.

    They came while its answer was being made, out of the documents as they were before.
    """
    rows = session.scalars(
        sa.select(Passage.vector)
        .join(IndexChange, sa.and_(IndexChange.item_id == Passage.id, IndexChange.index == "passages"))
        .where(IndexChange.seq > since, IndexChange.added)
    ).all()
    if not rows:
        return False
    nearest = float((np.frombuffer(b"".join(rows), np.float32).reshape(len(rows), -1) @ vector.ravel()).max())
    return nearest >= evidence_nearness(session, [memory_id]).get(memory_id, 1.0) - _RIVAL_MARGIN


def take_out(session: Session, ids: Sequence[int], status: MemoryStatus, reason: str, *, by: str | None = None) -> None:
    """Out of service and out of the index, in the caller's transaction. by: None where a document was the cause.

    What a person had verified comes up for review when it goes stale.
    """
    for part in in_parts(ids):
        if status == MemoryStatus.STALE:
            verified = sa.select(Memory.id).where(Memory.id.in_(part), Memory.verified_by.is_not(None))
            history.put_up(session, session.scalars(verified).all(), reason)
        session.execute(
            sa.update(Memory).where(Memory.id.in_(part)).values(status=status, status_reason=reason, updated_at=now())
        )
        history.note(session, part, str(status), by=by, detail=reason)
    changed(session, "memories", ids, added=False)


def hold(session: Session, ids: Sequence[int], reason: str) -> None:
    """Out of service until a curator, who is asked to, has looked; in the caller's transaction."""
    history.put_up(session, ids, reason)
    take_out(session, ids, MemoryStatus.HELD, reason)


_OUTDATED = sa.select(Evidence.memory_id).where(
    Evidence.memory_id.in_(sa.bindparam("these", expanding=True)),
    ~sa.select(Passage.id)
    .join(DocumentVersion, DocumentVersion.id == Passage.version_id)
    .where(
        DocumentVersion.id == Evidence.version_id,
        DocumentVersion.live,
        Passage.content_hash == Evidence.content_hash,
    )
    .exists(),
)


def outdated(session: Session, ids: Sequence[int]) -> set[int]:
    """Those of the memories with evidence that no live document version holds any more."""
    return set(session.scalars(_OUTDATED, {"these": list(ids)})) if ids else set()


def _live_vectors(session: Session, document_id: str, dimension: int) -> Vectors:
    """(n, d) of the passages of the version that answers."""
    rows = session.scalars(
        sa.select(Passage.vector)
        .join(DocumentVersion, DocumentVersion.id == Passage.version_id)
        .where(DocumentVersion.document_id == document_id, DocumentVersion.live)
    ).all()
    return np.frombuffer(b"".join(rows), np.float32).reshape(-1, dimension)


def _made_of(session: Session, document_id: str) -> sa.ColumnElement[bool]:
    """Memories of a scope that the document stands in: in others it says nothing, and must not be told of."""
    shelf = session.scalar(sa.select(Document.shelf_id).where(Document.id == document_id))
    return sa.or_(Memory.scope == "", _lists(shelf))


def _lists(shelf_id: int | None) -> sa.ColumnElement[bool]:
    """Whether the shelf is named in a memory's scope."""
    return sa.func.instr("," + Memory.scope + ",", f",{shelf_id},") > 0


def _resting_on(document_id: str) -> sa.Select[int]:
    return (
        sa.select(Memory.id)
        .where(Memory.status.in_((MemoryStatus.LIVE, MemoryStatus.HELD)))
        .where(Memory.id.in_(sa.select(Evidence.memory_id).where(Evidence.document_id == document_id)))
    )


def _of_people(session: Session, ids: Iterable[int]) -> set[int]:
    return set(session.scalars(sa.select(Memory.id).where(_among(ids), Memory.origin.in_(PEOPLE))))


def _among(ids: Iterable[int]) -> sa.ColumnElement[bool]:
    """Any number of ids, as one parameter."""
    listed = sa.func.json_each(json.dumps(sorted(ids))).table_valued("value")
    return Memory.id.in_(sa.select(listed.c.value))
