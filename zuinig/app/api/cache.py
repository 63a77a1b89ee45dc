"""The dialog memory seen as an HTTP cache: what a client may ask of it, and what it is told (RFC 9111, RFC 9211)."""

from collections.abc import AsyncIterator
from typing import Literal

from zuinig.app.asked import Recalled, Step

Memory = Literal["use", "skip", "only", "refresh"]

_WISHES: dict[str, Memory] = {"no-store": "skip", "no-cache": "refresh", "only-if-cached": "only"}
_OUTCOMES = {"hit": "hit", "miss": "fwd=miss", "request": "fwd=request", "bypass": "fwd=bypass"}


def wish(asked: Memory, cache_control: str | None) -> Memory:
    """What the body asks for, else what the request's Cache-Control says."""
    if asked != "use" or not cache_control:
        return asked
    directives = {d.strip().lower() for d in cache_control.split(",")}
    return next((memory for directive, memory in _WISHES.items() if directive in directives), asked)


def status(recalled: Recalled, *, stored: bool = False) -> dict[str, str]:
    """The header that says whether memory answered."""
    return {"cache-status": f"zuinig; {_OUTCOMES[recalled.outcome]}" + ("; stored" if stored else "")}


async def begun(steps: AsyncIterator[Step]) -> tuple[dict[str, str], AsyncIterator[Step]]:
    """Take the steps until something is there to send: the header, and the rest with what was taken."""
    headers: dict[str, str] = {}
    async for step in steps:
        if not isinstance(step, Recalled):
            return headers, _chain(step, steps)
        headers = status(step)
    return headers, steps


async def _chain(first: Step, rest: AsyncIterator[Step]) -> AsyncIterator[Step]:
    yield first
    async for step in rest:
        yield step
