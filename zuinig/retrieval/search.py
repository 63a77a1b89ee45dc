"""The one door to passages: hybrid search, words and meaning, over live document versions only."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import Database, in_parts
from zuinig.core.errors import NotFound
from zuinig.core.tables import Collection, Document, DocumentVersion, Passage
from zuinig.core.types import Flag, Hit, Reach
from zuinig.retrieval import lexical
from zuinig.retrieval.embed import Embedder, Vectors
from zuinig.retrieval.index import VectorIndex
from zuinig.retrieval.shelves import main_of, of_collections, shown

_CANDIDATES = 50
_FEW = 2_000
_TRIES = 5


class Search:
    def __init__(self, db: Database, embedder: Embedder, index: VectorIndex) -> None:
        self._db, self._embedder, self._index = db, embedder, index

    def search(
        self,
        query: str,
        limit: int,
        *,
        shelves: Sequence[int] | None = None,
        vector: Vectors | None = None,
    ) -> list[Hit]:
        """Best first. vector: (1, d), the query's own, where the caller has it already. shelves: None for all."""
        if vector is None:
            vector = self._embedder.embed([query])
        wanted = max(_CANDIDATES, limit)
        for last in (*[False] * (_TRIES - 1), True):
            with self._db.read() as session:
                by_words = lexical.search(session, query, wanted, shelves)
                near, of_snapshot = self._nearest(session, vector, wanted, shelves)
                if of_snapshot or last:
                    return self._rank(session, vector, by_words, near, shelves)[:limit]
        raise AssertionError("unreachable")

    def seen(self) -> int:
        """The last change of the passages that a search from now on takes into account."""
        return self._index.catch_up()

    def _nearest(
        self, session: Session, vector: Vectors, wanted: int, shelves: Sequence[int] | None
    ) -> tuple[dict[int, float], bool]:
        """Passage id -> cosine, and whether index and session agree.

        Of few passages each is compared, so that none is missed; among many the index is asked for more until the
        filter leaves enough.
        """
        if shelves is not None and (few := self._few(session, vector, wanted, shelves)) is not None:
            return few, True
        if shelves is None:
            ids, scores, of_snapshot = self._index.search(session, vector, wanted)
        else:
            on = partial(_inside, session, shelves=shelves)
            ids, scores, of_snapshot = self._index.search_among(session, vector, wanted, on)
        return dict(zip(ids[0].tolist(), scores[0].tolist(), strict=True)), of_snapshot

    def _few(self, session: Session, vector: Vectors, wanted: int, shelves: Sequence[int]) -> dict[int, float] | None:
        """The nearest by the vectors in SQL; None where there are too many to compare them all."""
        on = Document.shelf_id.in_(shelves)
        ids = session.scalars(_live_passages().where(on).limit(_FEW + 1)).all()
        if len(ids) > _FEW:
            return None
        known, vectors = self._index.vectors(session, ids)
        cosines = vectors @ vector[0]
        best = np.argsort(-cosines, kind="stable")[:wanted]
        return dict(zip(known[best].tolist(), cosines[best].tolist(), strict=True))

    def _rank(
        self,
        session: Session,
        vector: Vectors,
        by_words: Mapping[int, float],
        near: Mapping[int, float],
        shelves: Sequence[int] | None,
    ) -> list[Hit]:
        rows = _rows(session, {*by_words, *near}, shelves)
        if not rows:
            return []
        cosine = {
            r.id: near[r.id]
            if r.id in near
            else float(np.frombuffer(r.vector, np.float32) @ vector[0])
            if r.embedder == self._embedder.id
            else 0.0
            for r in rows
        }
        scores = fuse([cosine[r.id] for r in rows], [by_words.get(r.id, 0.0) for r in rows])
        ranked = sorted(zip(rows, scores, strict=True), key=lambda pair: (-pair[1], pair[0].id))
        return [
            Hit(
                passage_id=r.id,
                document_id=r.document_id,
                version_id=r.version_id,
                version=r.number,
                title=r.title,
                filename=r.filename,
                collection=r.collection,
                text=r.text,
                context=r.context,
                page=r.page,
                start=r.start,
                end=r.end,
                content_hash=r.content_hash,
                score=round(score, 4),
                similarity=round(cosine[r.id], 4),
                flags=Flag.read(r.flags),
            )
            for r, score in ranked
        ]

    def reach(self, names: Iterable[str] | None, readable: frozenset[int] | None = None) -> Reach:
        """What is asked of, by name. Raises NotFound for a name that no collection has that the asker may read."""
        ids = self.collection_ids(names, readable)
        if ids is None:
            return Reach(None, readable)
        with self._db.read() as session:
            return Reach(tuple(of_collections(session, ids)), readable)

    def scope_for(self, collection: str | None) -> str:
        """Of what a curator writes for the readers of a collection, or for everybody. Raises NotFound."""
        ids = self.collection_ids([collection] if collection is not None else None)
        if ids is None:
            return Reach().scope
        with self._db.read() as session:
            return Reach((main_of(session, ids[0]).id,)).scope

    def collection_ids(self, names: Iterable[str] | None, readable: frozenset[int] | None = None) -> list[int] | None:
        """None stays None: all. Raises NotFound for a name that no readable collection has."""
        if names is None:
            return None
        wanted = list(dict.fromkeys(names))
        known = sa.select(Collection.name, Collection.id).where(Collection.name.in_(wanted), shown(readable))
        with self._db.read() as session:
            found = {row.name: row.id for row in session.execute(known)}
        for name in wanted:
            if name not in found:
                raise NotFound(f"There is no collection named {name[:100]!r}.", param="collections")
        return sorted(found.values())


def fuse(cosines: Sequence[float], bm25: Sequence[float]) -> list[float]:
    """Sum of z-normalised scores over the union of the candidates.

    Reciprocal rank fusion throws away what the scores know: docs/benchmarks.md has both side by side.
    """
    return [a + b for a, b in zip(_z(cosines), _z(bm25), strict=True)]


def _z(values: Sequence[float]) -> list[float]:
    array = np.asarray(values, np.float64)
    spread = float(array.std())
    result: list[float] = ((array - array.mean()) / spread).tolist() if spread > 1e-9 else [0.0] * len(values)
    return result


def _live_passages() -> sa.Select[int]:
    return (
        sa.select(Passage.id)
        .join(DocumentVersion, Passage.version_id == DocumentVersion.id)
        .join(Document, DocumentVersion.document_id == Document.id)
        .where(DocumentVersion.live)
    )


def _inside(session: Session, ids: Sequence[int], shelves: Sequence[int]) -> set[int]:
    inside: set[int] = set()
    # No expression has an index: SQLite would else begin at the shelf, with all that stands on it.
    on = (Document.shelf_id + 0).in_(shelves)
    for part in in_parts(ids):
        inside.update(session.scalars(_live_passages().where(Passage.id.in_(part), on)))
    return inside


def _rows(session: Session, ids: set[int], shelves: Sequence[int] | None) -> Sequence[sa.Row[*tuple[Any, ...]]]:
    """What a reader may see of these passages: of live versions on those shelves, whatever an index still holds."""
    allowed = sa.true() if shelves is None else Document.shelf_id.in_(shelves)
    return session.execute(
        sa.select(
            Passage.id,
            Passage.version_id,
            Passage.text,
            Passage.context,
            Passage.page,
            Passage.start,
            Passage.end,
            Passage.content_hash,
            Passage.vector,
            Passage.flags,
            DocumentVersion.number,
            DocumentVersion.filename,
            DocumentVersion.embedder,
            DocumentVersion.document_id,
            Document.title,
            Collection.name.label("collection"),
        )
        .join(DocumentVersion, Passage.version_id == DocumentVersion.id)
        .join(Document, DocumentVersion.document_id == Document.id)
        .join(Collection, Document.collection_id == Collection.id)
        .where(Passage.id.in_(ids), DocumentVersion.live, allowed)
    ).all()
