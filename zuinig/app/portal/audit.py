"""The audit log's page: its rows, newest first."""

from typing import Annotated, Literal, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from zuinig.app.api import audit as api
from zuinig.app.api.deps import Admin, Served
from zuinig.app.audit import Action, plain
from zuinig.app.portal.pages import render

_SHOWN = 50

router = APIRouter(prefix="/portal/audit", include_in_schema=False)


class Asked(BaseModel):
    """What the list was asked for; as an address by `link`. actor: a name, or the id of a user or key."""

    actor: Annotated[str, Field(max_length=200)] = ""
    action: Action | Literal[""] = ""
    after: Annotated[str, Field(max_length=30)] = ""

    def link(self, **changed: str) -> str:
        asked = {k: v for k, v in {**self.model_dump(), **changed}.items() if v}
        return f"/portal/audit?{urlencode(asked)}" if asked else "/portal/audit"


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
