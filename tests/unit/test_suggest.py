"""What curators are asked to decide."""

import pytest
import sqlalchemy as sa
from fakes import judge_by
from running import ingest

from zuinig.app.asked import Ask
from zuinig.core.errors import BadRequest, Conflict, NotFound
from zuinig.core.tables import Memory, Suggestion
from zuinig.core.types import MemoryStatus, Scope, Source, SuggestionKind, Verdict
from zuinig.memory import suggest
from zuinig.memory.feedback import judge

HOTEL = "# Travel\n\n## Hotels\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"
REWORDED = "In Antwerp, what may a hotel cost per night at most?"
WINE = ("Which wine goes best with grilled octopus?", "What wine suits octopus from the grill?")


@pytest.fixture
def keys(services):
    ingest(services, "travel.md", HOTEL)
    judge_by(services.verifier, [{QUESTION, REWORDED}, set(WINE)])
    return [services.auth.of_key(services.auth.create_key(str(n), [Scope.ASK])[1]) for n in range(3)]


@pytest.fixture
def ask(services, keys):
    return lambda question, who=0: services.answers.ask(Ask(question), keys[who])


@pytest.fixture
def gathered(services):
    def gather(kind: SuggestionKind) -> list[Suggestion]:
        services.suggest.refresh(services.answers.covers)
        with services.db.read() as session:
            return list(suggest.open_ones(session, kind=kind))

    return gather


def test_what_is_asked_often_is_offered_with_counts_wordings_and_evidence(services, ask, gathered):
    for who in range(3):
        ask(QUESTION, who)
    ask(REWORDED)
    [found] = gathered(SuggestionKind.FREQUENT)
    assert (found.question, found.wordings, found.asked, found.askers) == (QUESTION, [REWORDED], 4, 3)
    assert "143" in found.citations[0]["quote"]
    memory = services.suggest.approve(found.id, by="Cleo")
    with services.db.read() as session:
        assert session.get(Memory, memory).verified_by == "Cleo"
    assert gathered(SuggestionKind.FREQUENT) == []


def test_what_is_asked_seldom_or_called_wrong_is_not_offered(services, ask, gathered, keys):
    answers = [ask(QUESTION) for _ in range(2)]
    assert gathered(SuggestionKind.FREQUENT) == []
    answers.append(ask(QUESTION))
    assert len(gathered(SuggestionKind.FREQUENT)) == 1
    with services.db.write() as session:
        judge(session, answers[-1].answer_id, keys[0].key_id, Verdict.DOWN, None)
    assert gathered(SuggestionKind.FREQUENT) == []


def test_what_the_documents_do_not_cover_is_listed_together_until_they_do(services, ask, gathered):
    for who, question in ((0, WINE[0]), (1, WINE[0]), (2, WINE[1])):
        assert ask(question, who).source == Source.NONE
    [gap] = gathered(SuggestionKind.GAP)
    assert (gap.question, gap.wordings, gap.asked, gap.askers) == (WINE[0], [WINE[1]], 3, 3)
    ingest(services, "wine.md", "# Wine\n\nWith grilled octopus a dry Vermentino goes best as a wine.\n")
    assert gathered(SuggestionKind.GAP) == []


def test_a_gap_is_closed_by_writing_the_answer(services, ask, gathered):
    ask(WINE[0])
    ask(WINE[1])
    [gap] = gathered(SuggestionKind.GAP)
    with pytest.raises(BadRequest):
        services.suggest.approve(gap.id, by="Cleo")
    services.suggest.approve(gap.id, by="Cleo", answer="A dry Vermentino.")
    assert [ask(q).answer for q in WINE] == ["A dry Vermentino."] * 2
    assert gathered(SuggestionKind.GAP) == []


def test_what_was_rejected_does_not_come_back(services, ask, gathered):
    ask(WINE[0])
    [gap] = gathered(SuggestionKind.GAP)
    services.suggest.reject(gap.id, by="Cleo")
    ask(WINE[0])
    assert gathered(SuggestionKind.GAP) == []
    with pytest.raises(Conflict, match="Cleo"):
        services.suggest.approve(gap.id, by="Dan", answer="x")


def test_questions_of_the_moment_and_follow_ups_are_nobodys_gap(services, ask, gathered, keys):
    first = ask("Which octopus recipe won the prize today?")
    services.answers.ask(Ask("And with wine?", conversation_id=first.conversation_id), keys[0])
    assert gathered(SuggestionKind.GAP) == []


def test_what_is_no_longer_there_cannot_be_decided(services):
    with pytest.raises(NotFound):
        services.suggest.reject("sug_nothing", by="Cleo")


def test_a_suggestion_whose_memory_went_stale_is_written_anew_only_by_a_person(services, ask, gathered):
    for who in range(3):
        ask(QUESTION, who)
    [found] = gathered(SuggestionKind.FREQUENT)
    ingest(services, "travel.md", HOTEL.replace("143", "177"))
    with pytest.raises(Conflict):
        services.suggest.approve(found.id, by="Cleo")
    with services.db.read() as session:
        assert session.scalars(sa.select(Memory.status)).all() == [MemoryStatus.STALE]


def test_merging_leaves_one_memory_that_is_asked_for_in_both_ways(services, ask):
    judge_by(services.verifier, [])
    first, second = (ask(q).answer_id and n for n, q in enumerate((QUESTION, REWORDED), 1))
    services.curate.add_wording(second, "Antwerp hotel?", differs=False, by="Cleo")
    services.curate.merge(second, into=first, by="Cleo")
    for question in (QUESTION, REWORDED, "antwerp HOTEL"):
        assert ask(question).memory.id == "mem_1"
    with services.db.read() as session:
        assert session.get(Memory, second).status_reason == "Merged into mem_1 by Cleo."
    with pytest.raises(BadRequest):
        services.curate.merge(first, into=first, by="Cleo")
