"""The pages that say who reads and edits what: of each collection, and of a document on its own page."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from zuinig.app.api import grants as api
from zuinig.app.api.deps import Admin, Served
from zuinig.app.api.schemas import Name
from zuinig.app.portal.pages import render
from zuinig.app.services import Services
from zuinig.core.errors import Conflict
from zuinig.core.types import Principal

router = APIRouter(prefix="/portal", include_in_schema=False)


class Reading(BaseModel):
    """readers: how they are said; groups count where it says so."""

    readers: Literal["collection", "everyone", "groups", "nobody"] = "everyone"
    groups: api.Groups = []

    @property
    def names(self) -> list[str] | None:
        """Of groups; None for everybody."""
        return {"groups": self.groups, "nobody": []}.get(self.readers)


class OfCollection(Reading):
    name: Name
    editors: api.Groups = []


@router.get("/access")
def listing(request: Request, served: Served, principal: Admin) -> Response:
    return _listed(request, served, principal, "access.html")


@router.get("/access/collection")
def collection(
    request: Request, served: Served, principal: Admin, name: Annotated[str, Query(max_length=200)]
) -> Response:
    """By its name in the query: a name may hold a slash."""
    found = api.collection(name, served, principal)
    return render(request, served, "collection.html", principal, c=found, groups=names_of_groups(served), done="")


@router.post("/access/collection")
def change(request: Request, served: Served, principal: Admin, sent: Annotated[OfCollection, Form()]) -> Response:
    found = _set(served, principal, sent)
    groups = names_of_groups(served)
    return render(request, served, "_collection.html", principal, c=found, groups=groups, done="saved")


@router.post("/access")
def add(request: Request, served: Served, principal: Admin, sent: Annotated[OfCollection, Form()]) -> Response:
    if sent.name in served.documents.collections().values():
        raise Conflict(f"There is a collection {sent.name!r} already; change it in the list.", code="exists")
    _set(served, principal, sent)
    return _listed(request, served, principal, "_access.html", done="person", added=sent.name)


@router.post("/documents/{document_id}/readers")
def set_document(
    request: Request, served: Served, principal: Admin, document_id: str, sent: Annotated[Reading, Form()]
) -> Response:
    """A fragment: who reads the document now."""
    own = sent.readers != "collection"
    api.set_document(document_id, api.DocumentGrants(own=own, readers=sent.names), served, principal)
    view, said = served.documents.get(document_id), of_document(served, principal, document_id)
    return render(request, served, "_document_readers.html", principal, view=view, done="saved", **said)


def of_document(served: Services, principal: Principal, document_id: str) -> dict[str, Any]:
    """What `_document_readers.html` shows, to an admin."""
    return {"grants": api.document(document_id, served, principal), "groups": names_of_groups(served)}


def names_of_groups(served: Services) -> list[str]:
    return [g.name for g in served.people.groups()]


def _set(served: Services, principal: Principal, sent: OfCollection) -> api.CollectionGrantsOut:
    body = api.CollectionGrantsIn(readers=sent.names, editors=sent.editors)
    return api.set_collection(sent.name, body, served, principal)


def _listed(request: Request, served: Services, principal: Principal, template: str, **values: Any) -> Response:
    found, groups = served.grants.collections(), names_of_groups(served)
    return render(request, served, template, principal, collections=found, groups=groups, **values)
