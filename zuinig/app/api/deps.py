"""What routes ask for: the services, and who asks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from zuinig.app.api.turn import QuestionPool, Turn
from zuinig.app.limits import Limit, Limits, address, identity
from zuinig.app.metrics import Metrics
from zuinig.app.rights import require
from zuinig.app.services import Services
from zuinig.core.errors import Forbidden, TooManyRequests, Unauthenticated
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


async def count(request: Request, limit: Limit, who: str, cost: int = 1) -> None:
    """Raises TooManyRequests."""
    limits: Limits = request.app.state.limits
    try:
        await limits.count(limit, who, cost)
    except TooManyRequests:
        metrics: Metrics = request.app.state.metrics
        metrics.limited(limit)
        raise


async def sign_in_attempt(request: Request) -> None:
    """Every attempt counts, also one that succeeds: of many at a time none slips in before the others are counted."""
    await count(request, Limit.SIGN_INS, _address(request))


async def identified(request: Request, services: Services) -> Principal:
    """`who`; a wrong key is an attempt. One that is valid is never refused for what others behind its address tried."""
    try:
        return await run_in_threadpool(who, request, services)
    except Unauthenticated:
        if request.headers.get("authorization"):
            await sign_in_attempt(request)
            await run_in_threadpool(services.audit.record, "", "sign_in_failed", None, "key of a request")
        raise


async def known(request: Request, services: Annotated[Services, Depends(services)]) -> Principal:
    """`who`, within limits."""
    await count(request, Limit.REQUESTS_PER_ADDRESS, _address(request))
    principal = await identified(request, services)
    await count(request, Limit.REQUESTS, identity(principal))
    return principal


def _address(request: Request) -> str:
    return address(request.client.host if request.client else "")


async def turn(request: Request, principal: Annotated[Principal, Depends(known)]) -> AsyncIterator[Turn]:
    """Held until the last byte of the response is sent, or its client is gone."""
    await count(request, Limit.QUESTIONS, identity(principal))
    pool: QuestionPool = request.app.state.questions
    with pool.turn(identity(principal), request.receive) as found:
        yield found


def needs(scope: Scope) -> Callable[[Principal], Awaitable[Principal]]:
    async def check(principal: Annotated[Principal, Depends(known)]) -> Principal:
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
Person = Annotated[Principal, Depends(known)]
Reader = Annotated[Principal, Depends(needs(Scope.READ))]
Asker = Annotated[Principal, Depends(needs(Scope.ASK))]
Uploader = Annotated[Principal, Depends(needs(Scope.UPLOAD))]
Editor = Annotated[Principal, Depends(edits)]
Curator = Annotated[Principal, Depends(needs(Scope.CURATE))]
Admin = Annotated[Principal, Depends(needs(Scope.ADMIN))]


async def files_counted(request: Request, principal: Uploader) -> Principal:
    sent = (await request.form()).multi_items()  # read by now
    await count(request, Limit.UPLOADS, identity(principal), max(1, sum(not isinstance(v, str) for _, v in sent)))
    return principal


Sender = Annotated[Principal, Depends(files_counted)]
Turned = Annotated[Turn, Depends(turn)]
