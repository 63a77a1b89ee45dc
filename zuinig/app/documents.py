"""Documents as a reader sees them: one state each, out of the version that answers and the one on its way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from zuinig.core.db import Database, in_parts
from zuinig.core.errors import NotFound
from zuinig.core.tables import Collection, Document, DocumentVersion, Passage
from zuinig.core.types import DocumentStatus
from zuinig.ingestion.files import Files
from zuinig.ingestion.upload import content_path
from zuinig.retrieval import shelves
from zuinig.retrieval.shelves import Readable


@dataclass(frozen=True, slots=True)
class DocumentError:
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class DocumentView:
    """version: the one that answers, else the newest. status, error, progress: of the newest that was not cancelled."""

    id: str
    filename: str
    path: str
    title: str
    collection: str
    collection_id: int
    version: int
    status: DocumentStatus
    error: DocumentError | None
    searchable: bool
    bytes: int
    media_type: str | None
    pages: int | None
    passages: int
    progress: int  # percent of the work at hand
    flagged: int  # passages and hidden texts that seem to speak to a language model
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class HiddenText:
    """how: see `core.types.Hidden`. instruction: whether it seems to speak to a language model."""

    how: str
    text: str
    page: int | None
    instruction: bool


@dataclass(frozen=True, slots=True)
class Content:
    path: Path
    filename: str
    media_type: str | None


@dataclass(frozen=True, slots=True)
class Suspected:
    """What in a document seems to speak to a language model, and what its reader does not see and was left out."""

    passages: list[Passage]
    hidden: list[HiddenText]


_MOST_SUSPECTED = 200
_IS_FLAGGED = sa.and_(DocumentVersion.live, DocumentVersion.flagged > 0)


class Documents:
    """readable: the ids of the shelves that the reader may read, None for all; what stands on others is not there."""

    def __init__(self, db: Database, files: Files) -> None:
        self._db, self._files = db, files

    def get(self, document_id: str, readable: Readable = None) -> DocumentView:
        """Raises NotFound."""
        with self._db.read() as session:
            row = session.execute(_rows(readable).where(Document.id == document_id)).first()
            if row is None:
                raise NotFound("There is no such document; it may have been deleted.")
            return _views(session, [row])[0]

    def page(
        self,
        *,
        limit: int,
        after: str | None = None,
        collection: str | None = None,
        status: str | None = None,
        flagged: bool = False,
        readable: Readable = None,
    ) -> tuple[list[DocumentView], bool]:
        """Newest first, and whether there are more. flagged: only those that have something flagged."""
        query = _rows(readable).order_by(Document.id.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(Document.id < after)
        if collection is not None:
            query = query.where(Collection.name == collection)
        if flagged:
            query = query.where(Document.id.in_(sa.select(DocumentVersion.document_id).where(_IS_FLAGGED)))
        with self._db.read() as session:
            if status is None:
                rows = session.execute(query).all()
                return _views(session, rows[:limit]), len(rows) > limit
            # The state of a document is worked out from its versions; walk the pages until enough fit.
            found: list[DocumentView] = []
            while len(found) <= limit:
                rows = session.execute(query).all()
                found += [v for v in _views(session, rows) if v.status == status]
                if len(rows) <= limit:
                    break
                query = query.where(Document.id < rows[-1].Document.id)
            return found[:limit], len(found) > limit

    def counts(self, readable: Readable = None) -> dict[str, int]:
        """Versions by state, for metrics and the portal's header."""
        counted = sa.select(DocumentVersion.status, sa.func.count()).group_by(DocumentVersion.status)
        if readable is not None:
            counted = counted.join(Document, Document.id == DocumentVersion.document_id).where(shelves.on(readable))
        with self._db.read() as session:
            rows = session.execute(counted)
            return {str(status): n for status, n in rows}

    def collections(self, readable: Readable = None) -> dict[int, str]:
        """Names by id, in the order of the names."""
        wanted = sa.select(Collection.id, Collection.name).where(shelves.shown(readable)).order_by(Collection.name)
        with self._db.read() as session:
            return {row.id: row.name for row in session.execute(wanted)}

    def content(self, document_id: str, readable: Readable = None) -> Content:
        """The original file of the version that answers, else of the newest. Raises NotFound."""
        with self._db.read() as session:
            version = _answering(session, document_id, readable)
            return Content(content_path(self._files, version.sha256), version.filename, version.media_type)

    def text(self, document_id: str, readable: Readable = None) -> tuple[DocumentView, str]:
        """The extracted text that citations point into. Raises NotFound."""
        with self._db.read() as session:
            version = _answering(session, document_id, readable)
        return self.get(document_id, readable), version.text or ""

    def passages(
        self, document_id: str, *, limit: int, after: int = -1, readable: Readable = None
    ) -> tuple[list[Passage], bool]:
        """In order, those after the ordinal `after`, and whether there are more. Raises NotFound."""
        with self._db.read() as session:
            version = _answering(session, document_id, readable)
            rows = session.scalars(
                sa.select(Passage)
                .where(Passage.version_id == version.id, Passage.ordinal > after)
                .order_by(Passage.ordinal)
                .limit(limit + 1)
            ).all()
            return list(rows[:limit]), len(rows) > limit

    def suspected(self, document_id: str, readable: Readable = None) -> Suspected:
        """Of the version that answers. Raises NotFound."""
        with self._db.read() as session:
            version = _answering(session, document_id, readable)
            passages = session.scalars(
                sa.select(Passage)
                .where(Passage.version_id == version.id, Passage.flags.is_not(None))
                .order_by(Passage.ordinal)
                .limit(_MOST_SUSPECTED)
            ).all()
            return Suspected(list(passages), [HiddenText(**h) for h in version.hidden])


def _rows(readable: Readable = None) -> sa.Select[Document, str]:
    return (
        sa.select(Document, Collection.name.label("collection"))
        .join(Collection, Document.collection_id == Collection.id)
        .where(shelves.on(readable))
    )


def _answering(session: Session, document_id: str, readable: Readable) -> DocumentVersion:
    version = session.scalars(
        sa.select(DocumentVersion)
        .join(Document, Document.id == DocumentVersion.document_id)
        .options(undefer(DocumentVersion.text), undefer(DocumentVersion.hidden))
        .where(DocumentVersion.document_id == document_id, shelves.on(readable))
        .order_by(DocumentVersion.live.desc(), DocumentVersion.number.desc())
        .limit(1)
    ).first()
    if version is None:
        raise NotFound("There is no such document; it may have been deleted.")
    return version


def _views(session: Session, rows: Sequence[sa.Row[Document, str]]) -> list[DocumentView]:
    ids = [row.Document.id for row in rows]
    versions: dict[str, list[DocumentVersion]] = {}
    for version in _in_batches(session, ids):
        versions.setdefault(version.document_id, []).append(version)
    return [_view(row.Document, row.collection, versions[row.Document.id]) for row in rows]


def _in_batches(session: Session, ids: Sequence[str]) -> Iterator[DocumentVersion]:
    for part in in_parts(ids):
        yield from session.scalars(
            sa.select(DocumentVersion)
            .where(DocumentVersion.document_id.in_(part), DocumentVersion.status != DocumentStatus.RETIRED)
            .order_by(DocumentVersion.number)
        )


def _view(document: Document, collection: str, versions: Sequence[DocumentVersion]) -> DocumentView:
    live = next((v for v in versions if v.live), None)
    kept = [v for v in versions if v.status != DocumentStatus.CANCELLED]
    newest = (kept or versions)[-1]
    shown = live or newest
    error = DocumentError(newest.error_code, newest.error_reason or "") if newest.error_code else None
    return DocumentView(
        id=document.id,
        filename=document.filename,
        path=document.path,
        title=document.title,
        collection=collection,
        collection_id=document.collection_id,
        version=shown.number,
        status=DocumentStatus(newest.status),
        error=error,
        searchable=live is not None,
        bytes=shown.bytes,
        media_type=shown.media_type,
        pages=shown.pages,
        passages=shown.passages_total if live is not None else newest.passages_done,
        progress=_percent(newest),
        flagged=shown.flagged or 0,
        created_at=document.created_at,
        updated_at=document.updated_at,
    )


def _percent(version: DocumentVersion) -> int:
    """Reading is the first tenth; embedding, whose length is known, is the rest."""
    match version.status:
        case DocumentStatus.READY:
            return 100
        case DocumentStatus.PARSING:
            return 5
        case DocumentStatus.EMBEDDING:
            return 10 + (90 * version.passages_done // version.passages_total if version.passages_total else 0)
    return 0
