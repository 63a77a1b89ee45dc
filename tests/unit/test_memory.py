"""Invariants 3, 4 and 5 over the real pipeline, embedder and database."""

import io

import pytest
import sqlalchemy as sa
from running import ingest

from zuinig.app.asked import Ask
from zuinig.core.tables import LedgerEntry, Memory, Passage, Suggestion, now
from zuinig.core.types import MemoryStatus, Reach, Source
from zuinig.memory.importing import Pair

HOTEL = "# Travel\n\n## Hotels\n\nEmployees may book hotels up to {} euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"


@pytest.fixture
def ask(services):
    principal = services.auth.of_key(services.auth.ensure_admin_key().read_text().strip())
    return lambda question, **more: services.answers.ask(Ask(question, **more), principal)


def test_a_repeat_comes_from_memory_and_each_answer_has_one_ledger_entry(services, ask):
    ingest(services, "travel.md", HOTEL.format(143))
    first, second = ask(QUESTION), ask(QUESTION.upper())
    assert (first.source, second.source) == (Source.SPECIALIST, Source.MEMORY)
    assert second.answer == first.answer
    assert (second.usage.prompt_tokens, second.usage.completion_tokens) == (0, 0)
    assert second.usage.baseline_tokens == first.usage.baseline_tokens > 0
    with services.db.read() as session:
        entries = session.scalars(sa.select(LedgerEntry.answer_id)).all()
    assert sorted(entries) == sorted([first.answer_id, second.answer_id])


def test_an_answer_made_while_documents_are_on_their_way_in_says_so_and_memory_does_not(services, ask):
    ingest(services, "travel.md", HOTEL.format(143))
    assert ask(QUESTION).notice is None
    services.uploads.accept("more.md", io.BytesIO(b"# More"), "default")
    assert ask(QUESTION).notice is None
    told = ask("Who repairs the bicycles?").notice
    assert told.code == "still_reading"
    with services.db.read() as session:
        assert session.scalars(sa.select(LedgerEntry.notice)).all()[-1] == "still_reading"


def test_what_there_was_no_time_to_read_is_not_called_uncovered(services, ask, monkeypatch):
    ingest(services, "travel.md", HOTEL.format(143))
    monkeypatch.setattr(services.specialist.reader, "read", lambda question, hits: [None] * len(hits))
    answered = ask(QUESTION)
    assert (answered.source, answered.notice.code) == (Source.NONE, "not_read")
    assert "143 euros" in answered.answer
    assert services.suggest.refresh(services.answers.covers) == 0
    with services.db.read() as session:
        assert session.scalars(sa.select(Memory)).all() == []
        assert session.scalars(sa.select(Suggestion)).all() == []


def test_a_citation_leads_to_the_exact_place(services, ask):
    document = ingest(services, "travel.md", "Intro.\n\n" + HOTEL.format(143))
    [citation] = ask(QUESTION).citations
    _, text = services.documents.text(document)
    assert text[citation.start : citation.end] == citation.quote
    assert "143" in citation.quote


def test_answer_is_stale_once_its_document_changed(services, ask):
    ingest(services, "travel.md", HOTEL.format(143))
    ask(QUESTION)
    ingest(services, "travel.md", HOTEL.format(177))
    with services.db.read() as session:
        assert session.scalars(sa.select(Memory.status)).all() == [MemoryStatus.STALE]
    answer = ask(QUESTION)
    assert answer.source == Source.SPECIALIST
    assert "177" in answer.answer
    assert "143" not in answer.answer


def test_a_memory_lives_on_where_the_new_version_still_says_what_it_rests_on(services, ask):
    before = "# Guide\n\n" + HOTEL.format(143)
    ingest(services, "travel.md", before)
    first = ask(QUESTION)
    document = ingest(services, "travel.md", before + "\n## Parking\n\nParking at the station is free on Sundays.\n")
    again = ask(QUESTION)
    assert again.source == Source.MEMORY
    [citation] = again.citations
    assert (citation.version, first.citations[0].version) == (2, 1)
    _, text = services.documents.text(document)
    assert text[citation.start : citation.end] == citation.quote == first.citations[0].quote


def test_a_new_document_that_may_answer_otherwise_makes_the_memory_stale(services, ask):
    ingest(services, "travel.md", HOTEL.format(143))
    ask(QUESTION)
    ingest(services, "menu.md", "# Canteen\n\nOn Fridays the canteen serves fish with potatoes.\n")
    assert ask(QUESTION).source == Source.MEMORY
    ingest(services, "news.md", "# News\n\nFrom May, hotels in Antwerp may cost employees up to 190 euros per night.\n")
    assert ask(QUESTION).source == Source.SPECIALIST


def test_what_people_wrote_is_put_up_for_review_when_a_document_speaks_of_it(services):
    services.importing.run([Pair(QUESTION, "143 euros.")], by="test")
    ingest(services, "news.md", HOTEL.format(190))
    with services.db.read() as session:
        [memory] = session.scalars(sa.select(Memory)).all()
    assert memory.status == MemoryStatus.LIVE
    assert "something new" in memory.review_reason


def test_an_answer_made_while_a_better_document_came_in_is_not_remembered(services, ask, monkeypatch):
    ingest(services, "travel.md", HOTEL.format(143))
    seen = services.search.seen()
    ingest(services, "news.md", "# News\n\nFrom May, hotels in Antwerp may cost employees up to 190 euros per night.\n")
    monkeypatch.setattr(type(services.search), "seen", lambda _: seen)
    ask(QUESTION)
    with services.db.read() as session:
        assert session.scalars(sa.select(Memory.id)).all() == []


@pytest.mark.parametrize("question", ["What may a hotel in Antwerp cost today?", "Who approved my hotel in Antwerp?"])
def test_what_holds_only_now_or_for_the_asker_is_not_remembered(services, ask, question):
    ingest(services, "travel.md", HOTEL.format(143))
    ask(question)
    assert ask(question).source != Source.MEMORY


def test_an_expired_memory_is_not_served(services, ask):
    ingest(services, "travel.md", HOTEL.format(143))
    ask(QUESTION)
    with services.db.write() as session:
        session.execute(sa.update(Memory).values(expires_at=now()))
    assert services.recall.find(QUESTION).hit is None


def test_refresh_answers_anew_and_remembers_that(services, ask):
    ingest(services, "travel.md", HOTEL.format(143))
    ask(QUESTION)
    assert ask(QUESTION, memory="refresh").source == Source.SPECIALIST
    with services.db.read() as session:
        assert sorted(session.scalars(sa.select(Memory.status))) == [MemoryStatus.LIVE, MemoryStatus.RETIRED]


def test_a_deleted_document_answers_nothing_from_anywhere(services, ask):
    document = ingest(services, "travel.md", HOTEL.format(143))
    ask(QUESTION)
    services.uploads.delete(document)
    assert ask(QUESTION).source == Source.NONE
    assert services.search.search(QUESTION, 5) == []
    with services.db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Passage)) == 0
        assert session.scalar(sa.text("SELECT count(*) FROM passages_fts")) == 0


def test_a_memory_whose_evidence_is_gone_is_not_served_whatever_its_status_says(services, ask):
    ingest(services, "travel.md", HOTEL.format(143))
    ask(QUESTION)
    with services.db.write() as session:
        session.execute(sa.update(Passage).values(content_hash="other"))
    assert services.recall.find(QUESTION).hit is None


def test_i_do_not_know_is_never_remembered(services, ask):
    ingest(services, "travel.md", HOTEL.format(143))
    for _ in range(2):
        assert ask("Which wine goes best with grilled octopus?").source == Source.NONE
    with services.db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Memory)) == 0


def test_an_answer_of_one_collection_is_not_served_for_another(services, ask):
    ingest(services, "a.md", HOTEL.format(143), "alpha")
    ingest(services, "b.md", HOTEL.format(99), "beta")
    assert "143" in ask(QUESTION, collections=["alpha"]).answer
    other = ask(QUESTION, collections=["beta"])
    assert other.source == Source.SPECIALIST
    assert "99" in other.answer
    assert "143" not in other.answer


def test_a_follow_up_neither_hits_nor_becomes_a_memory(services, ask):
    ingest(services, "leave.md", "# Leave\n\nEmployees have 25 days of leave. Part-timers have leave pro rata.\n")
    first = ask("How many days of leave do employees have?")
    follow = ask("And for part-timers?", conversation_id=first.conversation_id)
    again = ask("And for part-timers?", conversation_id=first.conversation_id)
    assert Source.MEMORY not in (follow.source, again.source)
    assert "leave" in follow.standalone_question


def test_import_is_idempotent_and_collections_that_disagree_serve_nothing(services):
    ingest(services, "a.md", "# A\n\nText.\n", "alpha")
    ingest(services, "b.md", "# B\n\nOther text.\n", "beta")
    pairs = [Pair(f"What is the code of room {n}?", f"Code {n}.", str(n)) for n in range(700)]
    assert services.importing.run(pairs, by="me").added == 700
    assert services.importing.run(pairs, by="me").unchanged == 700
    found = services.recall.lookup(["what is the code of room 77", "What is the code of room 7000?"])
    assert found[0].hit.external_id == "77"
    assert found[1].hit is None
    a, b = (services.search.collection_ids([name])[0] for name in ("alpha", "beta"))
    both = [Pair("Who is the owner?", "Ann.", scope=str(a)), Pair("Who is the owner?", "Bob.", scope=str(b))]
    services.importing.run(both, by="me")
    assert services.recall.find("Who is the owner?").hit is None
    assert services.recall.find("Who is the owner?", Reach((b,))).hit.answer == "Bob."
