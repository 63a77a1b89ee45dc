"""How much one user, key or address may ask in a while: policy over the library `limits`.

Windows slide, by two counters each: what they take does not grow with what they allow, so that a quota of a month is no
dearer than a limit of a second.
"""

import math
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import structlog
from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from zuinig.core.errors import ConfigurationError, TooManyRequests
from zuinig.core.settings import OFF, Settings
from zuinig.core.types import Principal

log = structlog.get_logger()

_REDIS = ("redis://", "rediss://", "unix://")
_REDIS_TIMEOUT_S = 1
_REDIS_CONNECTIONS = 16
_ASK_REDIS_AGAIN_S = 10


class Limit(StrEnum):
    """What is counted. The value is the name in messages, metrics, and after ZUINIG_LIMIT_."""

    REQUESTS = "requests"
    REQUESTS_PER_ADDRESS = "requests_per_address"
    QUESTIONS = "questions"
    UPLOADS = "uploads"
    SIGN_INS = "sign_ins"


_WORDS = {Limit.REQUESTS_PER_ADDRESS: "requests from this address", Limit.SIGN_INS: "sign-ins"}


def identity(principal: Principal) -> str:
    """On whose account it goes: the user's with all keys, else the key's. Prefixed: no user is taken for a key."""
    return f"user:{principal.user}" if principal.user else f"key:{principal.key_id}"


def address(host: str) -> str:
    """What a client's address counts as: whoever has one of IPv6 has all of its /64."""
    try:
        found = ip_address(host)
    except ValueError:
        return host
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped is not None else str(ip_network((found, 64), strict=False))
    return str(found)


class Limits:
    """Raises ConfigurationError for settings that cannot be used."""

    def __init__(self, settings: Settings) -> None:
        self._items = {limit: _items(limit, getattr(settings, f"limit_{limit}")) for limit in Limit}
        self._close, storage = _storage(settings.limit_store)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared = SlidingWindowCounterRateLimiter(storage) if storage is not None else None
        self._shared_from = 0.0

    async def count(self, limit: Limit, who: str, cost: int = 1) -> None:
        """Raises TooManyRequests, and then the shorter windows may have counted it. What costs more than a window
        allows at all takes the whole of it."""
        for item in self._items[limit]:
            wait = await self._hit(item, (limit, who), min(cost, item.amount))
            if wait is not None:
                raise TooManyRequests(
                    f"More {_WORDS.get(limit, limit)} than {item.amount} in {_span(item)}; try again in {wait} s.",
                    retry_after_s=wait,
                )

    async def close(self) -> None:
        await self._close()

    async def _hit(self, item: RateLimitItem, key: tuple[str, str], cost: int) -> int | None:
        """Seconds to wait, where it is too much. A store that does not answer refuses nobody: each process counts by
        itself meanwhile."""
        if self._shared is not None and time.monotonic() >= self._shared_from:
            try:
                return await _hit(self._shared, item, key, cost)
            except (StorageError, OSError) as error:
                self._shared_from = time.monotonic() + _ASK_REDIS_AGAIN_S
                log.warning("limits.store_unreachable", reason=str(error))
        return await _hit(self._own, item, key, cost)


async def _hit(
    limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, key: tuple[str, str], cost: int
) -> int | None:
    if await limiter.hit(item, *key, cost=cost):
        return None
    storage: Any = limiter.storage
    counted = await storage.get_sliding_window(item.key_for(*key), item.get_expiry())
    return wait_s(item.amount, item.get_expiry(), cost, *counted)


def wait_s(
    amount: int, window_s: int, cost: int, previous: int, previous_ends_s: float, current: int, current_ends_s: float
) -> int:
    """Whole seconds after which a cost fits in again, if nothing else comes. The library's own number is until *some*
    count fades, which may be refused anew.

    previous, current: what the two windows counted. previous_ends_s: until the window before counts for nothing;
    current_ends_s: the same for this one, which is one window later.
    """
    room = amount - cost + 1  # the weighted sum must be less
    if current < room:
        wait = previous_ends_s - (room - current) * window_s / previous if previous else 0.0
    else:
        wait = current_ends_s - window_s * room / current
    # A hair more than computed: at the border itself the sum is not less yet, and a clock's floats are not exact.
    return max(1, math.floor(wait + 0.001) + 1)


def _items(limit: Limit, text: str | None) -> list[RateLimitItem]:
    """Shortest window first. Raises ConfigurationError."""
    if text is None or text.strip().lower() == OFF:
        return []
    try:
        items = parse_many(text.strip())
    except ValueError:
        items = []
    if not items or any(item.amount < 1 for item in items):
        raise ConfigurationError(
            f"ZUINIG_LIMIT_{limit.upper()} is {text!r}; say how many in which time, such as `60/minute`, "
            f"`10/second; 5000/day` or `100 per 15 minutes`, or {OFF!r}."
        )
    return sorted(items, key=lambda item: item.get_expiry())


def _span(item: RateLimitItem) -> str:
    number, unit = item.multiples, item.GRANULARITY.name
    return f"a {unit}".replace("a hour", "an hour") if number == 1 else f"{number} {unit}s"


def _storage(url: str) -> tuple[Callable[[], Awaitable[None]], RedisStorage | None]:
    """How to let it go, and the store; None where memory is enough. Raises ConfigurationError."""
    if url == "memory://":
        return _nothing, None
    if not url.startswith(_REDIS):
        raise ConfigurationError(f"ZUINIG_LIMIT_STORE must be memory:// or begin with one of {', '.join(_REDIS)}.")
    try:
        from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415  # an optional extra
    except ImportError as error:
        raise ConfigurationError(
            "ZUINIG_LIMIT_STORE names a Redis server, and its client is not installed: pip install 'zuinig[redis]'."
        ) from error
    try:
        # The default pool opens a connection for each request at a time.
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_REDIS_CONNECTIONS,
            timeout=_REDIS_TIMEOUT_S,
            socket_timeout=_REDIS_TIMEOUT_S,
            socket_connect_timeout=_REDIS_TIMEOUT_S,
        )
    except ValueError as error:
        raise ConfigurationError(f"ZUINIG_LIMIT_STORE cannot be used: {error}.") from error
    options: Any = {"connection_pool": pool}
    storage = RedisStorage(
        "redis://", wrap_exceptions=True, implementation="redispy", key_prefix="zuinig:limits", **options
    )
    return pool.aclose, storage


async def _nothing() -> None:
    pass
