import pytest

from zuinig.core.types import Hit
from zuinig.retrieval.read import ANSWERS_FROM, answerable, cite, read
from zuinig.retrieval.sentences import score

HANDBOOK = [
    "Employees have 25 days of paid leave a year. Leave is asked for in the portal.",
    "Bicycles stand in the cellar. The cellar is locked at ten.",
]


@pytest.fixture
def hits(make_hit, embedder):
    def make(question: str) -> list[Hit]:
        cosines = embedder.embed(HANDBOOK) @ embedder.embed([question])[0]
        return [
            make_hit(text, passage_id=n, similarity=float(c))
            for n, (text, c) in enumerate(zip(HANDBOOK, cosines, strict=True))
        ]

    return make


def test_an_answer_is_quoted_from_the_documents(hits, embedder) -> None:
    question = "How many days of paid leave do employees have a year?"
    found = hits(question)
    reading = read(question, score(question, embedder.embed([question]), found, embedder), found)
    assert reading.confidence >= ANSWERS_FROM
    assert reading.quotes[0].text == "Employees have 25 days of paid leave a year."


def test_a_question_that_the_documents_do_not_cover_gets_no_quote(hits, embedder) -> None:
    question = "Who won the football championship in Brazil?"
    found = hits(question)
    reading = read(question, score(question, embedder.embed([question]), found, embedder), found)
    assert reading.confidence < ANSWERS_FROM
    assert reading.quotes == ()


def test_nothing_found_is_no_confidence() -> None:
    assert read("anything", [], []).confidence == 0
    assert read("anything", [], []).quotes == ()


def test_the_threshold_is_the_callers(hits, embedder) -> None:
    question = "How many days of paid leave do employees have a year?"
    found = hits(question)
    ranked = score(question, embedder.embed([question]), found, embedder)
    assert read(question, ranked, found, least=1.0).quotes == ()


def test_the_same_text_of_another_document_is_not_quoted_twice(make_hit, embedder) -> None:
    question = "How many days of paid leave do employees have a year?"
    text = "Employees have 25 days of paid leave a year."
    found = [make_hit(text, passage_id=n, similarity=0.9) for n in range(3)]
    reading = read(question, score(question, embedder.embed([question]), found, embedder), found)
    assert [q.text for q in reading.quotes] == [text]


def test_confidence_grows_with_each_of_its_features() -> None:
    base = [0.5, 0.5, 0.5, 0.5]
    for n in range(4):
        assert answerable([*base[:n], 0.9, *base[n + 1 :]]) > answerable(base)


def test_a_citation_is_the_exact_place(make_hit, fake_embedder) -> None:
    hit = make_hit("This is the first one. This is the second one.", start=40)
    sentence = next(
        s
        for s in score("second", fake_embedder.embed(["q"]), [hit], fake_embedder)
        if s.text == "This is the second one."
    )
    citation = cite(sentence)
    assert hit.text[citation.start - 40 : citation.end - 40] == citation.quote == "This is the second one."
    assert (citation.version_id, citation.content_hash) == (hit.version_id, hit.content_hash)
