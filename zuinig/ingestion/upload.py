"""Accepting, replacing and deleting documents. A document is known by its collection and path, and by its bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import Database
from zuinig.core.errors import DocumentError, NotFound, TooLarge
from zuinig.core.tables import Collection, Document, DocumentVersion, Passage, now
from zuinig.core.types import ENDED, DocumentStatus
from zuinig.ingestion.files import Files, clean_path
from zuinig.retrieval import lexical, shelves
from zuinig.retrieval.index import changed

Outcome = Literal["created", "replaces", "unchanged"]
DEFAULT_COLLECTION = "default"

# Called in the transaction in which a document is deleted, or gets other readers than those of the shelf (by its id)
# that it stood on; the dialog memory listens.
OnDelete = Callable[[Session, str], None]
OnMove = Callable[[Session, str, int], None]


@dataclass(frozen=True, slots=True)
class Accepted:
    document_id: str
    version: int
    outcome: Outcome


class Uploads:
    def __init__(
        self,
        db: Database,
        files: Files,
        *,
        max_bytes: int,
        on_delete: OnDelete,
        on_move: OnMove,
        open_to_all: bool = True,
    ) -> None:
        """open_to_all: whether everybody may read a collection that an upload makes."""
        self._db, self._files, self._max_bytes = db, files, max_bytes
        self._on_delete, self._on_move = on_delete, on_move
        self._readers = None if open_to_all else ()

    def accept(
        self,
        name: str,
        stream: IO[bytes],
        collection: str,
        *,
        document_id: str | None = None,
        by: str | None = None,
        readers: Sequence[str] | None = None,
    ) -> Accepted:
        """Keep the bytes and queue them. When this returns, a kill no longer loses them.

        document_id: the document of which these bytes are the next version; without it, the one of that collection
        and path. readers: ids of the groups that alone read the document, where these bytes are new to it; None leaves
        it to those who read it, or its collection, already. Raises DocumentError, TooLarge, NotFound.
        """
        path = clean_path(name)
        with self._files.receive(stream) as (received, sha256, size):
            if size == 0:
                raise DocumentError("This file is empty; check that it was saved and upload it again.", code="empty")
            if size > self._max_bytes:
                raise TooLarge(
                    f"This file has {size / 1e6:.1f} MB; the limit is {self._max_bytes / 1e6:.0f} MB. "
                    "Split it, or have ZUINIG_MAX_UPLOAD_MB raised.",
                )
            with self._db.write() as session:
                document = self._document(session, path, sha256, collection, document_id, by)
                accepted = _register(session, document, path, sha256, size)
                if readers is not None and accepted.outcome != "unchanged":
                    self._give_to(session, document, readers, new=accepted.outcome == "created")
                # Under the write lock, so that no deletion of the same bytes comes between row and file.
                self._files.keep(received, sha256)
            return accepted

    def delete(self, document_id: str) -> None:
        """Gone from search, index, full text and memory in one transaction, then from disk. Raises NotFound."""
        with self._db.write() as session:
            get(session, document_id)
            self._on_delete(session, document_id)
            hashes = set(
                session.scalars(sa.select(DocumentVersion.sha256).where(DocumentVersion.document_id == document_id))
            )
            for version_id in session.scalars(
                sa.select(DocumentVersion.id).where(DocumentVersion.document_id == document_id)
            ).all():
                remove_passages(session, version_id)
            session.execute(sa.delete(Document).where(Document.id == document_id))
        remove_unused(self._db, self._files, hashes)

    def _give_to(self, session: Session, document: Document, readers: Sequence[str], *, new: bool) -> None:
        """Before any worker sees the version: at no moment do others read it."""
        before = document.shelf_id
        # Of a new document nothing was answered yet.
        if shelves.move(session, document, readers, own=True) and not new:
            self._on_move(session, document.id, before)

    def _document(
        self, session: Session, path: str, sha256: str, collection: str, document_id: str | None, by: str | None
    ) -> Document:
        """The one that these bytes are a version of, made where there is none."""
        if document_id is not None:
            return get(session, document_id)
        known = session.scalar(sa.select(Collection).where(Collection.name == collection))
        home = known or shelves.made(session, collection, self._readers)
        inside = sa.select(Document).where(Document.collection_id == home.id).limit(1)
        # The path first: a file that became a copy of another must not go on answering with its old text.
        document = session.scalar(inside.where(Document.path == path)) or session.scalar(
            inside.where(Document.sha256 == sha256)
        )
        if document is None:
            document = Document(
                collection_id=home.id,
                shelf_id=shelves.main_of(session, home.id).id,
                uploaded_by=by,
                path=path,
                filename=PurePosixPath(path).name,
                title=PurePosixPath(path).stem,
                sha256=sha256,
            )
            session.add(document)
            session.flush()
        return document


def _register(session: Session, document: Document, path: str, sha256: str, size: int) -> Accepted:
    newest = session.scalars(
        sa.select(DocumentVersion)
        .where(DocumentVersion.document_id == document.id)
        .order_by(DocumentVersion.number.desc())
        .limit(1)
    ).one_or_none()
    if newest is None:
        return _queue(session, document, path, sha256, size, "created")
    document.sent_at = now()
    if newest.sha256 == sha256 and newest.status not in (DocumentStatus.FAILED, DocumentStatus.CANCELLED):
        return Accepted(document.id, newest.number, "unchanged")
    return _queue(session, document, path, sha256, size, "replaces")


def _queue(session: Session, document: Document, path: str, sha256: str, size: int, outcome: Outcome) -> Accepted:
    # What is still on its way is superseded: only the newest bytes are worth reading.
    session.execute(
        sa.update(DocumentVersion)
        .where(DocumentVersion.document_id == document.id, DocumentVersion.status.not_in(ENDED))
        .values(status=DocumentStatus.CANCELLED, ended_at=now())
    )
    last = session.scalar(
        sa.select(sa.func.max(DocumentVersion.number)).where(DocumentVersion.document_id == document.id)
    )
    version = DocumentVersion(
        document_id=document.id,
        number=(last or 0) + 1,
        filename=PurePosixPath(path).name,
        sha256=sha256,
        bytes=size,
        status=DocumentStatus.QUEUED,
    )
    document.sha256 = sha256
    document.updated_at = now()
    session.add(version)
    session.flush()
    return Accepted(document.id, version.number, outcome)


def get(session: Session, document_id: str) -> Document:
    """Raises NotFound."""
    document = session.get(Document, document_id)
    if document is None:
        raise NotFound("There is no such document; it may have been deleted.")
    return document


def remove_passages(session: Session, version_id: int) -> None:
    """Take a version's passages out of the rows, the full text and the vector index."""
    ids = session.scalars(sa.select(Passage.id).where(Passage.version_id == version_id)).all()
    lexical.remove_version(session, version_id)
    changed(session, "passages", ids, added=False)
    session.execute(sa.delete(Passage).where(Passage.version_id == version_id))


def _needs_bytes() -> sa.Select[str]:
    """The hashes of all versions but those that a newer one replaced."""
    return sa.select(DocumentVersion.sha256).where(DocumentVersion.status != DocumentStatus.RETIRED)


def remove_unused(db: Database, files: Files, hashes: set[str]) -> None:
    """Delete those files that no version needs any more; after the transaction that made them so."""
    if not hashes:
        return
    with db.write() as session:
        used = set(session.scalars(_needs_bytes().where(DocumentVersion.sha256.in_(hashes))))
        for sha256 in hashes - used:
            files.remove(sha256)


def sweep(db: Database, files: Files) -> int:
    """At the start: remove files that no row names. Returns how many."""
    with db.write() as session:
        return files.sweep(set(session.scalars(_needs_bytes())))


def content_path(files: Files, sha256: str) -> Path:
    """Raises NotFound when the bytes are not there any more."""
    path = files.path(sha256)
    if not path.is_file():
        raise NotFound("The original file is not kept any more.")
    return path
