from itertools import pairwise

import pytest

from zuinig.core.errors import ConfigurationError
from zuinig.retrieval.embed import MODELS
from zuinig.retrieval.reader import PassageRead, Reader

TEXT = "The canteen opens at noon. Employees have 25 days of paid leave a year. Bicycles stand in the cellar."
LEAVE = "How many days of paid leave do employees have a year?"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(MODELS / "reader-int8")


def passage(reader: Reader, hit, question: str = LEAVE) -> PassageRead:
    [read] = reader.read(question, [hit])
    assert read is not None
    return read


@pytest.mark.parametrize("context", ["", "Handbook > Leave\nand more"])
def test_the_span_is_a_place_in_the_passages_own_text(reader, make_hit, context) -> None:
    span = passage(reader, make_hit(TEXT, context=context)).best_span(0, len(TEXT))
    assert "25" in TEXT[span.start : span.end]
    assert len(TEXT[span.start : span.end].split()) < 6


def test_the_sentence_that_answers_is_kept_before_the_others(reader, make_hit) -> None:
    read = passage(reader, make_hit(TEXT))
    starts = [0, TEXT.index("Employees"), TEXT.index("Bicycles"), len(TEXT)]
    kept = [read.kept(a, b) for a, b in pairwise(starts)]
    assert max(range(3), key=kept.__getitem__) == 1


def test_a_passage_that_answers_is_told_from_one_that_does_not(reader, make_hit) -> None:
    about, other = reader.read(LEAVE, [make_hit(TEXT), make_hit("Bicycles stand in the cellar.", passage_id=2)])
    assert about.relevant > other.relevant
    assert about.answerable > other.answerable


def test_a_sentence_past_what_was_read_is_no_answer(reader, make_hit) -> None:
    text = TEXT + " And so on and so forth it goes." * 80
    read = passage(reader, make_hit(text))
    assert read.kept(len(text) - 20, len(text)) < -15
    assert read.best_span(len(text) - 20, len(text)).score < -30


def test_a_passage_reads_the_same_alone_and_beside_others(reader, make_hit) -> None:
    alone = passage(reader, make_hit(TEXT))
    beside = reader.read(LEAVE, [make_hit(TEXT), make_hit(TEXT * 4, passage_id=2)])[0]
    # Padding changes what eight bits can tell apart, a little.
    assert beside.answerable == pytest.approx(alone.answerable, abs=0.5)


def test_time_that_ran_out_leaves_passages_unread(make_hit) -> None:
    hits = [make_hit(TEXT * 6, passage_id=n) for n in range(40)]
    read = Reader(MODELS / "reader-int8", limit_s=0.02).read(LEAVE, hits)
    assert len(read) == 40
    assert read[-1] is None


def test_a_folder_without_a_model_says_so(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Reader(tmp_path)
