"""What follows from a reader's word, and what does not."""

import pytest
import sqlalchemy as sa
from running import ingest

from zuinig.app.asked import Ask
from zuinig.core.errors import Conflict, NotFound
from zuinig.core.tables import Memory, MemoryEvent, Suggestion
from zuinig.core.types import MemoryStatus, Scope, Source, SuggestionKind, Verdict
from zuinig.memory.feedback import judge

HOTEL = "# Travel\n\n## Hotels\n\nEmployees may book hotels up to {} euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"


@pytest.fixture
def keys(services):
    ingest(services, "travel.md", HOTEL.format(143))
    made = {name: services.auth.create_key(name, [Scope.ASK])[1] for name in ("Ann", "Bob")}
    return {name: services.auth.of_key(key) for name, key in made.items()}


@pytest.fixture
def ask(services, keys):
    return lambda name="Ann": services.answers.ask(Ask(QUESTION), keys[name])


@pytest.fixture
def say(services, keys):
    def say(answer, verdict: Verdict, name: str = "Ann", correction: str | None = None) -> None:
        with services.db.write() as session:
            judge(session, answer.answer_id, keys[name].key_id, verdict, correction)

    return say


def memory(services) -> Memory:
    with services.db.read() as session:
        return session.scalars(sa.select(Memory).order_by(Memory.id)).first()


def test_a_thumbs_down_holds_an_unverified_memory_and_it_is_not_learnt_again(services, ask, say):
    say(ask(), Verdict.DOWN)
    held = memory(services)
    assert held.status == MemoryStatus.HELD
    assert "wrong" in held.review_reason
    # The same documents give the same answer: it is shown, and does not slip back into memory.
    assert [ask().source for _ in range(2)] == [Source.SPECIALIST] * 2


def test_what_was_called_wrong_is_not_learnt_again_when_its_document_left_and_came_back(services, ask, say):
    answer = ask()
    say(answer, Verdict.DOWN)
    services.uploads.delete(answer.citations[0].document_id)
    assert memory(services).status == MemoryStatus.HELD
    ingest(services, "travel.md", HOTEL.format(143))
    assert [ask().source for _ in range(2)] == [Source.SPECIALIST] * 2
    with pytest.raises(Conflict):
        services.curate.approve(memory(services).id, by="Cleo")  # of that version nothing is left to rest on


def test_a_verified_memory_stays_in_service_and_comes_up_for_review(services, ask, say):
    ask()
    services.curate.approve(memory(services).id, by="Cleo")
    for name in ("Ann", "Bob"):
        answer = ask(name)
        for _ in range(50):  # at any volume
            say(answer, Verdict.DOWN, name)
    found = memory(services)
    assert found.status == MemoryStatus.LIVE
    assert "Cleo" in found.review_reason
    assert ask().source == Source.MEMORY


def test_approving_puts_it_back_and_dismisses_what_was_said(services, ask, say):
    say(ask(), Verdict.DOWN)
    services.curate.approve(memory(services).id, by="Cleo")
    assert ask("Bob").source == Source.MEMORY
    found = memory(services)
    assert (found.verified_by, found.review_at, found.review_reason) == ("Cleo", None, None)


def test_a_rejected_answer_is_not_learnt_again_and_a_changed_one_is(services, ask):
    ask()
    services.curate.reject(memory(services).id, by="Cleo", reason="The rate is out of date.")
    assert [ask().source for _ in range(2)] == [Source.SPECIALIST] * 2
    ingest(services, "travel.md", HOTEL.format(177))
    assert [ask().source for _ in range(2)] == [Source.SPECIALIST, Source.MEMORY]


def test_a_correction_is_a_suggestion_and_changes_nothing_that_is_served(services, ask, say):
    ask()
    services.curate.approve(memory(services).id, by="Cleo")
    answer = ask("Bob")
    for text in ("999 euros.", "It is 150 euros."):
        say(answer, Verdict.DOWN, "Bob", text)
    assert "143" in ask().answer
    with services.db.read() as session:
        [found] = session.scalars(sa.select(Suggestion)).all()
    assert (found.kind, found.answer, found.question) == (SuggestionKind.CORRECTION, "It is 150 euros.", QUESTION)
    assert services.suggest.approve(found.id, by="Cleo") == memory(services).id
    assert ask().answer == "It is 150 euros."
    assert memory(services).origin == "human"


def test_who_changes_their_mind_takes_the_correction_back(services, ask, say):
    answer = ask()
    say(answer, Verdict.DOWN, correction="150 euros.")
    say(answer, Verdict.UP)
    with services.db.read() as session:
        assert session.scalars(sa.select(Suggestion)).all() == []


def test_the_answer_of_another_asker_is_not_there(services, ask, say):
    with pytest.raises(NotFound):
        say(ask("Ann"), Verdict.DOWN, "Bob")


def test_what_was_done_stands_in_the_history_with_who_did_it(services, ask, say):
    say(ask(), Verdict.DOWN)
    number = memory(services).id
    services.curate.approve(number, by="Cleo")
    services.curate.edit(number, question=None, answer="143 euros.", by="Dan")
    services.curate.add_wording(number, "Antwerp hotel limit?", differs=False, by="Dan")
    services.curate.reject(number, by="Cleo")
    with services.db.read() as session:
        events = session.execute(sa.select(MemoryEvent.action, MemoryEvent.by).order_by(MemoryEvent.id)).all()
    done = [tuple(e) for e in events]
    assert done == [
        ("review", None),
        ("held", None),
        ("approve", "Cleo"),
        ("edit", "Dan"),
        ("wording", "Dan"),
        ("rejected", "Cleo"),
    ]
