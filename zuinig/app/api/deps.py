"""What routes ask for: the services, and who asks."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from zuinig.app.rights import require
from zuinig.app.services import Services
from zuinig.core.errors import Forbidden, Unauthenticated
from zuinig.core.types import Principal, Scope

SESSION_COOKIE = "zuinig_session"
_SAFE = ("GET", "HEAD", "OPTIONS")


# What waits for nothing is async, though it awaits nothing: FastAPI sends a plain function to the pool of threads, and
# the way there and back takes longer than the function.


async def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def who(request: Request, services: Annotated[Services, Depends(services)]) -> Principal:
    """The key's owner, or the portal session's. Raises Unauthenticated, Forbidden."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return services.auth.of_key(key.strip())
    if cookie := request.cookies.get(SESSION_COOKIE):
        if request.method not in _SAFE:
            check_same_origin(request)
        return services.auth.of_session(cookie)
    raise Unauthenticated("No API key was sent; send `Authorization: Bearer` with one.")


def check_same_origin(request: Request) -> None:
    """A browser sends the cookie along with whatever page asks: only the portal's own pages may. Raises Forbidden."""
    # Fetch metadata first: under our own no-referrer policy a form's Origin is "null".
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        same = site == "same-origin"
    else:
        same = urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")
    if not same:
        raise Forbidden("This request came from another site.", code="cross_origin")


def needs(scope: Scope) -> Callable[[Principal], Awaitable[Principal]]:
    async def check(principal: Annotated[Principal, Depends(who)]) -> Principal:
        require(principal, scope)
        return principal

    return check


async def edits(request: Request, principal: Annotated[Principal, Depends(needs(Scope.UPLOAD))]) -> Principal:
    """Who may change the document that the route names. Raises NotFound, Forbidden."""
    if principal.editable is not None:
        found: Services = request.app.state.services
        name = request.path_params.get("document_id") or request.path_params["file_id"]
        await run_in_threadpool(found.grants.require_edit_of, principal, name)
    return principal


Served = Annotated[Services, Depends(services)]
Person = Annotated[Principal, Depends(who)]
Reader = Annotated[Principal, Depends(needs(Scope.READ))]
Asker = Annotated[Principal, Depends(needs(Scope.ASK))]
Uploader = Annotated[Principal, Depends(needs(Scope.UPLOAD))]
Editor = Annotated[Principal, Depends(edits)]
Curator = Annotated[Principal, Depends(needs(Scope.CURATE))]
Admin = Annotated[Principal, Depends(needs(Scope.ADMIN))]
