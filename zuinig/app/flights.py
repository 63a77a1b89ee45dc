"""Identical questions that are asked at the same time: worked on once, in a thread of their own, told to all.

The work belongs to nobody in particular. An asker who goes away disturbs no other, and the work stops only when none is
left. What it cost is borne by the first who sees its end.
"""

import contextvars
import threading
import time
from collections.abc import Callable, Generator, Hashable
from typing import Generic, TypeVar

R = TypeVar("R")

# How long what ended is kept for questions that began before its end: longer than search and reading ever take.
_KEPT_S = 30.0


class _Flight(Generic[R]):
    def __init__(self) -> None:
        self.turn = threading.Condition()
        self.pieces: list[str] = []
        self.result: R | None = None
        self.error: BaseException | None = None
        self.ended: float | None = None
        self.aboard = 0
        self.taken = False

    def fly(self, work: Callable[[], Generator[str, None, R]]) -> None:
        result: R | None = None
        failed: BaseException | None = None
        pieces = work()
        try:
            while True:
                piece = next(pieces)
                with self.turn:
                    if not self.aboard:
                        break
                    self.pieces.append(piece)
                    self.turn.notify_all()
            pieces.close()
        except StopIteration as end:
            result = end.value
        except BaseException as error:  # noqa: BLE001  # told to whoever waits, in their own threads
            failed = error
        with self.turn:
            self.result, self.error, self.ended = result, failed, time.perf_counter()
            self.turn.notify_all()

    def listen(self) -> Generator[str, None, tuple[R, bool]]:
        told = 0
        while True:
            with self.turn:
                while self.ended is None and len(self.pieces) == told:
                    self.turn.wait()
                news, told = self.pieces[told:], len(self.pieces)
                ended = self.ended is not None
            yield from news
            if ended:
                break
        if self.error is not None:
            raise self.error
        assert self.result is not None
        with self.turn:
            first, self.taken = not self.taken, True
        return self.result, first


class Flights(Generic[R]):
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, _Flight[R]] = {}

    def ask(
        self, key: Hashable | None, work: Callable[[], Generator[str, None, R]], *, begun: float
    ) -> Generator[str, None, tuple[R, bool]]:
        """The pieces as they come, then the result and whether this asker is the first to have it. Raises what the work
        raises.

        key: equal for questions that may share; None shares with nobody. begun: when the question was asked
        (`time.perf_counter`): work that ended later was going on beside it, and is shared too.
        """
        flight = self._board(key, work, begun)
        try:
            return (yield from flight.listen())
        finally:
            self._leave(key, flight)

    def _board(self, key: Hashable | None, work: Callable[[], Generator[str, None, R]], begun: float) -> _Flight[R]:
        with self._lock:
            now = time.perf_counter()
            kept = self._flights.items()
            self._flights = {k: f for k, f in kept if f.ended is None or now - f.ended < _KEPT_S}
            flight = self._flights.get(key) if key is not None else None
            if flight is not None and (flight.ended is None or (flight.error is None and flight.ended > begun)):
                with flight.turn:
                    flight.aboard += 1
                return flight
            flight = _Flight[R]()
            flight.aboard = 1
            if key is not None:
                self._flights[key] = flight
        # What is logged in the thread keeps the request's number.
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(flight.fly, work), name="llm", daemon=True).start()
        return flight

    def _leave(self, key: Hashable | None, flight: _Flight[R]) -> None:
        with self._lock, flight.turn:
            flight.aboard -= 1
            # The work stops at its next piece: whoever comes now begins anew.
            if not flight.aboard and flight.ended is None and key is not None and self._flights.get(key) is flight:
                del self._flights[key]
