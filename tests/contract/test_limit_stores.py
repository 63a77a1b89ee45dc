"""Counting in memory, and in a real Redis server that several processes share."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from zuinig.app.limits import Limit, Limits
from zuinig.core.errors import TooManyRequests
from zuinig.core.settings import Settings

_SERVER = shutil.which("redis-server")


class Redis:
    def __init__(self, folder: Path) -> None:
        socket = folder / "redis.sock"
        command = [str(_SERVER), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.url = f"unix://{socket}"
        while not socket.exists():
            assert self._process.poll() is None, "redis-server did not start"
            time.sleep(0.02)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    if _SERVER is None and not os.environ.get("CI"):
        pytest.skip("redis-server is not installed")
    server = Redis(tmp_path_factory.mktemp("r"))
    yield server
    server.stop()


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else request.getfixturevalue("redis").url


def limits(store: str) -> Limits:
    return Limits(Settings(limit_requests="3/hour", limit_uploads="10/hour", limit_store=store))


async def refused(counting: Limits, who: str, limit: Limit = Limit.REQUESTS, cost: int = 1) -> bool:
    try:
        await counting.count(limit, who, cost)
    except TooManyRequests as error:
        # An hour to its border, and what then still has to fade of the hour before.
        assert error.retry_after_s is not None and 0 < error.retry_after_s <= 2 * 3600
        return True
    return False


def test_the_limit_is_kept_for_each_and_each_kind(store: str) -> None:
    async def story() -> None:
        counting = limits(store)
        assert [await refused(counting, "a") for _ in range(5)] == [False] * 3 + [True] * 2
        assert not await refused(counting, "b")
        assert not await refused(counting, "a", Limit.UPLOADS)
        await counting.close()

    asyncio.run(story())


def test_a_cost_counts_whole_or_not_at_all(store: str) -> None:
    async def story() -> None:
        counting = limits(store)
        assert not await refused(counting, "a", Limit.UPLOADS, 8)
        assert await refused(counting, "a", Limit.UPLOADS, 3)
        assert not await refused(counting, "a", Limit.UPLOADS, 2)
        await counting.close()

    asyncio.run(story())


def test_of_many_at_a_time_no_more_pass_than_allowed(store: str) -> None:
    async def story() -> None:
        counting = limits(store)
        assert sum(await asyncio.gather(*(refused(counting, "a") for _ in range(50)))) == 47
        await counting.close()

    asyncio.run(story())


def test_processes_share_a_redis_server(redis: Redis) -> None:
    async def story() -> None:
        one, other = limits(redis.url), limits(redis.url)
        assert [await refused(each, "a") for each in (one, other, one, other, one)] == [False] * 3 + [True] * 2
        await one.close()
        await other.close()

    asyncio.run(story())


def test_a_redis_server_that_is_gone_refuses_nobody_and_lifts_no_limit(redis: Redis) -> None:
    async def story() -> None:
        counting = limits(redis.url)
        assert not await refused(counting, "a")
        redis.stop()
        assert [await refused(counting, "a") for _ in range(4)] == [False] * 3 + [True]
        await counting.close()

    asyncio.run(story())
