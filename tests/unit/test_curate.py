"""Memories that people put in: updated by id or question, out of service and back, and never mixed with made ones."""

import json

import pytest
import sqlalchemy as sa
from running import ingest

from zuinig.app.asked import Ask
from zuinig.core.errors import NotFound
from zuinig.core.tables import Evidence, Memory
from zuinig.core.types import MemoryStatus, Reach, Source
from zuinig.memory.curate import written
from zuinig.memory.importing import Imported, Pair

HOTEL = "# Travel\n\n## Hotels\n\nEmployees may book hotels up to {} euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"


def take_in(services, *pairs: Pair) -> Imported:
    return services.importing.run(pairs, by="Ann")


def served(services, question: str, collections: list[int] | None = None) -> str | None:
    hit = services.recall.find(question, Reach(None if collections is None else tuple(collections))).hit
    return hit.answer if hit else None


def newest(services) -> Memory:
    with services.db.read() as session:
        return session.scalars(sa.select(Memory).order_by(Memory.id.desc()).limit(1)).one()


# Import


def test_the_same_id_takes_new_words_and_the_old_question_is_no_longer_answered(quick):
    take_in(quick, Pair("Who is the owner?", "Ann.", "1"))
    assert take_in(quick, Pair("Who owns the boat?", "Bob.", "1")) == Imported(0, 1, 0)
    assert served(quick, "Who owns the boat?") == "Bob."
    assert served(quick, "Who is the owner?") is None
    assert quick.memories.count() == 1


def test_without_an_id_the_same_question_takes_a_new_answer(quick):
    take_in(quick, Pair("Who is the owner?", "Ann."))
    assert take_in(quick, Pair("who is the OWNER", "Bob.")) == Imported(0, 1, 0)
    assert served(quick, "Who is the owner?") == "Bob."


def test_a_new_answer_without_an_id_leaves_the_memory_its_id(quick):
    take_in(quick, Pair("Who is the owner?", "Ann.", "1"))
    take_in(quick, Pair("Who is the owner?", "Bob."))
    assert newest(quick).external_id == "1"


@pytest.mark.parametrize("external_id", [None, "1"])
def test_of_two_lines_for_one_memory_the_last_counts(quick, external_id):
    lines = [Pair("Who is the owner?", f"Number {n}.", external_id) for n in range(600)]
    assert take_in(quick, *lines) == Imported(1, 599, 0)
    assert served(quick, "Who is the owner?") == "Number 599."
    assert quick.memories.count() == 1


def test_the_same_question_of_two_collections_is_two_memories(quick):
    a, b = (quick.search.collection_ids([_with_document(quick, name)]) for name in ("alpha", "beta"))
    pairs = [Pair("Who is the owner?", name, "1", str(ids[0])) for name, ids in (("Ann.", a), ("Bob.", b))]
    assert take_in(quick, *pairs).added == 2
    assert (served(quick, "Who is the owner?", a), served(quick, "Who is the owner?", b)) == ("Ann.", "Bob.")


def _with_document(services, collection: str) -> str:
    ingest(services, "a.md", f"# {collection}\n\nText.\n", collection)
    return collection


def test_an_import_that_was_cut_off_is_finished_by_repeating_it(quick):
    pairs = [Pair(f"What is in box {n}?", f"Thing {n}.") for n in range(1200)]

    def cut_off(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick.importing.run(pairs, by="Ann", progress=cut_off)
    assert take_in(quick, *pairs) == Imported(688, 0, 512)
    assert quick.memories.count() == 1200


def test_an_import_puts_what_was_taken_out_back_into_service(quick):
    pair = Pair("Who is the owner?", "Ann.", "1")
    take_in(quick, pair)
    quick.curate.set_status(newest(quick).id, MemoryStatus.RETIRED, by="Bob")
    assert take_in(quick, pair) == Imported(0, 1, 0)
    assert served(quick, "Who is the owner?") == "Ann."


def test_nothing_taken_in_changes_nothing(quick):
    assert take_in(quick) == Imported(0, 0, 0)
    assert quick.memories.count() == 0


# Beside what the ladder made


@pytest.fixture
def answered(services):
    """A memory that the ladder made out of a document."""
    ingest(services, "travel.md", HOTEL.format(143))
    principal = services.auth.of_key(services.auth.ensure_admin_key().read_text().strip())
    assert services.answers.ask(Ask(QUESTION), principal).source == Source.SPECIALIST
    return services


def test_what_people_wrote_comes_before_what_the_ladder_made_and_leaves_it_alone(answered):
    assert take_in(answered, Pair(QUESTION, "Ask Ann.")).added == 1
    assert served(answered, QUESTION) == "Ask Ann."
    answered.curate.delete(newest(answered).id)
    assert "143" in served(answered, QUESTION)


def test_an_edited_answer_rests_on_who_wrote_it_and_outlives_the_document(answered):
    memory = newest(answered)
    answered.curate.edit(memory.id, question=None, answer="At most 150 euros.", by="Ann")
    ingest(answered, "travel.md", HOTEL.format(177))
    assert served(answered, QUESTION) == "At most 150 euros."
    edited = newest(answered)
    assert (edited.origin, edited.verified_by, edited.citations) == ("human", "Ann", [])
    with answered.db.read() as session:
        assert session.scalars(sa.select(Evidence)).all() == []


def test_an_edited_question_is_found_by_its_new_words_and_still_rests_on_the_document(answered):
    answered.curate.edit(newest(answered).id, question="How dear may a hotel be?", answer=None, by="Ann")
    assert "143" in served(answered, "How dear may a hotel be?")
    assert served(answered, QUESTION) is None
    ingest(answered, "travel.md", HOTEL.format(177))
    assert served(answered, "How dear may a hotel be?") is None


def test_a_memory_whose_document_changed_is_not_served_even_if_put_back_into_service(answered):
    ingest(answered, "travel.md", HOTEL.format(177))
    memory = newest(answered)
    assert memory.status == MemoryStatus.STALE
    answered.curate.set_status(memory.id, MemoryStatus.LIVE, by="Ann")
    assert served(answered, QUESTION) is None


# Out of service


def test_what_is_taken_out_is_not_served_until_it_is_put_back(quick):
    take_in(quick, Pair("Who is the owner?", "Ann."))
    memory = newest(quick).id
    quick.curate.set_status(memory, MemoryStatus.RETIRED, by="Bob")
    assert served(quick, "Who is the owner?") is None
    assert quick.memories.count() == 0
    assert "Bob" in newest(quick).status_reason
    quick.curate.set_status(memory, MemoryStatus.LIVE, by="Bob")
    assert served(quick, "Who is the owner?") == "Ann."
    assert (quick.memories.count(), newest(quick).status_reason) == (1, None)


def test_what_is_deleted_is_gone(quick):
    take_in(quick, Pair("Who is the owner?", "Ann."))
    memory = newest(quick).id
    quick.curate.delete(memory)
    assert served(quick, "Who is the owner?") is None
    assert quick.memories.count() == 0
    for change in (
        lambda: quick.curate.delete(memory),
        lambda: quick.curate.set_status(memory, MemoryStatus.LIVE, by="Bob"),
        lambda: quick.curate.edit(memory, question=None, answer="Bob.", by="Bob"),
    ):
        with pytest.raises(NotFound):
            change()


def test_an_edit_keeps_the_collection(quick):
    ids = quick.search.collection_ids([_with_document(quick, "alpha")])
    take_in(quick, Pair("Who is the owner?", "Ann.", scope=str(ids[0])))
    quick.curate.edit(newest(quick).id, question=None, answer="Bob.", by="Bob")
    assert newest(quick).scope == json.dumps(ids[0])
    assert served(quick, "Who is the owner?", ids) == "Bob."


def test_only_what_is_in_service_is_exported_oldest_first(quick):
    take_in(quick, *(Pair(f"What is in box {n}?", f"Thing {n}.", str(n)) for n in range(4)))
    quick.curate.set_status(newest(quick).id, MemoryStatus.RETIRED, by="Bob")
    with quick.db.read() as session:
        assert [m.external_id for m in written(session)] == ["0", "1", "2"]
