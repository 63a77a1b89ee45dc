"""Sets of documents with questions, read from files in the formats of the data sets."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from zuinig.retrieval.sentences import of_hit
from zuinig.training import document_sets
from zuinig.training.document_sets import Asked, DocumentSet
from zuinig.training.fit_reader import holds
from zuinig.training.reading_pairs import for_fit, held_out

HELD_OUT = next(f"Lake_{n}" for n in range(100) if held_out(f"Lake_{n}") and not for_fit(f"Lake_{n}"))
FITTED = next(f"Sea_{n}" for n in range(100) if held_out(f"Sea_{n}") and for_fit(f"Sea_{n}"))
TRAINED = next(f"Hill_{n}" for n in range(100) if not held_out(f"Hill_{n}"))
TITLE = HELD_OUT.replace("_", " ")


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def asked_of(pid: str, question: str, *answers: str) -> dict[str, Any]:
    found = [{"text": text, "answer_start": 0} for text in answers]
    return {"id": question, "pid": pid, "question": question, "answers": found, "is_impossible": not answers}


@pytest.fixture
def squad_files(tmp_path: Path) -> Path:
    contexts = [
        {"pid": "1", "title": HELD_OUT, "context": "The lake is 40 metres deep."},
        {"pid": "2", "title": HELD_OUT, "context": "Its water is clear."},
        {"pid": "3", "title": TRAINED, "context": "The hill is steep."},
        {"pid": "4", "title": FITTED, "context": "The sea is salt."},
    ]
    first = [asked_of("1", "How deep is the lake?", "40 metres", "40", "40"), asked_of("2", "How cold is the water?")]
    second = [
        first[0],
        asked_of("2", "How is the water?", "clear"),
        asked_of("3", "How is the hill?", "steep"),
        asked_of("4", "How is the sea?", "salt"),
    ]
    for version, questions, shown in (("v2.0", first, contexts[:2]), ("v1.1", second, contexts)):
        write(tmp_path / f"squad_dev/dev-{version}.contexts.jsonl.gz", shown)
        write(tmp_path / f"squad_dev/dev-{version}.questions.jsonl.gz", questions)
    return tmp_path


@pytest.fixture
def squad(squad_files: Path) -> DocumentSet:
    return document_sets.squad(squad_files)


def test_of_squad_all_articles_are_documents_and_every_paragraph_stands_in_them_once(squad: DocumentSet) -> None:
    assert squad.texts == {
        TITLE: f"# {TITLE}\n\nThe lake is 40 metres deep.\n\nIts water is clear.",
        TRAINED.replace("_", " "): f"# {TRAINED.replace('_', ' ')}\n\nThe hill is steep.",
        FITTED.replace("_", " "): f"# {FITTED.replace('_', ' ')}\n\nThe sea is salt.",
    }


def test_of_squad_only_articles_that_no_reader_is_trained_on_are_asked_about_and_each_question_once(
    squad: DocumentSet,
) -> None:
    assert squad.asked == [
        Asked("How deep is the lake?", TITLE, "The lake is 40 metres deep.", ("40 metres", "40")),
        Asked("How cold is the water?", TITLE, "Its water is clear.", ()),
        Asked("How is the water?", TITLE, "Its water is clear.", ("clear",)),
    ]


def test_of_squad_no_article_serves_for_fitting_and_for_figures(squad_files: Path) -> None:
    fit = document_sets.squad(squad_files, kept_for="fit")
    assert [a.question for a in fit.asked] == ["How is the sea?"]


def test_a_sample_has_so_many_of_either_kind_or_all_there_are_and_is_the_same_each_time(squad: DocumentSet) -> None:
    assert [len(a.answers) > 0 for a in squad.sample(1, 1)] == [True, False]
    assert squad.sample(1, 5) == squad.sample(1, 5)
    assert len(squad.sample(9, 9)) == 3


def test_a_question_asked_of_several_places_of_a_policy_is_one_that_names_its_site(tmp_path: Path) -> None:
    texts = {"a.com#0": "We log visits.", "a.com#1": "We keep cookies.", "b.com#0": "We keep nothing."}
    write(tmp_path / "policyqa/contexts.jsonl", [{"pid": pid, "context": text} for pid, text in texts.items()])
    what = "What do you collect?"
    found = [asked_of("a.com#0", what, "visits"), asked_of("a.com#1", what, "cookies", "cookies")]
    write(tmp_path / "policyqa/questions.jsonl.gz", [*found, asked_of("b.com#0", what, "nothing")])
    read = document_sets.policies(tmp_path)
    assert read.texts["a.com"] == "# a.com\n\nWe log visits.\n\nWe keep cookies."
    first, second = read.asked
    assert first.question == "What do you collect (a.com)?"
    assert first.answers == ("visits", "cookies")
    assert all(text in first.around for text in ("We log visits.", "We keep cookies."))
    assert (second.document, second.answers) == ("b.com", ("nothing",))


def test_of_a_paper_the_text_around_the_answer_counts_and_an_answer_without_a_place_does_not(tmp_path: Path) -> None:
    body = "Spread by air\n\n" + "Filler. " * 100 + "Drops carry it. " + "Filler. " * 100
    write(tmp_path / "covid_qa/documents.jsonl.gz", [{"document_id": 7, "context": body}])
    answer = {"text": "Drops carry it. ", "answer_start": body.index("Drops")}
    rows = [
        {"document_id": 7, "question": "What carries it?", "answers": [answer]},
        {"document_id": 7, "question": "Lost?", "answers": [{**answer, "answer_start": None}]},
        {"document_id": 8, "question": "Elsewhere?", "answers": [answer]},
    ]
    write(tmp_path / "covid_qa/questions.jsonl", rows)
    read = document_sets.papers(tmp_path, kept_for="fit" if for_fit("Spread by air (7)") else "test")
    other = document_sets.papers(tmp_path, kept_for="test" if for_fit("Spread by air (7)") else "fit")
    assert list(read.texts) == list(other.texts) == ["Spread by air (7)"]
    [asked] = read.asked
    assert not other.asked
    assert (asked.document, asked.answers) == ("Spread by air (7)", ("Drops carry it.",))
    assert "Drops carry it." in asked.around
    assert len(asked.around) < len(body) / 2


def test_what_is_ingested_is_found_and_told_right_by_its_paragraph(squad: DocumentSet, tmp_path: Path) -> None:
    services = document_sets.ingest(squad.texts, tmp_path / "data")
    deep = squad.asked[0]
    sentences = [s for hit in services.search.search(deep.question, 5) for s in of_hit(hit)]
    services.close()
    assert {s.hit.title for s in sentences} == set(squad.texts)
    assert [s.text for s in sentences if holds(s, deep)] == ["The lake is 40 metres deep."]
