"""A question's turn. What memory answers takes none; searching, reading and language models wait for one.

Who waits holds no thread. Questions have threads of their own: those of uploads are never theirs.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread
from starlette.types import Receive

from zuinig.app.asked import Answered, Ask, Recalled, Step
from zuinig.app.fair_queue import FairQueue
from zuinig.app.metrics import Metrics
from zuinig.core.errors import Overloaded
from zuinig.core.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


class Lane:
    """Threads, and the queue for them."""

    def __init__(self, settings: Settings) -> None:
        self._threads = anyio.CapacityLimiter(settings.question_threads)
        self.queue = FairQueue(
            settings.question_threads, waiting=settings.questions_waiting, longest_wait_s=settings.question_wait_s
        )

    async def run(self, work: Callable[[], R]) -> R:
        return await anyio.to_thread.run_sync(work, limiter=self._threads)


class QuestionPool:
    """Looking into memory has a lane of its own: a hit does not wait for those who missed."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._looking, self._answering, self._metrics = Lane(settings), Lane(settings), metrics

    @property
    def waiting(self) -> int:
        return self._looking.queue.waiting + self._answering.queue.waiting

    @contextmanager
    def turn(self, who: str, receive: Receive) -> "Iterator[Turn]":
        found = Turn(self._looking, self._answering, who, receive, self._metrics)
        try:
            yield found
        finally:
            found.end()


class Turn:
    """Of one request. who: whose line it waits in."""

    def __init__(self, looking: Lane, answering: Lane, who: str, receive: Receive, metrics: Metrics) -> None:
        self._looking, self._answering, self._who = looking, answering, who
        self._receive, self._metrics, self._held = receive, metrics, False

    def end(self) -> None:
        if self._held:
            self._held = False
            self._answering.queue.release()

    async def run(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """In a thread, once it is one's turn, which lasts until the end of the request. Raises Overloaded."""
        if not self._held:
            await self._wait(self._answering)
            self._held = True
        return await self._answering.run(partial(work, *args, **kwargs))

    async def answer(self, steps: Iterator[Step], ask: Ask) -> Answered:
        """The last of the steps. Raises Overloaded, and what the steps raise."""
        taken, complete = await self._look(steps, ask)
        last = taken[-1] if complete else (await self.run(list, steps))[-1]
        assert isinstance(last, Answered), "the ladder ends with an answer"
        return last

    async def climb(self, steps: Iterator[Step], ask: Ask) -> AsyncIterator[Step]:
        """The steps as they come. Raises Overloaded, and what the steps raise."""
        taken, complete = await self._look(steps, ask)
        try:
            for step in taken:
                yield step
            while not complete:
                following: Step | None = await self.run(_next, steps)
                if following is None:
                    return
                yield following
        finally:
            # Who hangs up leaves what has to be written down, and holds the turn until it is.
            end = partial(_end, steps)
            with anyio.CancelScope(shield=True):
                # Without a turn no more than memory was asked, and no thread of those with one is free for it.
                await (self._answering.run(end) if self._held else anyio.to_thread.run_sync(end))

    async def _look(self, steps: Iterator[Step], ask: Ask) -> tuple[list[Step], bool]:
        """The first of the steps; all of them where no more than memory is asked."""
        await self._wait(self._looking)
        try:
            return await self._looking.run(partial(_recalled, steps, ask))
        finally:
            self._looking.queue.release()

    async def _wait(self, lane: Lane) -> None:
        if lane.queue.take():
            return
        left = asyncio.create_task(self._left())
        try:
            await lane.queue.wait(self._who, left)
        except Overloaded as error:
            self._metrics.shed(error.reason)
            raise
        finally:
            left.cancel()

    async def _left(self) -> None:
        # The body is read by now: all that can still come is the word that the client is gone.
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _recalled(steps: Iterator[Step], ask: Ask) -> tuple[list[Step], bool]:
    first = next(steps)
    complete = ask.memory == "only" or (isinstance(first, Recalled) and first.outcome == "hit")
    return [first, *(steps if complete else ())], complete


def _end(steps: Iterator[Step]) -> None:
    if isinstance(steps, Generator):
        steps.close()


def _next(steps: Iterator[Step]) -> Step | None:
    return next(steps, None)
