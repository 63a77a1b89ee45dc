"""Who may read and edit collections and single documents."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from zuinig.app.api.deps import Admin, Reader, Served
from zuinig.app.api.schemas import Name
from zuinig.app.grants import CollectionGrants, Readers

Groups = Annotated[list[Name], Field(max_length=1000, description="Names of groups.")]


class CollectionOut(BaseModel):
    """documents: how many of them you may read."""

    id: str
    name: str
    documents: int


class CollectionsOut(BaseModel):
    data: list[CollectionOut]


class CollectionGrantsOut(CollectionOut):
    """readers: groups, null for everybody. editors: groups that read and change everything in it. apart: how many
    documents have readers of their own.
    """

    readers: list[str] | None
    editors: list[str]
    apart: int


class CollectionGrantsIn(BaseModel):
    """readers: groups; null for everybody, none for nobody but its editors, curators and admins."""

    readers: Groups | None
    editors: Groups = []


class DocumentGrants(BaseModel):
    """own: whether the document has readers of its own; else those of its collection count. readers: see above."""

    own: bool
    readers: Groups | None = None


router = APIRouter(prefix="/v1", tags=["grants"])


@router.get("/collections")
def collections(served: Served, reader: Reader) -> CollectionsOut:
    """Those of which you may read something."""
    return CollectionsOut(data=[_collection(c) for c in served.grants.collections(reader.readable)])


@router.get("/collections/{name}/grants")
def collection(name: str, served: Served, _: Admin) -> CollectionGrantsOut:
    return _with_grants(served.grants.collection(name))


@router.put("/collections/{name}/grants")
def set_collection(
    name: Annotated[str, Path(min_length=1, max_length=200)], body: CollectionGrantsIn, served: Served, admin: Admin
) -> CollectionGrantsOut:
    """Counts from the next request on. Makes the collection where there is none."""
    found = served.grants.set_collection(name, readers=body.readers, editors=body.editors)
    served.audit.record(admin, "grant", f"collection {found.name}", body.model_dump_json())
    return _with_grants(found)


@router.get("/documents/{document_id}/grants")
def document(document_id: str, served: Served, _: Admin) -> DocumentGrants:
    return _readers(served.grants.readers(document_id))


@router.put("/documents/{document_id}/grants")
def set_document(document_id: str, body: DocumentGrants, served: Served, admin: Admin) -> DocumentGrants:
    """Counts from the next request on, for search, memory, citations and downloads."""
    found = served.grants.set_document(document_id, body.readers, own=body.own)
    served.audit.record(admin, "grant", document_id, body.model_dump_json())
    return _readers(found)


def _collection(c: CollectionGrants) -> CollectionOut:
    return CollectionOut(id=str(c.id), name=c.name, documents=c.documents)


def _readers(found: Readers) -> DocumentGrants:
    return DocumentGrants(own=found.own, readers=list(found.groups) if found.groups is not None else None)


def _with_grants(c: CollectionGrants) -> CollectionGrantsOut:
    readers = list(c.readers) if c.readers is not None else None
    return CollectionGrantsOut(**_collection(c).model_dump(), readers=readers, editors=list(c.editors), apart=c.apart)
