"""Lookup: what is served, by which wording, to whom, and what is not."""

import pytest
import sqlalchemy as sa
from fakes import judge_by
from running import ingest

from zuinig.app.asked import Ask
from zuinig.core.errors import BadRequest, NotFound
from zuinig.core.tables import Evidence, Memory
from zuinig.core.types import MemoryStatus, Reach, Scope, Source
from zuinig.memory.importing import Pair

LAMP = "Which bulb goes into the lamp?"
OTHER = "What light source does the fixture take?"
HEATER = "Which fuse goes into the heater?"


@pytest.fixture
def curated(quick):
    """mem_1: the lamp, mem_2: the heater; nothing asks the same unless a test says so."""
    quick.importing.run([Pair(LAMP, "E27."), Pair(HEATER, "10 A.")], by="Ann")
    judge_by(quick.verifier, [])
    return quick


def served(services, question: str, reach: Reach = Reach()) -> str | None:  # noqa: B008
    hit = services.recall.find(question, reach).hit
    return hit.answer if hit else None


def reasons(services, question: str) -> dict[str, str | None]:
    return {c.question: c.rejected_because for c in services.recall.find(question).candidates}


# Wordings


def test_another_wording_serves_at_once_in_its_very_words(curated):
    assert served(curated, OTHER) is None
    curated.curate.add_wording(1, OTHER, differs=False, by="Ann")
    assert served(curated, OTHER.upper()) == "E27."


def test_what_asks_the_same_as_a_wording_is_served_by_it(curated):
    near = "What light source fits the fixture?"
    curated.curate.add_wording(1, OTHER, differs=False, by="Ann")
    judge_by(curated.verifier, [{near, OTHER}])
    found = curated.recall.find(near)
    assert found.hit.answer == "E27."
    assert OTHER in {c.question for c in found.candidates if c.rejected_because is None}


def test_a_wording_that_was_removed_serves_no_more(curated):
    wording = curated.curate.add_wording(1, OTHER, differs=False, by="Ann")
    with pytest.raises(NotFound):
        curated.curate.remove_wording(2, wording, by="Ann")  # of another memory
    curated.curate.remove_wording(1, wording, by="Ann")
    assert served(curated, OTHER) is None
    assert curated.wordings.count() == 0


def test_the_wordings_of_what_is_out_of_service_serve_nothing(curated):
    curated.curate.add_wording(1, OTHER, differs=False, by="Ann")
    curated.curate.set_status(1, MemoryStatus.RETIRED, by="Ann")
    assert served(curated, OTHER) is None
    curated.curate.set_status(1, MemoryStatus.LIVE, by="Ann")
    assert served(curated, OTHER) == "E27."
    curated.curate.delete(1)
    assert served(curated, OTHER) is None
    assert curated.wordings.count() == 0


def test_wordings_are_still_there_after_a_restart_and_a_reindex(curated):
    curated.curate.add_wording(1, OTHER, differs=False, by="Ann")
    curated.wordings.rebuild()
    assert curated.wordings.count() == 1
    assert served(curated, OTHER) == "E27."


# Counter-examples


def test_a_counter_example_is_not_served_and_says_why(curated):
    judge_by(curated.verifier, [{LAMP, OTHER}])
    assert served(curated, OTHER) == "E27."
    curated.curate.add_wording(1, OTHER, differs=True, by="Ann")
    assert served(curated, OTHER) is None
    assert reasons(curated, OTHER)[LAMP] == "somebody said that this is another question"


def test_what_asks_the_same_as_a_counter_example_is_not_served(curated):
    near = "What light does the fixture take?"
    judge_by(curated.verifier, [{LAMP, OTHER, near}])
    assert served(curated, near) == "E27."
    curated.curate.add_wording(1, OTHER, differs=True, by="Ann")
    assert served(curated, near) is None


def test_a_counter_example_of_one_memory_leaves_the_others_alone(curated):
    judge_by(curated.verifier, [{LAMP, OTHER}, {HEATER, OTHER}])
    curated.curate.add_wording(1, OTHER, differs=True, by="Ann")
    assert served(curated, OTHER) == "10 A."


def test_the_last_word_on_a_wording_counts(curated):
    curated.curate.add_wording(1, OTHER, differs=True, by="Ann")
    curated.curate.add_wording(1, OTHER, differs=False, by="Bob")
    assert served(curated, OTHER) == "E27."


def test_a_memorys_own_words_cannot_be_its_counter_example(curated):
    with pytest.raises(BadRequest):
        curated.curate.add_wording(1, LAMP.lower(), differs=True, by="Ann")


def test_where_the_verifier_fails_a_counter_example_holds(curated):
    from zuinig.memory.verify import VerifierFailed

    judge_by(curated.verifier, [{LAMP, "Which lamp bulb?"}])
    curated.curate.add_wording(1, OTHER, differs=True, by="Ann")
    judge = curated.verifier.judge

    def fails_on_counter_examples(asked, near):
        if any(w.question == OTHER for wordings in near for w in wordings):
            raise VerifierFailed("no")
        return judge(asked, near)

    curated.verifier.judge = fails_on_counter_examples
    assert served(curated, "Which lamp bulb?") is None


# Contradictions


def test_of_two_verified_answers_the_newer_is_served_and_both_come_up_for_review(quick):
    first, second = (quick.curate.write(q, a, scope="", by="Ann") for q, a in ((LAMP, "E14."), (OTHER, "E27.")))
    asked = "Lamp: which bulb?"
    judge_by(quick.verifier, [{LAMP, OTHER, asked}])
    found = quick.recall.find(asked)
    assert (found.hit.id, found.contradicting) == (second, (first,))
    principal = quick.auth.of_key(quick.auth.ensure_admin_key().read_text().strip())
    quick.answers.ask(Ask(asked), principal)
    with quick.db.read() as session:
        assert all("differently" in m.review_reason for m in session.scalars(sa.select(Memory)))
    quick.curate.approve(first, by="Ann")
    assert quick.recall.find(asked).hit.id == first  # approved last


def test_a_likelier_memory_is_served_before_another_question_that_passes_too(curated):
    asked = "Which bulb for the lamp?"
    likely = {(asked, LAMP): 0.999, (asked, HEATER): 0.99}
    curated.verifier.judge = lambda questions, near: [
        [likely.get((q, w.question), 0.0) for w in wordings] for q, wordings in zip(questions, near, strict=True)
    ]
    found = curated.recall.find(asked)
    assert (found.hit.answer, found.contradicting) == ("E27.", ())


def test_the_same_answer_twice_is_no_contradiction(quick):
    for question in (LAMP, OTHER):
        quick.curate.write(question, "E27.", scope="", by="Ann")
    judge_by(quick.verifier, [{LAMP, OTHER, "Which?"}])
    assert quick.recall.find("Which?").contradicting == ()


# Rights


@pytest.fixture
def rights(services):
    """Two collections, and a key for each that reads nothing else."""
    for name, price in (("alpha", 143), ("beta", 99)):
        text = f"# Travel\n\n## Hotels\n\nEmployees may book hotels up to {price} euros per night in Antwerp.\n"
        ingest(services, f"{name}.md", text, name)
    keys = {"all": services.auth.of_key(services.auth.ensure_admin_key().read_text().strip())}
    for name in ("alpha", "beta"):
        ids = services.search.collection_ids([name])
        _, key = services.auth.create_key(name, [Scope.ASK, Scope.READ], collections=ids)
        keys[name] = services.auth.of_key(key)
    return services, keys


HOTEL = "What is the maximum hotel price per night in Antwerp?"


def test_two_askers_with_different_rights_never_share_what_rests_on_the_difference(rights):
    services, keys = rights
    answers = {}
    for name, said, hidden in (("alpha", "143", "99"), ("beta", "99", "143")):
        for source in (Source.SPECIALIST, Source.MEMORY):
            answer = services.answers.ask(Ask(HOTEL), keys[name])
            assert answer.source == source
            assert said in answer.answer
            assert hidden not in answer.answer
        answers[name] = answer.memory.id
    assert services.answers.ask(Ask(HOTEL), keys["all"]).source == Source.SPECIALIST
    assert answers["alpha"] != answers["beta"]


def test_what_rests_on_a_hidden_document_is_not_served_whatever_its_scope_says(rights):
    services, keys = rights
    services.answers.ask(Ask(HOTEL), keys["alpha"])
    reach = Reach(readable=keys["alpha"].readable)
    assert services.recall.find(HOTEL, reach).hit is not None
    with services.db.write() as session:
        other = services.documents.page(limit=1, collection="beta")[0][0].id
        session.execute(sa.update(Evidence).values(document_id=other))
    assert services.recall.find(HOTEL, reach).hit is None
    assert services.recall.find(HOTEL, reach).candidates == ()


def test_what_people_wrote_for_all_serves_all_and_for_a_collection_its_readers(rights):
    services, keys = rights
    [alpha] = services.search.collection_ids(["alpha"])
    services.curate.write(LAMP, "E27.", scope="", by="Ann")
    services.curate.write(HEATER, "10 A.", scope=str(alpha), by="Ann")
    for name, heater in (("alpha", "10 A."), ("beta", None), ("all", "10 A.")):
        reach = Reach(readable=keys[name].readable)
        assert served(services, LAMP, reach) == "E27."
        assert served(services, HEATER, reach) == heater


def test_what_others_may_ask_of_does_not_crowd_out_ones_own(quick):
    """The nearest memories are of another scope; the asker's own one is found behind them."""
    ingest(quick, "a.md", "# A\n\nText.\n", "alpha")
    ingest(quick, "b.md", "# B\n\nOther text.\n", "beta")
    a, b = quick.search.collection_ids(["alpha"]) + quick.search.collection_ids(["beta"])
    others = [Pair(f"Which bulb {n}?", str(n), scope=str(a)) for n in range(300)]
    quick.importing.run([*others, Pair(LAMP, "E27.", scope=str(b))], by="Ann")
    judge_by(quick.verifier, [{LAMP, OTHER}])
    assert served(quick, OTHER, Reach(readable=frozenset([b]))) == "E27."


def test_one_who_may_read_nothing_is_told_nothing(rights):
    services, keys = rights
    services.answers.ask(Ask(HOTEL), keys["all"])
    nobody = Reach(readable=frozenset())
    assert services.recall.find(HOTEL, nobody).candidates == ()
    assert services.search.search(HOTEL, 5, shelves=nobody.shelves) == []


def test_a_collection_one_may_not_read_is_not_there(rights):
    services, keys = rights
    with pytest.raises(NotFound, match="no collection named 'beta'"):
        services.answers.ask(Ask(HOTEL, collections=["beta"]), keys["alpha"])


def test_a_key_of_some_collections_cannot_be_an_admins(services):
    with pytest.raises(BadRequest):
        services.auth.create_key("Eve", [Scope.ADMIN], collections=[1])
