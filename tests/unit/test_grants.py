"""What grants change at once: for documents, for memory, for conversations and for what was said before."""

import io
from typing import Any

import pytest
from fakes import Gossip
from running import ingest

from zuinig.app.asked import Ask
from zuinig.app.portal import turns
from zuinig.app.services import build
from zuinig.core.errors import Forbidden, NotFound
from zuinig.core.settings import Settings
from zuinig.core.types import Role, Source

HOTEL = "What is the maximum hotel price per night in Antwerp?"
PRICES = (("anna", 143), ("bram", 99))
GOSSIP = "Employees may book hotels up to {} euros per night in Antwerp [1]."
TEXT = "# Travel\n\n## Hotels\n\nEmployees may book hotels up to {} euros per night in Antwerp.\n"


@pytest.fixture
def office(services):
    """anna of HR, bram of Sales; a document of each in the collection `house`."""
    for name, group in (("anna", "HR"), ("bram", "Sales")):
        services.people.create_group(group)
        services.people.create(name, groups=[group])
    services.ids = {name: ingest(services, f"{name}.md", TEXT.format(price), "house") for name, price in PRICES}
    return services


@pytest.fixture
def services(services):
    class Held:
        """The services, and the ids of the documents."""

        ids: dict[str, str]

        def __getattr__(self, name: str) -> Any:
            return getattr(services, name)

    return Held()


def who(services, name):
    return services.auth.of_session(services.auth.open_for(services.people.get(name).id))


def seen(services, name) -> set[str]:
    listed, _ = services.documents.page(limit=9, readable=who(services, name).readable)
    return {document.filename for document in listed}


def test_a_collection_is_open_to_all_until_somebody_says_otherwise(office):
    assert seen(office, "anna") == {"anna.md", "bram.md"}
    assert who(office, "anna").readable is None
    office.grants.set_collection("house", readers=["HR"], editors=[])
    assert seen(office, "anna") == {"anna.md", "bram.md"}
    assert seen(office, "bram") == set()
    with pytest.raises(NotFound):
        office.answers.ask(Ask(HOTEL, collections=["house"]), who(office, "bram"))


def test_that_a_document_is_on_its_way_in_is_told_to_its_readers_only(office):
    office.uploads.accept("next.md", io.BytesIO(b"# Next"), "house")
    office.grants.set_collection("house", readers=["HR"], editors=[])
    asked = "Who repairs the bicycles?"
    told = [office.answers.ask(Ask(asked), who(office, name)).notice for name in ("anna", "bram")]
    assert [notice and notice.code for notice in told] == ["still_reading", None]


def test_a_document_may_have_readers_of_its_own_and_give_them_back(office):
    office.grants.set_document(office.ids["anna"], ["HR"], own=True)
    assert (seen(office, "anna"), seen(office, "bram")) == ({"anna.md", "bram.md"}, {"bram.md"})
    found = office.grants.collections()
    assert [(c.name, c.documents, c.apart) for c in found] == [("house", 2, 1)]
    assert office.grants.readers(office.ids["anna"]).groups == ("HR",)
    office.grants.set_document(office.ids["anna"], None, own=False)
    assert seen(office, "bram") == {"anna.md", "bram.md"}
    # What nothing stands on any more keeps nobody from reading everything.
    assert who(office, "bram").readable is None


def test_the_next_version_of_a_document_keeps_its_readers(office):
    office.grants.set_document(office.ids["anna"], ["HR"], own=True)
    ingest(office, "anna.md", TEXT.format(144), "house")
    assert seen(office, "bram") == {"bram.md"}
    hits = office.search.search(HOTEL, 5, shelves=sorted(who(office, "bram").readable))
    assert {h.filename for h in hits} == {"bram.md"}


def test_an_answer_before_is_withheld_and_not_gone_on_from_once_its_document_is_not_for_the_asker(office):
    office.grants.set_document(office.ids["bram"], ["Sales"], own=True)
    anna = who(office, "anna")
    said = office.answers.ask(Ask(HOTEL), anna)
    assert "143" in said.answer
    with office.db.read() as session:
        assert not turns.of_answer(session, said.answer_id, anna).withheld
    office.grants.set_document(office.ids["anna"], ["Sales"], own=True)
    anna = who(office, "anna")
    with office.db.read() as session:
        turn = turns.of_answer(session, said.answer_id, anna)
        assert (turn.withheld, turn.answer, turn.citations) == (True, "", [])
    after = office.answers.ask(Ask("And for how many nights?", said.conversation_id), anna)
    assert "hotel" not in after.standalone_question.lower()


def test_who_edits_a_collection_reads_all_of_it(office):
    office.grants.set_collection("house", readers=[], editors=["Sales"])
    office.grants.set_document(office.ids["anna"], ["HR"], own=True)
    assert seen(office, "bram") == {"anna.md", "bram.md"}
    assert seen(office, "anna") == {"anna.md"}
    [house] = office.search.collection_ids(["house"])
    assert who(office, "bram").editable == {house}
    office.grants.require_edit(who(office, "bram"), "house")
    for editor, name in (("bram", "elsewhere"), ("anna", "house")):
        with pytest.raises(Forbidden):
            office.grants.require_edit(who(office, editor), name)


@pytest.mark.parametrize("role", [Role.CURATOR, Role.ADMIN])
def test_curators_and_admins_read_everything(office, role):
    office.grants.set_collection("house", readers=[], editors=[])
    office.people.change("bram", role=role)
    assert seen(office, "bram") == {"anna.md", "bram.md"}


def test_a_group_that_is_deleted_opens_nothing(office):
    office.grants.set_collection("house", readers=["HR"], editors=["HR"])
    [group] = [g for g in office.people.groups() if g.name == "HR"]
    office.people.delete_group(group.id)
    assert seen(office, "anna") == set()
    assert office.grants.collection("house").readers == ()


def test_a_curators_answer_for_a_collection_goes_on_being_served_when_a_document_gets_readers_of_its_own(office):
    question = "Who owns the house?"
    office.curate.write(question, "Ann.", scope=office.search.scope_for("house"), by="Ann")
    office.grants.set_document(office.ids["anna"], ["HR"], own=True)
    for name in ("anna", "bram"):
        for collections in (None, ["house"]):
            asked = office.answers.ask(Ask(question, collections=collections), who(office, name))
            assert (asked.source, asked.answer) == (Source.MEMORY, "Ann."), (name, collections)


def test_what_a_model_made_of_a_document_it_did_not_cite_is_not_told_to_who_may_no_longer_read_it(
    tmp_path, monkeypatch
):
    settings = Settings(data_dir=tmp_path, ingest_workers=0, specialist_wrong_budget=0, llm="openai:gossip")
    services = build(settings, llm=Gossip(sentence=GOSSIP, numbers="143|99"))
    try:
        for name, group in (("anna", "HR"), ("bram", "Sales")):
            services.people.create_group(group)
            services.people.create(name, groups=[group])
        ids = {name: ingest(services, f"{name}.md", TEXT.format(price), "house") for name, price in PRICES}
        ingest(services, "other.md", "# Other\n\nThe canteen opens at eight.\n", "closed")
        services.grants.set_collection("closed", readers=[], editors=[])
        said = services.answers.ask(Ask(HOTEL), who(services, "anna"))
        assert {"143", "99"} <= set(said.answer.split()), said.answer
        assert services.answers.ask(Ask(HOTEL), who(services, "bram")).source == Source.MEMORY
        cited = {c.document_id for c in said.citations}
        [uncited] = [name for name, i in ids.items() if i not in cited]
        # That its passages are new on their shelf would be enough here, but not where they are far from the question.
        monkeypatch.setattr(services.grants._freshness, "foresee_move", lambda _: lambda *_: None)
        services.grants.set_document(ids[uncited], [], own=True)
        after = services.answers.ask(Ask(HOTEL), who(services, "bram"))
        assert str(dict(PRICES)[uncited]) not in after.answer
        # What is answered from then on is remembered as ever.
        assert services.answers.ask(Ask(HOTEL), who(services, "bram")).source == Source.MEMORY
    finally:
        services.close()
