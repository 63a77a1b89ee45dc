"""Windows that slide, whose they are, and what settings may say."""

import asyncio
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zuinig.app.limits import Limit, Limits, address, identity
from zuinig.core.errors import ConfigurationError, TooManyRequests
from zuinig.core.settings import Settings
from zuinig.core.types import Principal


class Counting:
    """Limits on a clock that stands still until it is told otherwise."""

    def __init__(self, **limits: str) -> None:
        self.limits, self.now = Limits(Settings(**limits)), 1_000_000_020.0  # on the border of a minute

    def __call__(self, who: str = "a", limit: Limit = Limit.REQUESTS, cost: int = 1) -> int:
        """Seconds to wait; 0 where it was allowed."""
        with patch("time.time", lambda: self.now):
            try:
                asyncio.run(self.limits.count(limit, who, cost))
            except TooManyRequests as error:
                assert error.retry_after_s is not None
                return error.retry_after_s
        return 0


def test_the_limit_is_for_each_and_says_when_to_come_back() -> None:
    count = Counting(limit_requests="2/minute")
    assert [count(), count(), count("b"), count("b")] == [0, 0, 0, 0]
    wait = count()
    assert wait > 0 and count("b") > 0
    count.now += wait
    assert count() == 0


def test_a_burst_does_not_pass_twice_on_both_sides_of_a_border() -> None:
    count = Counting(limit_requests="10/minute")
    count.now += 59
    assert [count() for _ in range(10)] == [0] * 10
    count.now += 2
    assert [count() == 0 for _ in range(10)].count(True) <= 1


@settings(deadline=None)
@given(
    amount=st.integers(1, 5),
    steps=st.lists(st.tuples(st.floats(0, 40, allow_nan=False), st.integers(1, 3)), min_size=1, max_size=25),
)
def test_what_is_refused_is_allowed_when_it_was_told_to_come_back_and_not_a_second_earlier(
    amount: int, steps: list[tuple[float, int]]
) -> None:
    count = Counting(limit_requests=f"{amount}/minute")
    for seconds, cost in steps:
        count.now += seconds
        wait = count(cost=min(cost, amount))
        if wait > 1:
            count.now += wait - 1.001
            assert count(cost=min(cost, amount)) > 0
            count.now += 1.001
            assert count(cost=min(cost, amount)) == 0


def test_the_long_window_counts_beside_the_short_one() -> None:
    count = Counting(limit_requests="2/minute; 3/day")
    taken = 0
    for _ in range(10):
        taken += count() == 0
        count.now += 61
    assert taken == 3
    assert count() > 3600


def test_an_upload_larger_than_the_limit_takes_all_of_it_instead_of_being_refused_for_ever() -> None:
    count = Counting(limit_uploads="10/minute")
    assert count(limit=Limit.UPLOADS, cost=500) == 0
    assert count(limit=Limit.UPLOADS) > 0


@pytest.mark.parametrize("off", [None, "off", "OFF"])
def test_a_limit_can_be_off(off: str | None) -> None:
    count = Counting(limit_sign_ins=off)
    assert not any(count(limit=Limit.SIGN_INS) for _ in range(1000))


def test_by_default_only_sign_ins_are_limited() -> None:
    count = Counting()
    others = [limit for limit in Limit if limit != Limit.SIGN_INS]
    assert not any(count(limit=limit) for limit in others for _ in range(2000))
    assert any(count(limit=Limit.SIGN_INS) for _ in range(2000))


@pytest.mark.parametrize("text", ["many", "60", "0/minute", "60/fortnight", "-1/hour"])
def test_a_limit_that_cannot_be_read_names_its_setting(text: str) -> None:
    with pytest.raises(ConfigurationError, match="ZUINIG_LIMIT_QUESTIONS"):
        Limits(Settings(limit_questions=text))


@pytest.mark.parametrize("url", ["memcached://localhost", "redis", "redis://localhost:port"])
def test_a_store_that_cannot_be_used_names_its_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ZUINIG_LIMIT_STORE"):
        Limits(Settings(limit_store=url))


def test_a_missing_client_for_redis_says_what_to_install() -> None:
    with (
        patch.dict("sys.modules", {"redis.asyncio": None}),
        pytest.raises(ConfigurationError, match=r"zuinig\[redis\]"),
    ):
        Limits(Settings(limit_store="redis://localhost"))


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_an_address_of_ipv6_counts_with_its_whole_network(host: str, counted: str) -> None:
    assert address(host) == counted


def test_a_user_counts_with_all_keys_and_is_never_taken_for_a_key() -> None:
    def of(key: str, user: str | None) -> str:
        return identity(Principal(key, key, "name", frozenset(), user=user))

    assert of("key_1", "ann") == of("key_2", "ann")
    assert len({of("key_1", None), of("key_2", None), of("key_3", "key_1")}) == 3
