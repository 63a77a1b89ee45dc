"""The page of one's own account: name, role and groups, the password, and keys for programs."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from zuinig.app.api import people as api
from zuinig.app.api.deps import Person, Served
from zuinig.app.api.schemas import Name
from zuinig.app.portal.memories import FormDate, moment
from zuinig.app.portal.pages import render, signed_in
from zuinig.app.rights import require
from zuinig.app.services import Services
from zuinig.core.tables import now
from zuinig.core.types import Principal, Scope

router = APIRouter(prefix="/portal/account", include_in_schema=False)


class Passwords(BaseModel):
    old: api.Password
    new: api.Password


class NewKey(BaseModel):
    """expires_at: a day in UTC, from which on it is no longer valid."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires_at: FormDate = None


@router.get("")
def account(request: Request, served: Served, principal: Person) -> Response:
    return _shown(request, served, principal, template="account.html")


@router.post("/password")
def change_password(
    request: Request, served: Served, principal: Person, sent: Annotated[Passwords, Form()]
) -> Response:
    """The other sessions end; this one goes on as a new one."""
    api.change_password(api.OwnPasswordIn(old=sent.old, new=sent.new), served, principal)
    session = served.auth.open_for(principal.id)
    return signed_in(served, session, _shown(request, served, principal, done="own_password"))


@router.post("/keys")
def create_key(request: Request, served: Served, principal: Person, sent: Annotated[NewKey, Form()]) -> Response:
    require(principal, Scope.ASK)
    body = api.OwnKeyIn(name=sent.name, scopes=sent.scopes, expires_at=moment(sent.expires_at))
    return _shown(request, served, principal, made=api.create_own_key(body, served, principal))


@router.post("/keys/{key_id}/revoke")
def revoke(request: Request, served: Served, principal: Person, key_id: str) -> Response:
    api.revoke_own_key(key_id, served, principal)
    return _shown(request, served, principal, done="revoked")


def _shown(
    request: Request, served: Services, principal: Principal, *, template: str = "_account.html", **values: Any
) -> Response:
    """A session that was opened by a key of no person has nothing but what the key may."""
    person = served.people.get(principal.id) if principal.id.startswith("usr_") else None
    return render(
        request,
        served,
        template,
        principal,
        person=person,
        keys=served.auth.all_keys(person.id) if person is not None else (),
        scopes=[s for s in Scope if principal.may(s)],
        now=now(),
        **values,
    )
