"""Turns: by round robin, few at a time, and none lost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zuinig.app.fair_queue import FairQueue
from zuinig.core.errors import Overloaded


class Line:
    """A queue whose turns are noted in the order in which they come."""

    def __init__(self, slots: int = 1, waiting: int = 1000, longest_wait_s: float = 1000) -> None:
        self.queue = FairQueue(slots, waiting=waiting, longest_wait_s=longest_wait_s)
        self.turns: list[str] = []
        self.left: dict[str, asyncio.Future[None]] = {}

    async def join(self, name: str) -> "asyncio.Task[None]":
        """name: who, and which of theirs."""

        async def waits() -> None:
            self.left[name] = asyncio.get_running_loop().create_future()
            await self.queue.wait(name[0], self.left[name])
            self.turns.append(name)

        task = asyncio.create_task(waits())
        await settle()
        return task

    async def release(self) -> None:
        self.queue.release()
        await settle()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def told() -> None:
        await story()

    asyncio.run(told())


def test_two_alternate_however_many_one_of_them_brings() -> None:
    async def story() -> None:
        line = Line()
        for name in ("a0", "a1", "a2", "a3", "a4", "b0", "b1"):
            await line.join(name)
        for _ in range(6):
            await line.release()
        assert line.turns == ["a0", "a1", "b0", "a2", "b1", "a3", "a4"]

    run(story)


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcd"), max_size=30))
def test_those_who_wait_are_taken_in_turn_and_each_in_its_own_order(names: Sequence[str]) -> None:
    async def story() -> None:
        line = Line()
        assert line.queue.take()
        for number, who in enumerate(names):
            await line.join(f"{who}{number}")
        for _ in names:
            await line.release()
        lines = [[f"{w}{n}" for n, w in enumerate(names) if w == who] for who in dict.fromkeys(names)]
        assert line.turns == [name for round_ in zip_longest(*lines) for name in round_ if name is not None]

    run(story)


@settings(deadline=None)
@given(
    st.integers(1, 3), st.lists(st.tuples(st.sampled_from(["join", "release", "cancel", "leave"]), st.integers(0, 9)))
)
def test_a_turn_is_never_lost_nor_given_twice(slots: int, steps: Sequence[tuple[str, int]]) -> None:
    async def story() -> None:
        line, tasks, held = Line(slots), [], 0
        for number, (step, chosen) in enumerate(steps):
            if step == "join":
                tasks.append(await line.join(f"{'abc'[chosen % 3]}{number}"))
            elif step == "release" and len(line.turns) > held:
                line.queue.release()  # not settled: who was given the turn may be cancelled before it wakes
                held += 1
            elif step == "cancel" and tasks:
                tasks[chosen % len(tasks)].cancel()
            elif step == "leave" and line.left:
                left = list(line.left.values())[chosen % len(line.left)]
                if not left.done():
                    left.set_result(None)
            if step != "release":
                await settle()
            assert len(line.turns) - held <= slots
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(len(line.turns) - held):
            line.queue.release()
        assert line.queue.waiting == 0
        assert [line.queue.take() for _ in range(slots + 1)] == [True] * slots + [False]

    run(story)


def test_a_turn_that_comes_in_the_moment_of_leaving_passes_on() -> None:
    async def story() -> None:
        line = Line()
        await line.join("a0")
        leaving = await line.join("a1")
        await line.join("b0")
        line.queue.release()
        leaving.cancel()
        await settle()
        assert line.turns == ["a0", "b0"]

    run(story)


def test_who_floods_the_queue_gives_way_to_who_does_not() -> None:
    async def story() -> None:
        line = Line(waiting=3)
        await line.join("a0")
        flood = [await line.join(f"a{n}") for n in (1, 2, 3, 4)]
        with pytest.raises(Overloaded) as full:
            await flood[3]
        assert full.value.reason == "full" and full.value.retry_after_s
        other = await line.join("b0")
        with pytest.raises(Overloaded):
            await flood[2]
        for _ in range(3):
            await line.release()
        await other
        assert line.turns == ["a0", "a1", "b0", "a2"]

    run(story)


def test_equals_do_not_take_places_from_each_other() -> None:
    async def story() -> None:
        line = Line(waiting=2)
        await line.join("a0")
        for name in ("a1", "b0"):
            await line.join(name)
        with pytest.raises(Overloaded):
            await (await line.join("c0"))
        assert line.queue.waiting == 2

    run(story)


@pytest.mark.parametrize("reason", ["timeout", "left"])
def test_who_waited_too_long_or_left_is_out_of_the_queue(reason: str) -> None:
    async def story() -> None:
        line = Line(longest_wait_s=0.01 if reason == "timeout" else 1000)
        await line.join("a0")
        waiting = await line.join("a1")
        if reason == "left":
            line.left["a1"].set_result(None)
        with pytest.raises(Overloaded) as error:
            await waiting
        assert error.value.reason == reason
        assert line.queue.waiting == 0

    run(story)
