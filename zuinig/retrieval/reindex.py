"""Making indexes anew from the rows, after another embedder was chosen or whenever in doubt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import Database, in_parts
from zuinig.core.tables import DocumentVersion, Memory, Passage, Wording
from zuinig.core.types import ProgressReport
from zuinig.retrieval import lexical
from zuinig.retrieval.embed import Embedder
from zuinig.retrieval.index import Name, VectorIndex, changed

_BATCH = 256
_QUESTIONS: tuple[tuple[type[Memory] | type[Wording], Name], ...] = ((Memory, "memories"), (Wording, "wordings"))
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reindexed:
    embedded: int


def waiting(db: Database, embedder: str) -> int:
    """How many passages and memories have vectors of another embedder, and so are found by words alone."""
    with db.read() as session:
        passages = session.scalar(sa.select(sa.func.count()).select_from(_passages(embedder).subquery()))
        questions = [
            session.scalar(sa.select(sa.func.count()).select_from(table).where(table.embedder != embedder))
            for table, _ in _QUESTIONS
        ]
    return sum(n or 0 for n in (passages, *questions))


def _passages(embedder: str) -> sa.Select[int, int]:
    return (
        sa.select(Passage.id, Passage.version_id)
        .join(DocumentVersion, DocumentVersion.id == Passage.version_id)
        .where(DocumentVersion.live, DocumentVersion.embedder != embedder)
    )


def reindex(
    db: Database, embedder: Embedder, indexes: Sequence[VectorIndex], *, progress: ProgressReport | None = None
) -> Reindexed:
    """Embed what another embedder made, a document at a time, then rebuild full text and vector indexes."""
    total, done = waiting(db, embedder.id), 0
    with db.read() as session:
        versions = list(dict.fromkeys(row.version_id for row in session.execute(_passages(embedder.id))))
        questions = [
            (table, name, session.scalars(sa.select(table.id).where(table.embedder != embedder.id)).all())
            for table, name in _QUESTIONS
        ]
    for version_id in versions:
        done += _version(db, embedder, version_id)
        if progress is not None:
            progress(done, total)
    for table, name, ids in questions:
        for batch in in_parts(ids, _BATCH):
            _embed_questions(db, embedder, table, name, batch)
            done += len(batch)
            if progress is not None:
                progress(done, total)
    with db.write() as session:
        lexical.rebuild(session)
    for index in indexes:
        index.rebuild()
    return Reindexed(done)


def _embed_questions(
    db: Database, embedder: Embedder, table: type[Memory] | type[Wording], name: Name, ids: Sequence[int]
) -> None:
    with db.read() as session:
        rows = session.execute(sa.select(table.id, table.question).where(table.id.in_(ids))).all()
    vectors = embedder.embed([row.question for row in rows])
    with db.write() as session:
        for row, vector in zip(rows, vectors, strict=True):
            values = {"vector": vector.tobytes(), "embedder": embedder.id}
            session.execute(sa.update(table).where(table.id == row.id).values(values))
        changed(session, name, ids, added=True)


def embedded_text(context: str, text: str) -> str:
    """A passage as it is embedded."""
    return f"{context}\n{text}" if context else text


def adopt(db: Database, copy: Database, embedder: str) -> int:
    """Take over the vectors that the embedder made in a copy, all in one transaction; returns how many.

    What came, went or changed since the copy was made is left as it is. Nothing is told to the followers of an index:
    one of the old embedder keeps the vectors that it has in memory, one of the new is made anew at its start.
    """
    taken = 0
    with copy.read() as source, db.write() as session:
        live = sa.select(DocumentVersion.id).where(DocumentVersion.live)
        versions = source.scalars(live.where(DocumentVersion.embedder == embedder)).all()
        still = sorted(set(session.scalars(live)) & set(versions))
        for part in in_parts(still, _BATCH):
            rows = source.execute(sa.select(Passage.id, Passage.vector).where(Passage.version_id.in_(part))).all()
            values = [{"id": row.id, "vector": row.vector, "embed_hash": ""} for row in rows]
            if values:
                session.execute(sa.update(Passage), values)
            session.execute(sa.update(DocumentVersion).where(DocumentVersion.id.in_(part)).values(embedder=embedder))
            taken += len(rows)
        for table, _ in _QUESTIONS:
            asked = {row.id: row.question for row in session.execute(sa.select(table.id, table.question))}
            made = source.execute(
                sa.select(table.id, table.question, table.vector).where(table.embedder == embedder)
            ).all()
            values = [
                {"id": r.id, "vector": r.vector, "embedder": embedder} for r in made if asked.get(r.id) == r.question
            ]
            if values:
                session.execute(sa.update(table), values)
            taken += len(values)
    return taken


def _version(db: Database, embedder: Embedder, version_id: int) -> int:
    """All passages of a version in one transaction: its vectors are of the one model or of the other."""
    with db.read() as session:
        rows = session.execute(
            sa.select(Passage.id, Passage.context, Passage.text).where(Passage.version_id == version_id)
        ).all()
    texts = [embedded_text(row.context, row.text) for row in rows]
    vectors = [v for batch in in_parts(texts, _BATCH) for v in embedder.embed(batch)]
    with db.write() as session:
        version = session.get(DocumentVersion, version_id)
        if version is None or not version.live:
            return 0  # replaced or deleted meanwhile
        _store(session, [row.id for row in rows], [v.tobytes() for v in vectors])
        version.embedder = embedder.id
    return len(rows)


def _store(session: Session, ids: Sequence[int], vectors: Sequence[bytes]) -> None:
    for passage_id, vector in zip(ids, vectors, strict=True):
        # The old embed_hash would pass the new vector off as one of the old embedder.
        values = {"vector": vector, "embed_hash": ""}
        session.execute(sa.update(Passage).where(Passage.id == passage_id).values(values))
    changed(session, "passages", ids, added=True)
