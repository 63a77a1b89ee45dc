"""The stream that the token economy is measured on, the model that answers it, and what counts as right."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks import repeats
from benchmarks.honest_model import HonestModel, reply
from benchmarks.repeats import UNANSWERABLE, key
from benchmarks.stands import judge, stands
from zuinig.app.llm import endpoints, openai
from zuinig.app.prompt import NOT_COVERED, SYSTEM, prompt_tokens, user_message
from zuinig.core.settings import Settings
from zuinig.core.tokens import Tokens
from zuinig.training.document_sets import Asked


def questions(count: int) -> list[Asked]:
    return [Asked(f"How deep is lake {n}?", "Lakes", "", () if n % 2 else (f"{n} metres",)) for n in range(count)]


WRITTEN = {key("How deep is lake 0?"): ["What is the depth of lake 0?"]}


def test_a_stream_has_so_many_repeats_and_first_asks_each_question_as_it_stands() -> None:
    stream = repeats.stream(iter(questions(1500)), WRITTEN, 2000, repeats=0.5)
    kinds = Counter(a.kind for a in stream)
    assert len(stream) == 2000
    assert kinds["new"] / 2000 == pytest.approx(0.5, abs=0.05)
    seen: set[str] = set()
    for asking in stream:
        assert (asking.kind == "new") == (asking.asked.question not in seen)
        assert asking.kind != "new" or asking.text == asking.asked.question
        seen.add(asking.asked.question)


def test_few_questions_are_asked_often_and_most_once() -> None:
    stream = repeats.stream(iter(questions(1500)), WRITTEN, 2000, repeats=0.5)
    times = Counter(a.asked.question for a in stream).most_common()
    assert times[0][1] >= 20
    assert sum(n == 1 for _, n in times) > len(times) / 2


def test_a_rewording_is_one_that_was_written_for_that_question() -> None:
    stream = repeats.stream(iter(questions(1)), WRITTEN, 200, repeats=0.999)
    assert {a.text for a in stream if a.kind == "reworded"} == {"What is the depth of lake 0?"}
    assert {a.kind for a in stream} == {"new", *repeats.SHARES}


def test_a_question_without_rewordings_is_put_into_a_sentence() -> None:
    kinds = {a.kind for a in repeats.stream(iter(questions(1)), {}, 200, repeats=0.999)}
    assert kinds == {"new", "same words", "typed otherwise", "in a sentence"}


def test_the_same_seed_makes_the_same_stream() -> None:
    one, other = (repeats.stream(iter(questions(50)), WRITTEN, 80, repeats=0.5) for _ in range(2))
    assert one == other


def test_a_stream_of_more_questions_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="too few questions"):
        repeats.stream(iter(questions(3)), WRITTEN, 100, repeats=0.5)


def test_the_pool_begins_with_reworded_questions_and_has_its_share_without_an_answer() -> None:
    asked = [*questions(2000), Asked("how deep is LAKE 0? ", "Lakes", "", ())]
    written = {key(a.question): ["?"] for a in asked[1000:1010]}
    found = list(repeats.pool(asked, written))
    assert {a.question for a in found[:5]} <= {a.question for a in asked[1000:1010]}
    assert sum(not a.answers for a in found) / len(found) == pytest.approx(UNANSWERABLE, abs=0.03)
    texts = [a.question.strip().casefold() for a in found]
    assert len(texts) == len(set(texts))


def test_rewordings_are_read_by_the_key_of_their_question() -> None:
    read = repeats.rewordings(Path(repeats.__file__).parent / "data" / "squad_rewordings.jsonl")
    assert read[key("Who started the Yuan dynasty?")][0] == "Who was the founder of the Yuan dynasty?"


@pytest.mark.parametrize(
    ("said", "answers", "verdict"),
    [
        ("It is 40 metres deep. [1]", ("40  metres", "deep"), "right"),
        ("It is 140 metres deep. [1]", ("40 metres",), "wrong"),
        ("It is 40 metres deep. [1]", (), "wrong"),
        (None, ("40 metres",), "missed"),
        (None, (), "right"),
    ],
)
def test_what_was_said_is_judged_by_the_acceptable_answers(
    said: str | None, answers: tuple[str, ...], verdict: str
) -> None:
    assert judge(said, answers) == verdict


def test_an_answer_stands_only_as_whole_words() -> None:
    assert stands("in May,\n1349", ["May, 1349"])
    assert not stands("in May, 13490", ["May, 1349"])


PLAIN = "[1] Lakes\nThe lake is wide. It is 40 metres deep.\n\n[2] Lakes > North\nOthers are 40 metres wide."
SOURCES = "Lakes\n[1] The lake is wide. It is 40 metres deep.\n\nLakes > North\n[2] Others are 40 metres wide."


@pytest.mark.parametrize("sources", [PLAIN, SOURCES])
def test_the_honest_model_says_the_sentence_that_holds_an_answer(sources: str) -> None:
    answers = {"How deep?": ("40 metres",), "How wide are others?": ("Others are 40",), "How cold?": ()}
    assert reply(user_message(sources, "How deep?"), answers) == "It is 40 metres deep. [1]"
    assert reply(user_message(sources, "How wide are others?"), answers) == "Others are 40 metres wide. [2]"
    assert reply(user_message(sources, "How cold?"), answers) == NOT_COVERED


@pytest.mark.parametrize("sources", [PLAIN, SOURCES])
def test_the_honest_model_takes_no_heading_for_an_answer(sources: str) -> None:
    assert reply(user_message(sources, "Where?"), {"Where?": ("Lakes", "North")}) == NOT_COVERED


@pytest.mark.parametrize("sources", [PLAIN, SOURCES])
def test_the_honest_model_finds_an_answer_that_goes_over_the_end_of_a_sentence(sources: str) -> None:
    answers = {"How is it?": ("wide. It",)}
    assert reply(user_message(sources, "How is it?"), answers) == "The lake is wide. It is 40 metres deep. [1]"


def test_the_honest_model_counts_the_tokens_of_each_prompt_as_the_ledger_does() -> None:
    tokens = Tokens("o200k_base")
    model = HonestModel(tokens, {"How deep?": ("40 metres",)})
    (endpoint,) = endpoints(Settings(llm="openai:honest", llm_base_url=model.url))
    asked = user_message(SOURCES, "How deep?")
    try:
        chunks = list(openai.build(endpoint).stream([("system", SYSTEM), ("user", asked)]))
    finally:
        model.close()
    assert "".join(chunk.text for chunk in chunks) == "It is 40 metres deep. [1]"
    assert (model.calls, model.spent) == (1, prompt_tokens(tokens, SOURCES, "How deep?"))
