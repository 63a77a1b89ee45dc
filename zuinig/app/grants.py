"""Who may read and edit: said of a collection, or of one document. It counts from the next request on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.app import rights
from zuinig.app.people import group_ids
from zuinig.core.db import Database
from zuinig.core.errors import BadRequest, NotFound
from zuinig.core.tables import Collection, Document, DocumentVersion, Group, Shelf
from zuinig.core.types import Principal
from zuinig.ingestion import upload
from zuinig.memory.freshness import Freshness
from zuinig.retrieval import shelves


@dataclass(frozen=True, slots=True)
class Readers:
    """groups: their names; None for everybody. own: said of the document itself, not of its collection."""

    groups: tuple[str, ...] | None
    own: bool


@dataclass(frozen=True, slots=True)
class CollectionGrants:
    """readers: names of groups; None for everybody. editors: names of groups, which read everything in it.

    apart: how many of its documents have readers of their own.
    """

    id: int
    name: str
    readers: tuple[str, ...] | None
    editors: tuple[str, ...]
    documents: int
    apart: int


class Grants:
    def __init__(self, db: Database, freshness: Freshness) -> None:
        self._db, self._freshness = db, freshness

    def collections(self, readable: shelves.Readable = None) -> list[CollectionGrants]:
        """By name; those of which something may be read, with the documents that may be."""
        with self._db.read() as session:
            wanted = sa.select(Collection).where(shelves.shown(readable)).order_by(Collection.name)
            return [_grants(session, c, readable) for c in session.scalars(wanted)]

    def collection(self, name: str) -> CollectionGrants:
        """Raises NotFound."""
        with self._db.read() as session:
            return _grants(session, _collection(session, name), None)

    def set_collection(self, name: str, *, readers: Sequence[str] | None, editors: Iterable[str]) -> CollectionGrants:
        """readers, editors: names of groups; readers None for everybody. Makes the collection where there is none.

        Raises NotFound for a group.
        """
        if not name.strip():
            raise BadRequest("A collection has a name.", param="name")
        with self._db.write() as session:
            ids = sorted(group_ids(session, readers)) if readers is not None else None
            collection = session.scalar(sa.select(Collection).where(Collection.name == name))
            if collection is None:
                collection = shelves.made(session, name, ids)
            shelves.main_of(session, collection.id).readers = ids
            collection.editors = sorted(group_ids(session, editors))
            session.flush()
            return _grants(session, collection, None)

    def require_edit(self, principal: Principal, collection: str) -> None:
        """Before an upload into the collection of that name, which may not be there yet. Raises Forbidden."""
        if principal.editable is not None:
            with self._db.read() as session:
                known = session.scalar(sa.select(Collection.id).where(Collection.name == collection))
            rights.require_edit(principal, known)

    def require_edit_of(self, principal: Principal, document_id: str) -> None:
        """Before a change of the document. Raises NotFound for one that the principal may not read, Forbidden."""
        visible = sa.select(Document.collection_id).where(Document.id == document_id, shelves.on(principal.readable))
        with self._db.read() as session:
            known = session.scalar(visible)
        if known is None:
            raise NotFound("There is no such document; it may have been deleted.")
        rights.require_edit(principal, known)

    def readers(self, document_id: str) -> Readers:
        """Raises NotFound."""
        with self._db.read() as session:
            return _readers(session, upload.get(session, document_id))

    def set_document(self, document_id: str, readers: Sequence[str] | None, *, own: bool) -> Readers:
        """Readers of its own, by name of their groups and None for everybody; or again those of its collection.

        Raises NotFound.
        """
        swapped = self._freshness.foresee_move(document_id)
        with self._db.write() as session:
            document = upload.get(session, document_id)
            ids = group_ids(session, readers) if readers is not None and own else None
            before = document.shelf_id
            if shelves.move(session, document, ids, own=own):
                self._freshness.moved(session, document_id, before)
                # On its new shelf it is new to those who read there.
                live = session.scalar(_live(document_id))
                if live is not None:
                    swapped(session, document_id, live)
            return _readers(session, document)


def _live(document_id: str) -> sa.Select[int]:
    return sa.select(DocumentVersion.id).where(DocumentVersion.document_id == document_id, DocumentVersion.live)


def _collection(session: Session, name: str) -> Collection:
    found = session.scalar(sa.select(Collection).where(Collection.name == name))
    if found is None:
        raise NotFound(f"There is no collection named {name[:100]!r}.", param="collection")
    return found


def _readers(session: Session, document: Document) -> Readers:
    shelf = session.scalars(sa.select(Shelf).where(Shelf.id == document.shelf_id)).one()
    return Readers(_names(session, shelf.readers), own=not shelf.main)


def _grants(session: Session, collection: Collection, readable: shelves.Readable) -> CollectionGrants:
    main = shelves.main_of(session, collection.id)
    on_main = (Document.shelf_id == main.id).label("on_main")
    counted = sa.select(on_main, sa.func.count()).where(Document.collection_id == collection.id, shelves.on(readable))
    count = {bool(on): n for on, n in session.execute(counted.group_by(on_main))}
    return CollectionGrants(
        id=collection.id,
        name=collection.name,
        readers=_names(session, main.readers),
        editors=_names(session, collection.editors) or (),
        documents=sum(count.values()),
        apart=count.get(False, 0),
    )


def _names(session: Session, ids: Sequence[str] | None) -> tuple[str, ...] | None:
    if ids is None:
        return None
    return tuple(session.scalars(sa.select(Group.name).where(Group.id.in_(ids)).order_by(Group.name)))
