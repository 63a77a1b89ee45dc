"""What a curator looks at, as pages show it: where a memory comes from, what waits, and why in the reader's words."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.app import auth
from zuinig.app.api.memories import MemoryOut
from zuinig.app.services import Services
from zuinig.core.tables import Answer, Document, LedgerEntry, Memory, Suggestion, now
from zuinig.core.types import MemoryStatus, Reach, Source, SuggestionKind, SuggestionStatus
from zuinig.memory.candidates import by_vector
from zuinig.retrieval import shelves

_IDS = re.compile(r"\b((?:doc|mem)_[0-9a-f]+)\b")
# An answer and the memory that it became are written in one transaction.
_APART = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Provenance:
    """maker: who wrote it, or whose question it answered first. collections: what it was asked of; none for all.

    answer_id, model: of the answer that became the memory.
    """

    maker: str | None
    collections: Sequence[str]
    answer_id: str | None
    model: str | None


@dataclass(frozen=True, slots=True)
class Was:
    """What a reader was answered, and corrected."""

    answer: str
    citations: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a sentence. href: the page of the document or the memory that it names."""

    text: str
    href: str | None = None


class Sentences:
    """What the service noted, with links to what it names. titles: of the documents that the reader may see, by id."""

    def __init__(self, titles: dict[str, str]) -> None:
        self._titles = titles

    def pieces(self, text: str | None) -> list[Piece]:
        return [self._piece(part) for part in _IDS.split(text or "") if part]

    def _piece(self, part: str) -> Piece:
        if part in self._titles:
            return Piece(self._titles[part], f"/portal/documents/{part}")
        if part.startswith("mem_") and _IDS.fullmatch(part):
            return Piece(part, f"/portal/memories/{part}")
        return Piece(part)


def sentences(session: Session, texts: Iterable[str | None], readable: frozenset[int] | None) -> Sentences:
    """texts: those that will be shown."""
    ids = {i for text in texts for i in _IDS.findall(text or "") if i.startswith("doc_")}
    wanted = sa.select(Document.id, Document.title).where(Document.id.in_(sorted(ids)), shelves.on(readable))
    return Sentences({row.id: row.title for row in session.execute(wanted)} if ids else {})


def provenance(session: Session, memory_id: int) -> Provenance:
    """Of a memory that is there."""
    memory = session.scalars(sa.select(Memory).where(Memory.id == memory_id)).one()
    maker = auth.name_of(session, memory.created_by)
    known = shelves.names(session)
    names = sorted({known[i] for i in Reach.of_scope(memory.scope).named or () if i in known})
    # The books have an index by time, the answers none by memory.
    first = session.execute(
        sa.select(Answer.id, LedgerEntry.model)
        .join(Answer, Answer.id == LedgerEntry.answer_id)
        .where(
            LedgerEntry.created_at.between(memory.created_at - _APART, memory.created_at + _APART),
            Answer.memory_id == memory_id,
            Answer.source != Source.MEMORY,
        )
        .limit(1)
    ).first()
    return Provenance(
        maker=maker,
        collections=names,
        answer_id=first.id if first is not None else None,
        model=first.model if first is not None else None,
    )


def near(served: Services, memory_id: int, limit: int) -> list[int]:
    """The other memories in service whose question, or a wording of it, is nearest; nearest first."""
    with served.db.read() as session:
        vector = session.scalar(
            sa.select(Memory.vector).where(Memory.id == memory_id, Memory.embedder == served.embedder.id)
        )
        if vector is None:
            return []
        own = np.frombuffer(vector, np.float32)[np.newaxis]
        found, _ = by_vector(session, served.memories, served.wordings, own, limit + 1)
    return [i for i in dict.fromkeys(x.memory.id for x in found[0]) if i != memory_id][:limit]


def due(m: MemoryOut) -> bool:
    """Whether it waits for a look, now."""
    return m.status == MemoryStatus.HELD or (m.review_at is not None and m.review_at <= now())


def state(m: MemoryOut) -> str:
    """Its status, or `expired` for what would be in service."""
    expired = m.status == MemoryStatus.LIVE and m.expires_at is not None and m.expires_at <= now()
    return "expired" if expired else m.status.value


def waiting(served: Services) -> int:
    """How many decisions are asked for: of a memory and its correction one; gaps ask for an answer, not for those."""
    opened = sa.and_(Suggestion.status == SuggestionStatus.OPEN, Suggestion.kind != SuggestionKind.GAP)
    corrected = sa.select(Suggestion.memory_id).where(
        opened, Suggestion.kind == SuggestionKind.CORRECTION, Suggestion.memory_id.is_not(None)
    )
    with served.db.read() as session:
        return sum(
            session.scalar(sa.select(sa.func.count()).where(which)) or 0
            for which in (opened, sa.and_(Memory.review_at <= now(), Memory.id.not_in(corrected)))
        )


def answered(session: Session, found: Iterable[Suggestion]) -> dict[str, Was]:
    """By the id of the correction: what was answered, where that is still known."""
    wanted = {s.answer_id: s.id for s in found if s.answer_id is not None}
    rows = session.scalars(sa.select(Answer).where(Answer.id.in_(sorted(wanted))))
    return {wanted[a.id]: Was(a.answer, a.citations) for a in rows}


def changed(sent: str | None, present: str) -> str | None:
    """What was sent, where it says something else: a browser's line ends and outer space are nothing else."""
    if sent is None or _plain(sent) == _plain(present):
        return None
    return sent


def _plain(text: str) -> str:
    return "\n".join(text.splitlines()).strip()
