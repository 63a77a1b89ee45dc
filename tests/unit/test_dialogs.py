"""What a service's memory teaches, taken from a real one."""

import pytest
from running import ingest
from taught import learn

from zuinig.core.tables import Answer, Conversation, LedgerEntry, Memory, new_id
from zuinig.core.types import Source, Verdict
from zuinig.memory.feedback import judge
from zuinig.training.dialogs import Dialog, Pair, dialogs, lessons, pairs, part

DOCUMENT = (
    "# House\n\nThe canteen opens at noon. The cellar is locked at ten. Bicycles stand in the yard.\n\n"
    "The lift was repaired in March. Visitors sign a list at the desk. Parcels wait there for three days.\n"
)
ASKED, QUOTE = "When does the canteen open?", "The canteen opens at noon."
OTHER = "Bicycles stand in the yard."


@pytest.fixture
def house(quick):
    ingest(quick, "house.md", DOCUMENT)
    return quick


def found(services) -> dict[str, Dialog]:
    with services.db.read() as session:
        return {d.question: d for d in dialogs(session)}


def answered(services, question: str, source: Source, *, memory_id=None, confidence=0.9, steps=(), citations=()) -> str:
    with services.db.write() as session:
        conversation = Conversation(owner_id="key_1")
        session.add(conversation)
        session.flush()
        answer = Answer(
            id=new_id("ans"), conversation_id=conversation.id, owner_id="key_1", question=question,
            standalone_question=question, answer="x", source=source, confidence=confidence,
            citations=list(citations), memory_id=memory_id,
        )  # fmt: skip
        session.add(answer)
        session.flush()
        session.add(
            LedgerEntry(
                answer_id=answer.id, key_id="key_1", source=source, prompt_tokens=0, completion_tokens=0,
                baseline_tokens=0, cost_micros=0, saved_cost_micros=0, timing_ms={}, steps=list(steps),
            )
        )  # fmt: skip
        return answer.id


def say(services, answer_id: str, verdict: Verdict) -> None:
    with services.db.write() as session:
        judge(session, answer_id, "key_1", verdict, None)


def citations(services, memory_id: int):
    with services.db.read() as session:
        return session.get(Memory, memory_id).citations


def test_an_answer_of_the_language_model_teaches_the_sentence_that_it_cited(house):
    learn(house, ASKED, QUOTE)
    [place] = found(house)[ASKED].answered_at
    assert (place.text, found(house)[ASKED].known) == (QUOTE, True)
    [lesson, *_] = lessons(found(house)[ASKED], house.search.search(ASKED, 5), most_others=2)
    assert [lesson.text[start:end] for start, end in lesson.held] == [QUOTE]
    assert lesson.holds


def test_a_quote_teaches_nothing_until_a_reader_or_a_curator_stands_for_it(house):
    memory = learn(house, ASKED, QUOTE, origin="specialist")
    assert ASKED not in found(house)
    say(house, answered(house, ASKED, Source.SPECIALIST, memory_id=memory), Verdict.UP)
    assert found(house)[ASKED].answered_at


def test_every_wording_of_an_approved_memory_is_a_question_and_no_counter_example_is(house):
    memory = learn(house, ASKED, QUOTE, origin="specialist")
    house.curate.approve(memory, by="Ann")
    house.curate.add_wording(memory, "From what time is there lunch?", differs=False, by="Ann")
    house.curate.add_wording(memory, "When does the canteen close?", differs=True, by="Ann")
    assert list(found(house)) == [ASKED, "From what time is there lunch?"]
    assert all(d.verified for d in found(house).values())


def test_what_a_reader_called_wrong_teaches_what_does_not_answer(house):
    memory = learn(house, ASKED, OTHER, origin="specialist")
    wrong = citations(house, memory)
    say(house, answered(house, ASKED, Source.SPECIALIST, memory_id=memory, citations=wrong), Verdict.DOWN)
    dialog = found(house)[ASKED]
    assert (dialog.known, [p.text for p in dialog.wrong]) == (False, [OTHER])
    [lesson] = lessons(dialog, house.search.search(ASKED, 5), most_others=2)
    assert [lesson.text[start:end] for start, end in lesson.denied] == [OTHER]
    assert (lesson.holds, lesson.held) == (None, ())


def test_what_the_language_model_found_not_covered_is_compared_on_and_not_learnt_from(house):
    answered(house, "Who won the cup?", Source.NONE, steps=[{"outcome": "not_covered"}])
    answered(house, "Who lost the cup?", Source.NONE)
    assert list(found(house)) == ["Who won the cup?"]
    assert found(house)["Who won the cup?"].known
    assert lessons(found(house)["Who won the cup?"], house.search.search("canteen", 5), most_others=2) == []


def test_what_is_stale_or_held_is_left_out(house):
    stale, held = learn(house, ASKED, QUOTE), learn(house, "Where are the bicycles?", OTHER)
    say(house, answered(house, "Where are the bicycles?", Source.LLM, memory_id=held), Verdict.DOWN)
    ingest(house, "house.md", DOCUMENT.replace("noon", "one"))
    assert stale and found(house) == {}


def test_pairs_are_wordings_counter_examples_and_what_readers_said_of_repeats(house):
    memory = learn(house, ASKED, QUOTE)
    house.curate.add_wording(memory, "From what time is there lunch?", differs=False, by="Ann")
    house.curate.add_wording(memory, "When does the canteen close?", differs=True, by="Ann")
    say(house, answered(house, "When is lunch?", Source.MEMORY, memory_id=memory), Verdict.UP)
    say(house, answered(house, "When is dinner?", Source.MEMORY, memory_id=memory), Verdict.DOWN)
    with house.db.read() as session:
        taught = {(p.a, p.b): p.same for p in pairs(session)}
    # The reader's objection took the memory out of service: what was said of it waits for the curator.
    assert taught == {}
    house.curate.set_status(memory, "live", by="Ann")
    with house.db.read() as session:
        taught = {(p.a, p.b): p.same for p in pairs(session)}
    assert taught[ASKED, "From what time is there lunch?"] and taught[ASKED, "When is lunch?"]
    assert not taught[ASKED, "When does the canteen close?"]


def test_a_question_stays_in_its_part_however_it_is_written():
    assert part("When does the canteen open?") == part("when does  the canteen OPEN")
    parts = [part(f"question {n}") for n in range(2000)]
    assert [round(parts.count(p) / 2000, 1) for p in ("train", "tune", "held out")] == [0.6, 0.2, 0.2]


def test_wordings_of_one_memory_are_in_one_part():
    assert Pair("a", "b", True, "a").part == Pair("b", "c", True, "a").part
