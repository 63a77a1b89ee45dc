"""The one door to passages: only of the collections asked for, whatever the question looks like."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from fakes import FakeEmbedder
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from zuinig.app.services import Services, build, parser
from zuinig.core.db import Database, migrate
from zuinig.core.errors import NotFound
from zuinig.core.settings import Settings
from zuinig.ingestion.pipeline import work_one
from zuinig.retrieval import embed, lexical
from zuinig.retrieval.retriever import ZuinigRetriever
from zuinig.retrieval.search import fuse

LAMP = "# Lamps\n\nThe lamp in the hall takes a bulb of type E27.\n"
BOAT = "# Boats\n\nThe boat of the club lies in the harbour of Ostend.\n"
CAFE = "Before.\n\n# Cafés\n\n## Paternity\n\nThe cafés are opening at noon.\n"


def fill(services: Services, **texts: tuple[str, str]) -> dict[str, str]:
    """name=(text, collection) of each document; returns their ids. One process reads them all."""
    accepted = {
        name: services.uploads.accept(f"sub/{name}.md", io.BytesIO(text.encode()), collection).document_id
        for name, (text, collection) in texts.items()
    }
    with parser(services.settings) as reading:
        while work_one(services.pipeline, services.queue, reading):
            pass
    return accepted


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Three documents that the tests look at and leave as they are, with vectors that mean nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "load", lambda *_, **__: FakeEmbedder())
        built = build(Settings(data_dir=tmp_path_factory.mktemp("data"), ingest_workers=0))
    fill(built, lamp=(LAMP, "house"), boat=(BOAT, "club"), cafe=(CAFE, "town"))
    yield built
    built.close()


def names(services: Services, query: str, collections: list[str] | None = None, limit: int = 10) -> list[str]:
    ids = services.search.collection_ids(collections)
    return [h.filename for h in services.search.search(query, limit, shelves=ids)]


def by_words(services: Services, query: str, collections: list[int] | None = None) -> set[str]:
    with services.db.read() as session:
        found = lexical.search(session, query, 10, collections)
    return {h.filename for h in services.search.search(query, 50) if h.passage_id in found}


# Collections


def test_a_search_in_a_collection_finds_nothing_of_another(house):
    for query in ("lamp hall bulb", "neither of the two"):
        assert names(house, query, ["club"]) == ["boat.md"]
        assert sorted(names(house, query, ["club", "house"])) == ["boat.md", "lamp.md"]
        assert set(names(house, query)) == {"boat.md", "lamp.md", "cafe.md"}


def test_a_small_collection_is_found_by_vector_beside_a_large_one_that_is_nearer(quick):
    crowd = "\n\n".join(f"# Same\n\nAbout {n}." for n in range(130))
    fill(quick, crowd=(crowd, "large"), boat=(BOAT, "club"))
    [club] = quick.search.collection_ids(["club"])
    boat = next(h for h in quick.search.search("boat", 1))
    # As far from the boat as can be: every passage of the crowd is nearer.
    away = -quick.embedder.embed([f"{boat.context}\n{boat.text}"])
    hits = quick.search.search("zzz", 5, shelves=[club], vector=away)
    assert [(h.filename, h.similarity) for h in hits] == [("boat.md", -1.0)]


def test_no_collections_are_none_and_not_all(house):
    assert house.search.search("lamp", 5, shelves=[]) == []
    assert by_words(house, "lamp", []) == set()


def test_a_collection_that_is_not_there_is_an_error_and_not_an_empty_answer(house):
    with pytest.raises(NotFound, match="'nowhere'"):
        house.search.collection_ids(["house", "nowhere"])


def test_collections_whose_numbers_begin_alike_stay_apart(words):
    with words.read() as session:
        assert set(lexical.search(session, "lamp", 10, [1])) == {1}
        assert set(lexical.search(session, "lamp", 10, [11])) == {2}
        assert set(lexical.search(session, "lamp", 10, [1, 11])) == {1, 2}


def test_the_mark_of_a_collection_is_no_word_of_its_documents(words):
    with words.read() as session:
        assert lexical.search(session, "c1 scope", 10, None) == {}
        assert set(lexical.search(session, "scope c1 lamp", 10, [11])) == {2}


# Questions

HOSTILE = [
    'the "lamp" in the hall',
    "lamp OR NEAR(",
    "lamp AND NOT hall",
    "NEAR(lamp hall, 2)",
    "text:lamp",
    "scope : c9 lamp",
    "{scope} : lamp",
    "lamp* ^hall -bulb +E27",
    "lamp'; DROP TABLE passages; --",
    "lamp\\",
    "(lamp",
    "“lamp” ‘hall’ «bulb»",
    "lámp",
]


@pytest.mark.parametrize("query", HOSTILE)
def test_the_language_of_full_text_search_means_nothing_in_a_question(house, query):
    assert by_words(house, query) == {"lamp.md"}


@pytest.mark.parametrize("query", ["*", '"', "()", "--", "?!", "🙂", " ", ""])
def test_a_question_without_words_is_searched_by_vector_alone(house, query):
    assert by_words(house, query) == set()
    assert len(names(house, query)) > 2


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A full text without documents: the same two passages in collections 1 and 11."""
    url = f"sqlite:///{tmp_path_factory.mktemp('words') / 'zuinig.db'}"
    migrate(url)
    db = Database(url)
    with db.write() as session:
        lexical.add(session, [(1, 1, "Lamps", LAMP), (2, 11, "Lamps", LAMP)])
    yield db
    db.close()


@given(st.text(max_size=60), st.sampled_from([None, [1], [2, 11]]))
@trials(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_question(words, query, collections):
    with words.read() as session:
        assert set(lexical.search(session, query, 10, collections)) <= {1, 2}
        assert lexical.search(session, f"lamp {query}", 10, collections)


@pytest.mark.parametrize("query", ["cafe", "CAFÉ", "opened", "paternity"])
def test_a_word_is_found_in_other_forms_without_its_accents_and_in_a_heading(house, query):
    assert by_words(house, query) == {"cafe.md"}


def test_a_word_is_found_by_its_genitive(house):
    assert by_words(house, "Where is the lamp's switch?") == {"lamp.md"}


# Results


def test_nothing_is_found_where_nothing_is(quick):
    assert quick.search.search("lamp", 10) == []
    made = fill(quick, lamp=(LAMP, "house"), boat=(BOAT, "club"))
    quick.uploads.delete(made["boat"])
    assert names(quick, "boat", ["club"]) == []


def test_a_hit_says_where_it_stands(house):
    hit = next(h for h in house.search.search("noon", 10) if "noon" in h.text)
    view, text = house.documents.text(hit.document_id)
    assert view.path == "sub/cafe.md"
    assert (hit.filename, hit.title, hit.collection) == ("cafe.md", "Cafés", "town")
    assert hit.context == "Cafés › Paternity"
    assert text[hit.start : hit.end] == hit.text


def test_words_and_meaning_both_find_and_the_best_comes_first(services):
    leave = "# Leave\n\nEmployees have 25 days of paid leave.\n"
    fill(services, lamp=(LAMP, "a"), boat=(BOAT, "a"), leave=(leave, "a"))
    assert names(services, "E27")[0] == "lamp.md"
    assert names(services, "How much vacation do staff members get?")[0] == "leave.md"
    hits = services.search.search("Where is the ship of the club?", 3)
    assert hits[0].filename == "boat.md"
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


def test_no_more_is_returned_than_asked_for_and_the_same_each_time(house):
    assert names(house, "lamp boat", limit=2) == names(house, "lamp boat", limit=2) == names(house, "lamp boat")[:2]


def test_the_retriever_of_langchain_goes_through_the_same_door(house):
    retriever = ZuinigRetriever(search=house.search, k=3, shelves=house.search.collection_ids(["club"]))
    [found] = retriever.invoke("lamp or boat")
    assert "harbour" in found.page_content
    assert found.metadata["title"] == "Boats"


def test_scores_are_summed_after_each_is_brought_to_the_same_scale():
    assert fuse([0.9, 0.1], [0.0, 100.0]) == pytest.approx([0, 0])
    assert np.argmax(fuse([0.5, 0.5, 0.5], [1.0, 3.0, 2.0])) == 1
    assert fuse([0.4], [2.0]) == [0.0]
