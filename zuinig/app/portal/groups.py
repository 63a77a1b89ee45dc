"""The groups' page: who has how many members, and what each may read and edit."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from zuinig.app.api import people as api
from zuinig.app.api.deps import Admin, Served
from zuinig.app.api.schemas import Name
from zuinig.app.portal.pages import render
from zuinig.app.services import Services
from zuinig.core.types import Principal

router = APIRouter(prefix="/portal/groups", include_in_schema=False)


@router.get("")
def listing(request: Request, served: Served, principal: Admin) -> Response:
    return _listed(request, served, principal, "groups.html")


@router.post("")
def add(request: Request, served: Served, principal: Admin, name: Annotated[Name, Form()]) -> Response:
    made = api.create_group(api.GroupIn(name=name), served, principal)
    return _listed(request, served, principal, "_groups.html", done="group", added=made.name)


@router.post("/{group_id}/delete")
def delete(request: Request, served: Served, principal: Admin, group_id: str) -> Response:
    api.delete_group(group_id, served, principal)
    return _listed(request, served, principal, "_groups.html", done="group_deleted")


def _listed(request: Request, served: Services, principal: Principal, template: str, **values: Any) -> Response:
    collections = served.grants.collections()
    return render(
        request,
        served,
        template,
        principal,
        groups=api.groups(served, principal).data,
        reads=lambda group: [c.name for c in collections if group in (c.readers or ())],
        edits=lambda group: [c.name for c in collections if group in c.editors],
        **values,
    )
