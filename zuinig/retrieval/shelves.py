"""Shelves: documents of a collection that the same people may read, and so what every question is asked of.

A document stands on the main shelf of its collection, or on one whose readers are its own. What somebody may read is a
set of whole shelves: one comparison in a query, one list of numbers in the scope of a memory.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import in_parts
from zuinig.core.tables import Collection, Document, DocumentVersion, IndexChange, Passage, Shelf
from zuinig.retrieval import lexical
from zuinig.retrieval.index import changed

Readable = frozenset[int] | None
_MOVED = "moved"


def made(session: Session, name: str, readers: Sequence[str] | None) -> Collection:
    """A new collection with its main shelf. readers: ids of groups, None for everybody."""
    collection = Collection(name=name)
    session.add(collection)
    session.flush()
    session.add(Shelf(collection_id=collection.id, main=True, readers=_sorted(readers)))
    session.flush()
    return collection


def main_of(session: Session, collection_id: int) -> Shelf:
    return session.scalars(sa.select(Shelf).where(Shelf.collection_id == collection_id, Shelf.main)).one()


def of_collections(session: Session, ids: Iterable[int]) -> list[int]:
    """All shelves of these collections, ascending."""
    return list(session.scalars(sa.select(Shelf.id).where(Shelf.collection_id.in_(sorted(ids))).order_by(Shelf.id)))


def names(session: Session) -> dict[int, str]:
    """The name of the collection by the id of the shelf, of all there are."""
    rows = session.execute(sa.select(Shelf.id, Collection.name).join(Collection, Collection.id == Shelf.collection_id))
    return {row.id: row.name for row in rows}


def on(readable: Readable) -> sa.ColumnElement[bool]:
    """The condition that a document stands where somebody may read."""
    return sa.true() if readable is None else Document.shelf_id.in_(sorted(readable))


def shown(readable: Readable) -> sa.ColumnElement[bool]:
    """The condition that of a collection something may be read, so that it may be known by name."""
    if readable is None:
        return sa.true()
    return Collection.id.in_(sa.select(Shelf.collection_id).where(Shelf.id.in_(sorted(readable))))


def hidden(session: Session, documents: Iterable[str], readable: Readable) -> set[str]:
    """Those of the documents that somebody may not read: one that is gone no longer says who might. documents: ids."""
    if readable is None:
        return set()
    wanted = set(documents)
    shown: set[str] = set()
    for part in in_parts(sorted(wanted)):
        shown.update(session.scalars(sa.select(Document.id).where(Document.id.in_(part), on(readable))))
    return wanted - shown


def move(session: Session, document: Document, readers: Sequence[str] | None, *, own: bool) -> bool:
    """Give a document readers of its own, or those of its collection again; whether that changed its shelf."""
    before = document.shelf_id
    if own:
        document.shelf_id = _with_readers(session, document.collection_id, readers).id
    else:
        document.shelf_id = main_of(session, document.collection_id).id
    if document.shelf_id == before:
        return False
    session.flush()
    live = sa.select(Passage.id).join(DocumentVersion, DocumentVersion.id == Passage.version_id)
    here = live.where(DocumentVersion.document_id == document.id, DocumentVersion.live)
    if ids := session.scalars(here).all():
        lexical.reshelve(session, ids, document.shelf_id)
        # Questions under way were asked of the shelves as they were: see `moved_since`. Those that come after the
        # change of the passages have seen it, so that this stands before it.
        session.add(IndexChange(index=_MOVED, item_id=document.shelf_id, added=True))
        session.flush()
        changed(session, "passages", ids, added=True)
    _remove_empty(session, before)
    return True


def moved_since(session: Session, since: int) -> bool:
    """Whether a document got other readers after that change of the passages."""
    moved = sa.select(IndexChange.seq).where(IndexChange.index == _MOVED, IndexChange.seq > since)
    return session.scalar(moved.limit(1)) is not None


def _with_readers(session: Session, collection_id: int, readers: Sequence[str] | None) -> Shelf:
    wanted = _sorted(readers)
    others = sa.select(Shelf).where(Shelf.collection_id == collection_id, ~Shelf.main)
    found = next((s for s in session.scalars(others) if s.readers == wanted), None)
    if found is None:
        found = Shelf(collection_id=collection_id, main=False, readers=wanted)
        session.add(found)
        session.flush()
    return found


def _remove_empty(session: Session, shelf_id: int) -> None:
    """A shelf that nothing stands on would still be one that somebody may not read."""
    used = sa.select(Document.id).where(Document.shelf_id == Shelf.id).exists()
    session.execute(sa.delete(Shelf).where(Shelf.id == shelf_id, ~Shelf.main, ~used))


def _sorted(readers: Sequence[str] | None) -> list[str] | None:
    return None if readers is None else sorted(set(readers))
