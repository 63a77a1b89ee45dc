from dataclasses import replace

import numpy as np
import pytest

from zuinig.core.errors import ConfigurationError
from zuinig.core.types import Hit
from zuinig.retrieval.embed import MODELS
from zuinig.retrieval.read import NOTHING, Specialist, cite
from zuinig.retrieval.reader import Reader
from zuinig.retrieval.sentences import of_hit

HANDBOOK = [
    "The canteen opens at noon and closes at two. Lunch costs 4 euros.",
    "Bicycles stand in the cellar. The cellar is locked at ten.",
    "Employees have 25 days of paid leave a year. Leave is asked for in the portal.",
]
LEAVE = "How many days of paid leave do employees have a year?"
DUTCH = "Hoeveel dagen betaald verlof krijgen medewerkers per jaar?"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(MODELS / "reader-int8")


@pytest.fixture
def specialist(reader) -> Specialist:
    return Specialist(reader, wrong_budget=0.05, passages=10)


@pytest.fixture
def hits(make_hit, embedder):
    def make(question: str, texts: list[str] = HANDBOOK) -> list[Hit]:
        cosines = embedder.embed(texts) @ embedder.embed([question])[0]
        return [
            make_hit(text, passage_id=n, similarity=float(c), score=2.0 - n)
            for n, (text, c) in enumerate(zip(texts, cosines, strict=True))
        ]

    return make


def test_an_answer_is_quoted_from_the_documents(specialist, hits) -> None:
    reading = specialist.read(LEAVE, hits(LEAVE))
    assert reading.confidence > 0.8
    assert reading.quotes[0].text == "Employees have 25 days of paid leave a year."


def test_the_passage_that_answers_comes_first(specialist, hits) -> None:
    reading = specialist.read(LEAVE, hits(LEAVE))
    assert reading.hits[0].text == HANDBOOK[2]
    assert sorted(h.passage_id for h in reading.hits) == [0, 1, 2]


@pytest.mark.parametrize("text", [["The only line of the only document is about bicycles."], HANDBOOK[:1]])
def test_what_stands_alone_in_the_store_is_not_taken_for_an_answer(specialist, hits, text) -> None:
    question = "Which wine goes best with grilled octopus?"
    assert not specialist.read(question, hits(question, text)).covered


def test_a_question_that_the_documents_do_not_cover_gets_no_quote(specialist, hits) -> None:
    question = "Who won the football championship in Brazil?"
    reading = specialist.read(question, hits(question))
    assert reading.confidence < 0.15
    assert not reading.covered
    assert reading.quotes == ()


def test_nothing_found_is_no_confidence(specialist) -> None:
    assert specialist.read("anything", []) == NOTHING


def test_a_smaller_budget_never_answers_more(reader, hits) -> None:
    budgets = (0.5, 0.3, 0.05, 0.01, 0.0)
    found = [Specialist(reader, wrong_budget=b, passages=10).read(LEAVE, hits(LEAVE)) for b in budgets]
    answered = [bool(r.quotes) for r in found]
    assert answered == sorted(answered, reverse=True)
    assert not answered[-1]


def test_a_sentence_that_answers_in_dutch_comes_first(specialist, hits) -> None:
    texts = ["Medewerkers krijgen 25 dagen betaald verlof per jaar. Verlof vraag je aan.", *HANDBOOK[:2]]
    reading = specialist.read(DUTCH, hits(DUTCH, texts))
    assert reading.sentences[0].text == "Medewerkers krijgen 25 dagen betaald verlof per jaar."


@pytest.mark.parametrize("broken", [RuntimeError("out of memory"), np.nan])
def test_a_reader_that_fails_is_never_sure(specialist, reader, hits, monkeypatch, broken) -> None:
    def run(batches, limit_s):
        if isinstance(broken, Exception):
            raise broken
        return [[np.full((len(b), 2), broken), np.full((len(b), 99, 3), broken)] for b in batches]

    monkeypatch.setattr(reader._model, "run", run)
    reading = specialist.read(LEAVE, hits(LEAVE))
    assert (reading.confidence, reading.quotes) == (0.0, ())
    assert reading.near and reading.unread
    assert reading.sentences[0].text == "Employees have 25 days of paid leave a year."


def test_passages_that_were_not_read_are_no_evidence(specialist, reader, hits, monkeypatch) -> None:
    read = reader.read

    def late(question, found):
        return [None if "25 days" in h.text else r for h, r in zip(found, read(question, found), strict=True)]

    monkeypatch.setattr(reader, "read", late)
    reading = specialist.read(LEAVE, hits(LEAVE))
    assert reading.quotes == () and reading.unread


def test_what_is_only_just_sure_enough_to_be_answered_is_not_remembered(reader, hits, monkeypatch) -> None:
    specialist = Specialist(reader, wrong_budget=0.05, passages=10)
    for share, kept in ((0.955, False), (0.999, True)):
        monkeypatch.setattr("zuinig.retrieval.read._LASTING", 0.97)
        monkeypatch.setattr("zuinig.retrieval.read.rises", lambda *_, share=share: [share])
        reading = specialist.read(LEAVE, hits(LEAVE))
        assert (bool(reading.quotes), reading.lasting) == (True, kept)


def test_no_more_passages_are_read_than_the_limit(reader, hits) -> None:
    few = Specialist(reader, wrong_budget=0.05, passages=2)
    reading = few.read(LEAVE, hits(LEAVE))
    assert {s.hit.passage_id for s in reading.sentences} == {0, 1}
    assert reading.hits[-1].passage_id == 2


def test_the_same_text_of_another_document_is_not_quoted_twice(specialist, make_hit) -> None:
    text = "Employees have 25 days of paid leave a year."
    found = [make_hit(text, passage_id=n, similarity=0.9) for n in range(3)]
    reading = specialist.read(LEAVE, found)
    assert [q.text for q in reading.closest] == [text]


def test_a_copy_in_another_document_makes_the_reader_no_less_sure(specialist, hits) -> None:
    once = hits(LEAVE)
    copies = [replace(hit, passage_id=hit.passage_id + 10, document_id="doc_copy") for hit in once]
    twice = specialist.read(LEAVE, [hit for pair in zip(once, copies, strict=True) for hit in pair])
    assert twice.confidence == pytest.approx(specialist.read(LEAVE, once).confidence)
    assert {hit.passage_id for hit in twice.hits} == {hit.passage_id for hit in (*once, *copies)}


def test_the_same_words_below_another_heading_are_no_copy(specialist, make_hit) -> None:
    found = [make_hit("25 days.", passage_id=n, context=f"Leave › {city}") for n, city in enumerate(("Ghent", "Mons"))]
    assert {s.hit.passage_id for s in specialist.read(LEAVE, found).sentences} == {0, 1}


def test_a_sentence_that_announces_a_list_is_quoted_with_it(specialist, make_hit) -> None:
    found = [make_hit("Paid leave for employees a year is:\n- 25 days in Antwerp\n- 20 days in Ghent", similarity=0.8)]
    reading = specialist.read("What is the paid leave for employees a year?", found)
    for quote in reading.closest:
        assert found[0].text[quote.start : quote.end] == quote.text
        assert not quote.text.endswith(":")


def test_a_citation_is_the_exact_place(make_hit) -> None:
    hit = make_hit("This is the first one. This is the second one.", start=40)
    sentence = next(s for s in of_hit(hit) if s.text == "This is the second one.")
    citation = cite(sentence)
    assert hit.text[citation.start - 40 : citation.end - 40] == citation.quote == "This is the second one."
    assert (citation.version_id, citation.content_hash) == (hit.version_id, hit.content_hash)


def test_a_reader_without_its_calibration_is_refused(reader, monkeypatch) -> None:
    monkeypatch.setattr(reader, "config", {"id": "x"})
    with pytest.raises(ConfigurationError, match="no calibration"):
        Specialist(reader, wrong_budget=0.05, passages=10)
