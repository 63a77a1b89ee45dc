"""Server-Sent Events: each stream ends in exactly one `done` or `error`."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any

import structlog
from fastapi.responses import StreamingResponse
from starlette.concurrency import iterate_in_threadpool

from zuinig.app.api.errors import body
from zuinig.core.errors import ZuinigError

log = structlog.get_logger()

SCHEMA: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


def event(name: str, data: Any) -> str:
    return f"event: {name}\n{data_line(data)}"


def data_line(value: Any) -> str:
    """An event without a name, as OpenAI's clients expect it."""
    text = json.dumps(value, ensure_ascii=False)
    # Half a surrogate, which a model's server may send, has no bytes: it would end the stream without a last event.
    return f"data: {text.encode(errors='replace').decode()}\n\n"


def stream(events: Iterable[str] | AsyncIterable[str], more: dict[str, str] | None = None) -> StreamingResponse:
    """events: a plain iterator works in the thread pool; one that mostly waits should be async and hold no thread.

    more: further headers.
    """
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"} | (more or {})
    source = events if isinstance(events, AsyncIterable) else iterate_in_threadpool(events)
    return StreamingResponse(_guarded(source), media_type="text/event-stream", headers=headers)


async def _guarded(events: AsyncIterable[str]) -> AsyncIterator[str]:
    """The status line is long sent when something fails in a stream: it is said in an event."""
    try:
        async for text in events:
            yield text
    except ZuinigError as error:
        yield event("error", body(error.status, error.message, code=error.code))
    except Exception:  # whatever it was, the reader must learn that the stream is over
        log.exception("stream.crashed")
        yield event("error", body(500, "Zuinig failed on this request; its log has the reason.", code="internal_error"))
