"""Invariant 6: every answer has its entry, and the sums say what was spent and saved."""

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from running import ingest

from zuinig.app import prompt
from zuinig.app.asked import Ask
from zuinig.app.summary import Span, summary, total
from zuinig.core.errors import BadRequest
from zuinig.core.tables import Answer, Conversation, Feedback, LedgerEntry, Memory
from zuinig.core.types import MemoryStatus, Source, Usage, Verdict
from zuinig.retrieval.pack import baseline

TEXT = "# Travel\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n"
QUESTION = "What may a hotel in Antwerp cost per night?"


@pytest.fixture
def principal(services):
    return services.auth.of_key(services.auth.ensure_admin_key().read_text().strip())


@pytest.fixture
def by(services):
    def rows(group_by, span=Span(), limit=100):  # noqa: B008
        with services.db.read() as session:
            return {row.group: row for row in summary(session, group_by, span, limit=limit)}

    return rows


@pytest.fixture
def write(quick):
    """write(...) puts an answer and its entry into the ledger, and gives the id of the answer."""
    count = 0

    def written(*, source=Source.SPECIALIST, ms=10.0, usage=None, at=None, memory_id=None, answer="So.", **more):
        nonlocal count
        count += 1
        identity = f"ans_{count}"
        with quick.db.write() as session:
            conversation = Conversation(owner_id="key_1")
            session.add(conversation)
            session.flush()
            row = Answer(
                id=identity,
                conversation_id=conversation.id,
                owner_id="key_1",
                question="Why?",
                standalone_question="Why?",
                answer=answer,
                source=source,
                confidence=0.9,
                citations=[],
                memory_id=memory_id,
            )
            session.add(row)
            session.flush()
            about = {"scope": "", "key_id": "key_1", "usage": usage or Usage(), "timing_ms": {"total": ms}, **more}
            quick.ledger.write(session, answer_id=identity, source=source, **about)
            if at is not None:
                entry = sa.update(LedgerEntry).where(LedgerEntry.answer_id == identity)
                session.execute(entry.values(created_at=at))
        return identity

    return written


@pytest.fixture
def told(quick):
    def rows(group_by, span=Span(), limit=100):  # noqa: B008
        with quick.db.read() as session:
            return {row.group: row for row in summary(session, group_by, span, limit=limit)}

    return rows


def test_the_summary_names_collections_and_adds_up(services, principal, by):
    ingest(services, "travel.md", TEXT, "travel")
    answers = [services.answers.ask(Ask(QUESTION, collections=c), principal) for c in (None, ["travel"], ["travel"])]
    rows = by("collection")
    assert {name: row.questions for name, row in rows.items()} == {"all": 1, "travel": 2}
    assert rows["travel"].baseline_tokens == sum(a.usage.baseline_tokens for a in answers[1:])
    assert {group: row.questions for group, row in by("source").items()} == {"specialist": 2, "memory": 1}
    [day] = by("day").values()
    assert (day.questions, day.prompt_tokens) == (3, 0)


def test_a_question_counts_for_each_collection_and_document_and_once_in_the_total(services, principal, by):
    ingest(services, "travel.md", TEXT, "travel")
    ingest(services, "rooms.md", "# Rooms\n\nHotels in Antwerp may cost 143 euros per night.\n", "rooms")
    answer = services.answers.ask(Ask(QUESTION, collections=["travel", "rooms"]), principal)
    services.answers.ask(Ask("Who waters the purple cactus on the moon?"), principal)
    assert {name: row.questions for name, row in by("collection").items()} == {"travel": 1, "rooms": 1, "all": 1}
    cited = {c.document_id for c in answer.citations}
    rows = by("document")
    assert {row.id for row in rows.values()} == {*cited, None}
    assert rows[""].questions == 1
    assert all(row.questions == 1 for row in rows.values())
    with services.db.read() as session:
        assert total(session, Span()).questions == 2
    gone = answer.citations[0].document_id
    services.uploads.delete(gone)
    with services.db.read() as session:
        rows = summary(session, "document", Span(), limit=9)
    assert [row.group for row in rows if row.id == gone] == [""]


def test_whose_key_asked_stands_in_the_ledger(services, by):
    ingest(services, "travel.md", TEXT)
    for user, group in (("anna", "helpdesk"), ("bram", "helpdesk"), (None, None)):
        _, key = services.auth.create_key(f"key of {user}", ["ask"], user=user, group=group)
        services.answers.ask(Ask(QUESTION), services.auth.of_key(key))
    assert {name: row.questions for name, row in by("user").items()} == {"anna": 1, "bram": 1, "": 1}
    assert {name: row.questions for name, row in by("group").items()} == {"helpdesk": 2, "": 1}
    assert set(by("key")) == {"key of anna", "key of bram", "key of None"}


@pytest.mark.parametrize("served", [Source.SPECIALIST, Source.MEMORY])
def test_the_baseline_is_the_same_question_before_the_five_best_passages_in_full(services, principal, served):
    for n in range(8):
        ingest(services, f"travel{n}.md", TEXT.replace("143", str(140 + n)).replace("Antwerp", f"Antwerp {n}"))
    answer = services.answers.ask(Ask(QUESTION), principal)
    if served == Source.MEMORY:
        answer = services.answers.ask(Ask(QUESTION), principal)
    assert answer.source == served
    hits = services.search.search(QUESTION, 5)
    assert len(hits) == 5
    context = baseline(hits)
    assert all(hit.text in context for hit in hits)
    plain = prompt.prompt_tokens(services.tokens, context, QUESTION) + services.tokens.count(answer.answer)
    assert answer.usage.baseline_tokens == plain


def test_a_memory_that_people_wrote_is_measured_when_it_is_served(services, principal):
    ingest(services, "travel.md", TEXT)
    services.curate.write(QUESTION, "At most 143 euros.", scope="", by="Ann")
    first, second = (services.answers.ask(Ask(QUESTION), principal) for _ in range(2))
    assert first.source == second.source == Source.MEMORY
    plain = prompt.prompt_tokens(services.tokens, baseline(services.search.search(QUESTION, 5)), QUESTION)
    assert first.usage.baseline_tokens == plain + services.tokens.count("At most 143 euros.")
    assert second.usage.baseline_tokens == first.usage.baseline_tokens


def test_percentiles_are_nearest_rank_over_all_and_for_each_rung(write, told):
    for n in range(1, 21):
        write(source=Source.MEMORY, ms=float(n))
    write(source=Source.LLM, ms=900.0)
    [day] = told("day").values()
    assert (day.p50_ms, day.p95_ms) == (11, 20)
    assert [(r.source, r.questions, r.p50_ms, r.p95_ms) for r in day.rungs] == [
        ("memory", 20, 10, 19),
        ("llm", 1, 900, 900),
    ]


def test_money_of_plain_rag_is_what_was_spent_and_saved(write, told):
    write(source=Source.LLM, usage=Usage(100, 20, 900, 0.12, 0.78, "m"))
    row = told("model")["m"]
    assert (row.spent_tokens, row.saved_tokens) == (120, 780)
    assert (row.cost, row.saved_cost, row.baseline_cost) == pytest.approx((0.12, 0.78, 0.9))


def test_wrong_is_what_readers_said_and_no_curator_dismissed(quick, write, told):
    verdicts = [(), ((Verdict.UP, False),), ((Verdict.DOWN, False),), ((Verdict.DOWN, True),)]
    verdicts.append(((Verdict.DOWN, False), (Verdict.UP, False)))
    for given in verdicts:
        answer = write()
        with quick.db.write() as session:
            for n, (verdict, dismissed) in enumerate(given):
                session.add(Feedback(answer_id=answer, owner_id=f"key_{n}", verdict=verdict, dismissed=dismissed))
    row = told("source")["specialist"]
    assert (row.questions, row.reviewed, row.wrong, row.wrong_rate) == (5, 4, 2, 0.5)


def test_what_a_curator_decided_counts_for_the_answers_that_said_the_same(quick, write, told):
    quick.curate.write("Why?", "So.", scope="", by="Ann")
    write(source=Source.MEMORY, memory_id=1)
    assert told("source")["memory"].reviewed == 0  # written by a person: nobody judged the answer
    with quick.db.write() as session:
        session.execute(sa.update(Memory).values(origin="specialist"))
    write(source=Source.SPECIALIST, memory_id=1)
    write(source=Source.SPECIALIST, memory_id=1, answer="Otherwise.")
    assert (told("source")["specialist"].reviewed, told("source")["specialist"].wrong) == (1, 0)
    assert told("source")["memory"].reviewed == 0
    with quick.db.write() as session:
        session.execute(sa.update(Memory).values(status=MemoryStatus.REJECTED, verified_by=None))
    assert (told("source")["specialist"].reviewed, told("source")["specialist"].wrong) == (1, 1)
    assert (told("source")["memory"].reviewed, told("source")["memory"].wrong) == (1, 1)


def test_a_span_holds_both_its_days_in_utc(write, told):
    for day, hour in ((1, 23), (2, 0), (3, 23), (4, 0)):
        write(at=datetime(2026, 3, day, hour, tzinfo=UTC))
    rows = told("day", Span(date(2026, 3, 2), date(2026, 3, 3)))
    assert list(rows) == ["2026-03-03", "2026-03-02"]
    assert sum(row.questions for row in told("day", Span(until=date.max)).values()) == 4
    with pytest.raises(BadRequest):
        Span(date(2026, 3, 3), date(2026, 3, 2)).check()


def test_no_more_rows_than_asked_for_and_those_asked_most(write, told):
    for user, times in (("anna", 1), ("bram", 3), ("carla", 2)):
        for _ in range(times):
            write(user=user)
    assert list(told("user", limit=2)) == ["bram", "carla"]


def test_a_question_that_is_not_recorded_leaves_no_trace(services, principal):
    ingest(services, "travel.md", TEXT)
    services.answers.ask(Ask(QUESTION), principal)

    def rows():
        with services.db.read() as session:
            return [session.execute(sa.select(t)).all() for t in (LedgerEntry, Answer, Conversation, Memory)]

    before = rows()
    for memory in ("use", "skip", "refresh"):
        answered = services.answers.ask(Ask(QUESTION, memory=memory, recorded=False), principal)
        assert "143" in answered.answer
        assert not answered.remembered
    assert [len(r) for r in rows()] == [len(r) for r in before]
    with services.db.read() as session:
        assert session.scalar(sa.select(Memory.hits)) == 0
