"""The protocol that uvicorn speaks for us: its own, with an end to clients that never get to their request."""

import asyncio
import resource

from uvicorn.protocols.http.h11_impl import H11Protocol

_OPEN_FILES = 65_536


class _Impatient(H11Protocol):
    """Hangs up where no request has begun by `timeout_s`: uvicorn waits without end for the first byte and for headers.

    Also where a client goes on sending the body of a request that has its answer already.
    """

    timeout_s: float
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unwatch()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._unwatch()  # the application is at work, and sees to the body
        elif self._timer is None:
            # More data does not wind it up again: that is how a client would hold the connection for ever.
            self._timer = self.loop.call_later(self.timeout_s, self.transport.close)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def protocol(timeout_s: float) -> type[H11Protocol]:
    """For uvicorn's `http`."""
    return type("Impatient", (_Impatient,), {"timeout_s": timeout_s})


def allow_open_files() -> None:
    """As many as this user may have: an upload of many large files, and each client that waits, takes one of them.

    What systems grant unasked is made for programs that open few: 256 to 1024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
