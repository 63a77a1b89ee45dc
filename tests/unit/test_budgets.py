"""Budgets: what counts for whom, when it begins anew, and who is told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from zuinig.app.budgets import bounds, used_up
from zuinig.core.errors import BadRequest, NotFound
from zuinig.core.tables import Answer, Conversation, LedgerEntry
from zuinig.core.types import Principal, Scope, Source, Usage

ANNA = Principal("key_anna", "key_anna", "Anna's", frozenset({Scope.ASK}), user="anna", group="helpdesk")
BRAM = Principal("key_bram", "key_bram", "Bram's", frozenset({Scope.ASK}), user="bram", group="helpdesk")
ADMIN = Principal("key_admin", "key_admin", "admin", frozenset({Scope.ADMIN}))
SPENT = Usage(90, 10, 900, 0.25, 0.75, "m")


@pytest.fixture
def spend(quick):
    count = 0

    def spent(principal=ANNA, usage=SPENT, at=None):
        nonlocal count
        count += 1
        with quick.db.write() as session:
            conversation = Conversation(owner_id=principal.key_id)
            session.add(conversation)
            session.flush()
            session.add(
                Answer(
                    id=f"ans_{count}",
                    conversation_id=conversation.id,
                    owner_id=principal.key_id,
                    question="Why?",
                    standalone_question="Why?",
                    answer="So.",
                    source=Source.LLM,
                    confidence=1,
                    citations=[],
                )
            )
            session.flush()
            quick.ledger.write(
                session,
                answer_id=f"ans_{count}",
                key_id=principal.key_id,
                user=principal.user,
                group=principal.group,
                source=Source.LLM,
                scope="",
                usage=usage,
                timing_ms={"total": 1.0},
            )
            if at is not None:
                entry = sa.update(LedgerEntry).where(LedgerEntry.answer_id == f"ans_{count}")
                session.execute(entry.values(created_at=at))

    return spent


@pytest.fixture
def put(quick):
    def one(subject="service", name="", period="month", *, tokens=None, cost=None):
        return quick.budgets.put(subject, name, period, tokens=tokens, cost=cost, by="test")

    return one


def test_each_budget_counts_what_its_own_spend(quick, put, spend):
    put(tokens=1000)
    put("group", "helpdesk", tokens=1000)
    put("user", "anna", tokens=1000)
    put("user", "bram", cost=Decimal(1))
    key, _ = quick.auth.create_key("carla's", [Scope.ASK], user="carla")
    put("key", key.id, tokens=1000)
    carla = Principal(key.id, key.id, "carla's", frozenset({Scope.ASK}), user="carla")
    for who, times in ((ANNA, 1), (BRAM, 2), (carla, 3)):
        for _ in range(times):
            spend(who)
    spend(ANNA, Usage(0, 0, 900, 0, 0.9))  # a free rung spends nothing
    assert [(u.subject, u.label, u.spent_tokens, u.spent_cost) for u in quick.budgets.all()] == [
        ("service", "", 600, 1.5),
        ("group", "helpdesk", 300, 0.75),
        ("user", "anna", 100, 0.25),
        ("user", "bram", 200, 0.5),
        ("key", "carla's", 300, 0.75),
    ]
    assert [u.subject for u in quick.budgets.of(ANNA)] == ["service", "group", "user"]
    assert [u.subject for u in quick.budgets.of(carla)] == ["service", "key"]
    assert [u.subject for u in quick.budgets.of(ADMIN)] == ["service"]


def test_a_day_and_a_month_begin_at_midnight_utc(quick, put, spend):
    day, month = put(period="day", tokens=1000), put(period="month", tokens=1000)
    assert day.begins.tzinfo is UTC
    moment = timedelta(microseconds=1)
    spend(at=day.begins - moment)
    spend(at=day.begins)
    spend(at=month.begins - moment)
    used = {u.period: u.spent_tokens for u in quick.budgets.all()}
    # On the first of a month yesterday belongs to neither.
    assert used == {"day": 100, "month": 100 if day.begins == month.begins else 200}


@pytest.mark.parametrize(
    ("period", "begins", "ends"),
    [
        ("day", datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("month", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_period_ends_where_the_next_begins(period, begins, ends):
    at = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert bounds(period, at) == (begins, ends)
    assert bounds(period, ends)[0] == ends


def test_february_ends_on_the_first_of_march():
    assert bounds("month", datetime(2028, 2, 1, tzinfo=UTC))[1] == datetime(2028, 3, 1, tzinfo=UTC)


def test_whichever_limit_is_nearer_counts_and_none_at_all_is_used_up_from_the_start(put, spend):
    spend()
    assert put(tokens=1000, cost=Decimal("0.25")).share == 1
    assert put(tokens=200, cost=Decimal(100)).share == 0.5
    assert put(tokens=0).state == "used"


def test_a_limit_set_again_takes_the_place_of_the_one_before(quick, put):
    first, second = put(tokens=10), put(tokens=20)
    assert first.id == second.id
    assert [u.tokens for u in quick.budgets.all()] == [20]
    quick.budgets.remove(first.id)
    assert quick.budgets.all() == []
    with pytest.raises(NotFound):
        quick.budgets.remove(first.id)


@pytest.mark.parametrize(
    ("subject", "name", "limits"),
    [
        ("service", "anna", {"tokens": 1}),
        ("user", "", {"tokens": 1}),
        ("user", "anna", {}),
        ("user", "anna", {"tokens": -1}),
        ("user", "anna", {"cost": Decimal("1e12")}),
        ("planet", "mars", {"tokens": 1}),
    ],
)
def test_what_makes_no_sense_is_refused(put, subject, name, limits):
    with pytest.raises(BadRequest):
        put(subject, name, **limits)


def test_a_key_that_is_not_in_use_has_no_budget(quick, put):
    key, _ = quick.auth.create_key("gone", [Scope.ASK])
    quick.auth.revoke(key.id)
    for name in (key.id, "key_never"):
        with pytest.raises(NotFound):
            put("key", name, tokens=1)


def test_used_up_is_told_until_the_last_of_them_begins_anew(quick, put, spend):
    day, month = put("user", "anna", "day", tokens=100), put("group", "helpdesk", "month", tokens=1000)
    assert used_up(quick.budgets.of(ANNA)) is None
    spend()
    notice = used_up(quick.budgets.of(ANNA))
    assert notice.code == "budget_used"
    assert f"{day.ends:%Y-%m-%d}" in notice.message
    put("group", "helpdesk", "month", tokens=100)
    assert f"{month.ends:%Y-%m-%d}" in used_up(quick.budgets.of(ANNA)).message
    assert used_up(quick.budgets.of(ADMIN)) is None


@pytest.mark.parametrize(
    ("subject", "name", "seen"), [("user", "anna", True), ("group", "helpdesk", False), ("service", "", False)]
)
def test_a_warning_is_for_whose_budget_it_is_and_for_admins(quick, put, subject, name, seen):
    put(subject, name, tokens=1000)
    uses = quick.budgets.of(ANNA)
    assert quick.budgets.warn(uses, replace(SPENT, prompt_tokens=789), ANNA) is None  # 79.9 %
    warned = quick.budgets.warn(uses, replace(SPENT, prompt_tokens=790), ANNA)
    assert (warned is not None) == seen
    boss = replace(ANNA, scopes=frozenset({Scope.ADMIN}))
    assert quick.budgets.warn(uses, replace(SPENT, prompt_tokens=790), boss).code == "budget_warning"
    assert quick.budgets.warn(uses, Usage(), boss) is None  # nothing was spent on this answer


def test_no_message_names_whose_budget_it_is(quick, put, spend):
    put("group", "helpdesk", tokens=100)
    put("user", "anna", tokens=100)
    spend()
    uses = quick.budgets.of(ANNA)
    for notice in (used_up(uses), used_up(uses[:1]), quick.budgets.warn(uses, SPENT, ANNA)):
        assert not any(name in notice.message for name in ("helpdesk", "anna"))


def test_the_log_has_one_line_for_each_period_budget_and_state(quick, put, spend):
    put(tokens=300)
    with capture_logs() as lines:
        for _ in range(4):
            uses = quick.budgets.of(ANNA)
            quick.budgets.warn(uses, SPENT, ANNA)
            spend()
    assert [(line["event"], line["percent"]) for line in lines] == [("budget.used", 100)]
    put(tokens=480)
    with capture_logs() as lines:
        quick.budgets.of(ANNA)
        quick.budgets.of(ANNA)
    assert [line["event"] for line in lines] == ["budget.warning"]


def test_the_sums_of_a_question_are_read_from_the_index_alone(quick, put):
    put("user", "anna", tokens=1)
    asked = []

    def note(connection, cursor, statement, parameters, context, executemany):
        asked.append((statement, parameters))

    sa.event.listen(quick.db.engine, "before_cursor_execute", note)
    quick.budgets.of(ANNA)
    sa.event.remove(quick.db.engine, "before_cursor_execute", note)
    [(statement, parameters)] = [(s, p) for s, p in asked if "FROM ledger" in s]
    with quick.db.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert "COVERING INDEX ix_ledger_spent" in str(plan)
