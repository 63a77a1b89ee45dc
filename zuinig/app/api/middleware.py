"""Around every request: an id, the host check, security headers, a log line and a measurement."""

import asyncio
import re
import time
from urllib.parse import urlsplit
from uuid import uuid4

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zuinig.app import audit
from zuinig.app.api.errors import MESSAGES, SECURITY, problem
from zuinig.app.metrics import Metrics
from zuinig.core.errors import TooLarge, ZuinigError
from zuinig.core.settings import Settings, is_loopback

log = structlog.get_logger()

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# A client that is still sending when it is refused finds the connection closed and never reads why. So the rest of the
# body is read and thrown away first, within bounds.
_DRAIN_BYTES = 64_000_000
_DRAIN_S = 10

# Below it a body is held up on purpose, or sent over a line on which it would never arrive.
_LEAST_BYTES_PER_S = 1000


class _Body:
    """Receives for the application until the body has come to its end, or comes too slowly.

    timeout_s: of silence, and how far in all it may fall behind the least rate. Only the time counts in which nothing
    was there to be read: what the service itself takes its time over is not the client's fault.
    """

    def __init__(self, receive: Receive, timeout_s: float) -> None:
        self._receive, self._timeout_s = receive, timeout_s
        self._bytes, self._waited_s = 0, 0.0
        self.whole = self.answered = self._given_up = False

    async def receive(self) -> Message:
        try:
            return await self._next()
        except TimeoutError:
            self._given_up = True
            if self.answered:
                return {"type": "http.disconnect"}
            raise HTTPException(408) from None

    async def _next(self) -> Message:
        """Raises TimeoutError."""
        if self.whole or self._given_up:
            return await self._receive()  # which waits for the client to hang up, however long it stays
        behind = self._waited_s - self._bytes / _LEAST_BYTES_PER_S
        begun = time.monotonic()
        async with asyncio.timeout(self._timeout_s - max(behind, 0)):
            message = await self._receive()
        self._waited_s += time.monotonic() - begun
        self._bytes += len(message.get("body", b""))
        self.whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        left = _DRAIN_BYTES
        try:
            async with asyncio.timeout(_DRAIN_S):
                while not self.whole and not self._given_up and left > 0:
                    left -= len((await self._next()).get("body", b""))
        except TimeoutError:
            pass


class Around:
    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app, self._metrics, self._timeout_s = app, metrics, settings.receive_timeout_s
        self._public = (urlsplit(settings.public_url).hostname or "") if settings.public_url else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        sent = request.headers.get("x-request-id", "")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid4().hex
        request.state.request_id = request_id
        begun, status, replaced = time.perf_counter(), 500, False
        body = _Body(receive, self._timeout_s)

        async def send_with_headers(message: Message) -> None:
            nonlocal status, replaced
            if replaced:
                return
            if message["type"] == "http.response.start":
                status = message["status"]
                if status >= 400:
                    await body.drain()
                headers = MutableHeaders(scope=message)
                if status == 413 and headers.get("content-type", "").startswith("text/plain"):
                    # The body limit of a route answers by itself, before any handler of errors.
                    handle = request.app.exception_handlers[ZuinigError]
                    too_large = TooLarge(MESSAGES[413], code="content_too_large")
                    refused = await run_in_threadpool(handle, request, too_large)
                    await refused(scope, body.receive, send_with_headers)
                    replaced = True
                    return
                body.answered = True
                headers["x-request-id"] = request_id
                if status >= 400 and not body.whole:
                    headers["connection"] = "close"  # or the client could go on sending it
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
                if not request.url.path.startswith("/portal/static/"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        audit.address.set(request.client.host if request.client is not None else None)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            if self._is_ours(request.url.hostname or ""):
                await self._app(scope, body.receive, send_with_headers)
            else:
                refused = problem(
                    421, "This service is not known under that host name; see ZUINIG_PUBLIC_URL.", code="unknown_host"
                )
                await refused(scope, body.receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - begun
            route = getattr(scope.get("route"), "path", "unknown")
            self._metrics.request(request.method, route, status, seconds)
            log.info("request", method=request.method, route=route, status=status, ms=round(seconds * 1000, 1))

    def _is_ours(self, host: str) -> bool:
        """A page of another site whose name was pointed at this address (DNS rebinding) still sends its own name."""
        return is_loopback(host) or host == self._public
