"""Turns for what is expensive: a few at a time, the waiting ones by round robin over who asks.

What is too much is taken from the longest line (P. McKenney, Stochastic Fairness Queueing, 1990): who floods the queue
loses, not who comes last. Bound to one event loop, which is why nothing is locked.
"""

import asyncio
from collections import deque
from contextlib import suppress

from zuinig.core.errors import Overloaded

# An estimate would need to know what the waiting ones are going to cost; clients back off further by themselves.
_RETRY_AFTER_S = 5

Place = asyncio.Future[None]


class FairQueue:
    """slots: turns at a time. waiting: the most that wait, all lines together."""

    def __init__(self, slots: int, *, waiting: int, longest_wait_s: float) -> None:
        self._free, self._most, self._longest_wait_s = slots, waiting, longest_wait_s
        # One line for each that waits, in the order of their next turns.
        self._lines: dict[str, deque[Place]] = {}

    @property
    def waiting(self) -> int:
        return sum(map(len, self._lines.values()))

    def take(self) -> bool:
        """Whether it is one's turn at once; `release` ends that."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def wait(self, who: str, left: "asyncio.Future[None]") -> None:
        """Returns once it is one's turn; `release` ends that. left: done when nobody waits for this any more.

        Raises Overloaded where there are too many to wait for, or it took too long.
        """
        if self.take():
            return
        place = self._join(who)
        left.add_done_callback(lambda _: _shed(place, "left", "The client left before its turn came"))
        try:
            async with asyncio.timeout(self._longest_wait_s):
                await place
        except TimeoutError:
            self._leave(who, place)
            raise _overloaded("timeout", f"This waited {self._longest_wait_s:g} s for its turn") from None
        except BaseException:
            self._leave(who, place)
            raise

    def release(self) -> None:
        """The turn passes on to the next line."""
        while self._lines:
            who, line = next(iter(self._lines.items()))
            del self._lines[who]
            place = line.popleft()
            if line:
                self._lines[who] = line  # a dict keeps the order of its keys: this one comes last now
            if not place.done():
                place.set_result(None)
                return
        self._free += 1

    def _join(self, who: str) -> Place:
        if self.waiting >= self._most:
            self._make_room(who)
        place: Place = asyncio.get_running_loop().create_future()
        self._lines.setdefault(who, deque()).append(place)
        return place

    def _make_room(self, who: str) -> None:
        """The last of the longest line gives way, if that is longer than one's own would be. Raises Overloaded."""
        longest = max(self._lines, key=lambda name: len(self._lines[name]), default=who)
        if len(self._lines.get(longest, ())) <= len(self._lines.get(who, ())) + 1:
            raise _overloaded("full", "More is waiting than can be worked on soon")
        place = self._lines[longest].pop()
        _shed(place, "full", "More is waiting than can be worked on soon")

    def _leave(self, who: str, place: Place) -> None:
        line = self._lines.get(who, deque())
        with suppress(ValueError):
            line.remove(place)
            if not line:
                del self._lines[who]
        if place.done() and not place.cancelled() and place.exception() is None:
            self.release()  # the turn had come in the very moment of leaving


def _shed(place: Place, reason: str, why: str) -> None:
    if not place.done():
        place.set_exception(_overloaded(reason, why))


def _overloaded(reason: str, why: str) -> Overloaded:
    return Overloaded(f"{why}; ask again in {_RETRY_AFTER_S} s.", reason, retry_after_s=_RETRY_AFTER_S)
