"""The audit log's page: its rows, newest first."""

from typing import Annotated, ClassVar, Literal, get_args

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from zuinig.app.api import audit as api
from zuinig.app.api.deps import Admin, Served
from zuinig.app.audit import Action, plain
from zuinig.app.portal.pages import Listing, render

_SHOWN = 50

router = APIRouter(prefix="/portal/audit", include_in_schema=False)


class Asked(Listing):
    """What the list was asked for; see `Listing`. actor: a name, or the id of a user or key."""

    address: ClassVar = "/portal/audit"
    actor: Annotated[str, Field(max_length=200)] = ""
    action: Action | Literal[""] = ""


@router.get("")
def listing(request: Request, served: Served, principal: Admin, asked: Annotated[Asked, Query()]) -> Response:
    found = api.events(
        served,
        principal,
        limit=_SHOWN,
        after=asked.after or None,
        actor=asked.actor.strip() or None,
        action=asked.action or None,
    )
    response = render(
        request, served, "audit.html", principal, found=found, asked=asked, actions=get_args(Action), plain=plain
    )
    response.headers["hx-replace-url"] = asked.link()
    return response
