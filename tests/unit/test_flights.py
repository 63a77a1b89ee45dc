"""Identical questions at a time: one piece of work, whoever comes and goes."""

import threading
import time

import pytest

from zuinig.app.flights import Flights


class Work:
    """Tells its pieces, each when the gate opens for it."""

    def __init__(self, *pieces, fails=False):
        self.pieces, self.fails, self.begun, self.closed = pieces, fails, 0, threading.Event()
        self.gate = threading.Semaphore(0)

    def __call__(self):
        self.begun += 1
        try:
            for piece in self.pieces:
                assert self.gate.acquire(timeout=30)
                yield piece
            if self.fails:
                raise RuntimeError("broke off")
            return "whole"
        finally:
            self.closed.set()

    def go(self):
        for _ in self.pieces:
            self.gate.release()


def drain(asking):
    told = []
    while True:
        try:
            told.append(next(asking))
        except StopIteration as end:
            return told, end.value


@pytest.fixture
def flights():
    return Flights()


def test_who_comes_later_hears_all_of_it_and_one_bears_the_cost(flights):
    work = Work("a", "b", "c")
    first = flights.ask("q", work, begun=time.perf_counter())
    work.gate.release()
    assert next(first) == "a"
    second = flights.ask("q", work, begun=time.perf_counter())
    work.gate.release()
    assert next(second) == "a"
    work.go()
    assert drain(first) == (["b", "c"], ("whole", True))
    assert drain(second) == (["b", "c"], ("whole", False))
    assert work.begun == 1


def test_who_began_before_the_end_shares_it_and_who_began_after_it_does_not(flights):
    work, before = Work("a"), time.perf_counter()
    work.go()
    drain(flights.ask("q", work, begun=before))
    assert drain(flights.ask("q", work, begun=before)) == (["a"], ("whole", False))
    work.go()
    assert drain(flights.ask("q", work, begun=time.perf_counter())) == (["a"], ("whole", True))
    assert work.begun == 2


def test_other_questions_and_those_without_a_key_share_nothing(flights):
    work, now = Work("a"), time.perf_counter()
    for key in ("q", "r", None, None):
        work.go()
        assert drain(flights.ask(key, work, begun=now))[1] == ("whole", True)
    assert work.begun == 4


def test_the_first_who_goes_away_disturbs_nobody(flights):
    work = Work("a", "b")
    leader, follower = (flights.ask("q", work, begun=time.perf_counter()) for _ in range(2))
    work.gate.release()
    assert (next(leader), next(follower)) == ("a", "a")
    leader.close()
    work.go()
    assert drain(follower) == (["b"], ("whole", True))


def test_one_who_listens_slowly_holds_nobody_up(flights):
    work = Work("a", "b")
    slow, quick = (flights.ask("q", work, begun=time.perf_counter()) for _ in range(2))
    work.gate.release()
    assert next(slow) == "a"
    work.go()
    assert drain(quick) == (["a", "b"], ("whole", True))
    assert drain(slow) == (["b"], ("whole", False))


def test_when_the_last_one_goes_away_the_work_stops_and_the_next_begins_anew(flights):
    work = Work("a", "b", "c")
    only = flights.ask("q", work, begun=time.perf_counter())
    work.gate.release()
    next(only)
    only.close()
    work.gate.release()
    assert work.closed.wait(30)
    again = Work("d")
    again.go()
    assert drain(flights.ask("q", again, begun=time.perf_counter())) == (["d"], ("whole", True))


def test_a_failure_is_everybodys_who_waits_and_nobodys_who_comes_later(flights):
    work, before = Work("a", "b", fails=True), time.perf_counter()
    asking = [flights.ask("q", work, begun=before) for _ in range(2)]
    work.gate.release()
    assert [next(a) for a in asking] == ["a", "a"]
    work.go()
    for each in asking:
        with pytest.raises(RuntimeError, match="broke off"):
            drain(each)
    sound = Work("b")
    sound.go()
    assert drain(flights.ask("q", sound, begun=before)) == (["b"], ("whole", True))


def test_what_ended_long_ago_is_let_go(flights, monkeypatch):
    monkeypatch.setattr("zuinig.app.flights._KEPT_S", 0)
    for key in "abc":
        work = Work("a")
        work.go()
        drain(flights.ask(key, work, begun=time.perf_counter()))
    assert len(flights._flights) == 1
