"""The people's pages: the list, and one person with groups, password and keys."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from zuinig.app.api import people as api
from zuinig.app.api.deps import Admin, Served
from zuinig.app.api.schemas import Name
from zuinig.app.portal.access import names_of_groups
from zuinig.app.portal.pages import render
from zuinig.app.services import Services
from zuinig.core.tables import now
from zuinig.core.types import Principal, Role

router = APIRouter(prefix="/portal/people", include_in_schema=False)


class Added(BaseModel):
    """An empty password is none."""

    name: Name
    display_name: Annotated[str, Field(max_length=200)] = ""
    role: Role = Role.READER
    groups: api.Names = []
    password: api.Password = ""


class Changed(BaseModel):
    display_name: Annotated[str, Field(max_length=200)] = ""
    role: Role
    groups: api.Names = []


@router.get("")
def listing(request: Request, served: Served, principal: Admin) -> Response:
    return _listed(request, served, principal, "people.html")


@router.post("")
def add(request: Request, served: Served, principal: Admin, sent: Annotated[Added, Form()]) -> Response:
    first = not served.people.any()
    body = api.UserIn.model_validate(sent.model_dump() | {"password": sent.password or None})
    made = api.create_user(body, served, principal)
    done = "first" if first and made.role == Role.ADMIN else "person"
    return _listed(request, served, principal, "_people.html", done=done, added=made.name)


@router.get("/{user_id}")
def one(request: Request, served: Served, principal: Admin, user_id: str) -> Response:
    return _shown(request, served, principal, user_id, template="person.html")


@router.post("/{user_id}")
def change(
    request: Request, served: Served, principal: Admin, user_id: str, sent: Annotated[Changed, Form()]
) -> Response:
    api.change_user(user_id, api.UserPatch.model_validate(sent.model_dump()), served, principal)
    return _shown(request, served, principal, user_id, done="saved")


@router.post("/{user_id}/password")
def set_password(
    request: Request, served: Served, principal: Admin, user_id: str, password: Annotated[api.Password, Form()]
) -> Response:
    api.set_password(user_id, api.PasswordIn(password=password), served, principal)
    return _shown(request, served, principal, user_id, done="password")


@router.post("/{user_id}/disabled")
def set_disabled(
    request: Request, served: Served, principal: Admin, user_id: str, disabled: Annotated[bool, Form()]
) -> Response:
    api.change_user(user_id, api.UserPatch(disabled=disabled), served, principal)
    return _shown(request, served, principal, user_id, done="closed" if disabled else "reopened")


@router.post("/{user_id}/keys/{key_id}/revoke")
def revoke(request: Request, served: Served, principal: Admin, user_id: str, key_id: str) -> Response:
    api.revoke_key(key_id, served, principal)
    return _shown(request, served, principal, user_id, done="revoked")


def _listed(request: Request, served: Services, principal: Principal, template: str, **values: Any) -> Response:
    found = api.users(served, principal).data
    groups = names_of_groups(served)
    return render(request, served, template, principal, people=found, roles=list(Role), groups=groups, **values)


def _shown(
    request: Request,
    served: Services,
    principal: Principal,
    user_id: str,
    *,
    template: str = "_person.html",
    done: str = "",
) -> Response:
    """The person's page, or after a change the part of it that shows the person. done: what was."""
    person = api.user(user_id, served, principal)
    return render(
        request,
        served,
        template,
        principal,
        person=person,
        keys=served.auth.all_keys(person.id),
        roles=list(Role),
        groups=names_of_groups(served),
        now=now(),
        done=done,
    )
