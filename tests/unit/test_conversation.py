import json
from pathlib import Path

import pytest

from zuinig.core.errors import ConfigurationError
from zuinig.memory import conversation
from zuinig.memory.conversation import MOST_TURNS, Model, Reading, Turn, standalone
from zuinig.memory.terms import terms, tokens

PREVIOUS = "How many days of parental leave does an employee have?"
ZAPPA = [
    Turn("When did Frank Zappa found the Mothers of Invention?", "In 1965, with Ray Collins, in Los Angeles."),
    Turn("Which label signed them? (Mothers of Invention)", "Verve Records signed the band in 1966."),
]


@pytest.mark.parametrize(
    "question",
    [
        "And in Belgium?",
        "What about Belgium?",
        "Does it apply to interns as well?",
        "Is that also paid by the company in full?",
        "Who approves them at the head office?",
        "Why?",
        "How long?",
        "En in het buitenland?",
        "Hoe zit het met stagiairs?",
        "Geldt dat ook voor stagiairs en uitzendkrachten?",
        "Wie keurt ze goed op het hoofdkantoor?",
        "Waarom?",
        "Can other employees join the same scheme?",
    ],
)
def test_a_turn_that_points_back_depends_on_its_history(question: str) -> None:
    found = standalone(question, [Turn(PREVIOUS, "")])
    assert found.depends
    assert found.question.startswith(question)
    assert "parental" in found.question


@pytest.mark.parametrize(
    "question",
    [
        "Which laptop models can engineers order from the catalogue?",
        "Hoeveel kilometervergoeding krijgen medewerkers met een elektrische auto?",
        "What is the maximum mortgage discount for managers abroad?",
        "Why does the VPN keep disconnecting when I work from home?",
        "Waarom valt de wifi op de vierde verdieping steeds weg tijdens vergaderingen?",
    ],
)
def test_a_turn_with_words_enough_stands_alone(question: str) -> None:
    found = standalone(question, [Turn(PREVIOUS, "26 weeks.")])
    assert not found.depends
    assert found.question == question


@pytest.mark.parametrize("question", ["And it?", "And for part-timers?", "", "   ", "Why?"])
def test_without_history_every_question_stands_alone(question: str) -> None:
    found = standalone(question, [])
    assert found.question == question
    assert not found.depends


@pytest.mark.parametrize("answer", ["", "26 weeks.", "See the handbook. " * 200])
@pytest.mark.parametrize(
    "question",
    [
        "And for part-timers?",
        "and for part-timers",
        "  And for part-timers?",
        "En voor parttimers?",
        "“And part-timers?”",
    ],
)
@pytest.mark.parametrize(
    "previous", [PREVIOUS, "And for part-timers?", "Part-timers?", "", "?", "Hoe lang is het verlof?"]
)
def test_a_turn_that_goes_on_from_the_last_always_depends(question: str, previous: str, answer: str) -> None:
    assert standalone(question, [Turn(previous, answer)]).depends


@pytest.mark.parametrize(
    "question",
    [
        "Did she win a prize for the paper on numerical algorithms in London?",
        "Tell me about three star sushi restaurants and noodle bars there.",
        "Interesting. What about the electric bicycles in the harbour district?",
        "Bedankt! Hoe zit het met elektrische fietsen in het havengebied?",
    ],
)
def test_a_turn_that_points_at_what_it_does_not_name_depends_however_long(question: str) -> None:
    assert standalone(question, [Turn(PREVIOUS, "26 weeks.")]).depends


@pytest.mark.parametrize("question", ["", "?!", "Is it?", "🙂", "Wat is dat?"])
def test_a_turn_without_words_of_its_own_depends(question: str) -> None:
    assert standalone(question, [Turn(PREVIOUS, "")]).depends


def test_words_are_added_once_and_only_those_that_lack() -> None:
    found = standalone("Is parental leave paid too?", [Turn("Is parental leave leave for interns?", "")])
    assert found.question == "Is parental leave paid too? (interns)"


def test_words_are_added_in_the_order_they_stood() -> None:
    found = standalone("And in Belgium?", [Turn("How many days is the parental leave?", "")])
    assert found.question == "And in Belgium? (days parental leave)"


def test_a_turn_with_history_but_without_terms_to_add_is_kept_as_it_is() -> None:
    assert standalone("And it?", [Turn("Is it?", "Yes.")]).question == "And it?"


def test_a_name_of_several_words_is_kept_together() -> None:
    found = standalone("When was he born?", [Turn("Who was Ludwig van Beethoven?", "A composer.")])
    assert found.depends
    assert "Ludwig van Beethoven" in found.question


def test_a_name_that_was_pointed_at_two_turns_ago_is_carried_on() -> None:
    history = [
        Turn("Who was Charles Babbage?", "A mathematician and engineer."),
        Turn("What did he build? (Charles Babbage)", "The Analytical Engine."),
    ]
    assert "Charles Babbage" in standalone("Where was he born?", history).question


def test_a_part_of_a_name_is_that_name() -> None:
    reading = Reading.of("Did he tour?", [*ZAPPA, Turn("What did Zappa do in 1969?", "Zappa broke up the band.")])
    assert "Frank Zappa" in reading.shown
    assert "Zappa" not in reading.shown


def test_terms_of_questions_and_answers_of_several_turns_are_read_in_order() -> None:
    reading = Reading.of("Did they tour?", ZAPPA)
    wanted = ["Frank Zappa", "Mothers of Invention", "1965", "Ray Collins", "Los Angeles", "label", "Verve Records"]
    assert [t for t in reading.shown if t in wanted] == wanted


def test_of_a_long_history_the_last_turns_are_read() -> None:
    old = [Turn(f"What does the Kestrel {n} cost?", f"{n} euros.") for n in range(10, 30)]
    new = [Turn(PREVIOUS, "26 weeks.")] * MOST_TURNS
    assert standalone("And in Belgium?", [*old, *new]) == standalone("And in Belgium?", new)
    assert not any("Kestrel" in t for t in Reading.of("And in Belgium?", [*old, *new]).shown)


def test_dutch_follow_ups_get_dutch_words() -> None:
    history = [Turn("Hoeveel dagen ouderschapsverlof krijgt een medewerker?", "")]
    for question in ("En in België?", "Wordt dat doorbetaald?", "Geldt dit ook voor stagiairs?"):
        found = standalone(question, history)
        assert found.depends
        assert "ouderschapsverlof" in found.question


def test_only_a_few_terms_are_added() -> None:
    words = " ".join(f"woord{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(200))
    added = standalone("And then?", [Turn(words, words)]).question.removeprefix("And then? (").removesuffix(")")
    assert 1 <= len(added.split()) <= 8


@pytest.mark.parametrize(
    "text",
    [
        "a" * 20_000,
        "A " * 10_000,
        "Aa-" * 7_000,
        " (" * 10_000,
        "(x) " * 5_000,
        "Van Der " * 2_500,
        "e\u0301" * 10_000,
        "\x00\ud800" * 10_000,
        "it and they " * 1_700,
        "?" * 20_000,
        "." * 20_000,
        "...A. " * 4_000,
    ],
)
@pytest.mark.timeout(20)  # milliseconds are enough; hours where a pattern goes back over the text
def test_of_hostile_turns_no_more_than_a_part_is_read(text: str) -> None:
    history = [Turn(text, text)] * 40
    assert standalone(text, history).depends
    assert standalone("And then?", history).depends
    assert len(Reading.of("And then?", history).terms) <= MOST_TURNS * 3 * 1200


def test_a_turn_longer_than_what_is_read_depends() -> None:
    assert standalone(f"Which laptop models can engineers order? {'Thanks. ' * 200}", [Turn(PREVIOUS, "")]).depends


def test_added_words_are_words_only() -> None:
    turn = Turn("What does “DROP TABLE” do?", "<script>alert(1)</script> [1] ``` (ignore all) \n\n# Title")
    added = standalone("And that?", [turn]).question.removeprefix("And that? ")
    assert set("<>[]`#\n“”;").isdisjoint(added)
    assert added.count("(") == added.count(")") == 1


def test_a_name_is_found_by_its_capitals_and_not_by_the_start_of_a_sentence() -> None:
    found = list(terms(tokens("Parental leave was signed by Angela Merkel. The Bank of England, Shell and BP paid.")))
    assert [t.shown for t in found if t.name] == ["Angela Merkel", "Bank of England", "Shell", "BP"]
    assert found[0].shown == "Parental"


def test_an_initial_ends_no_sentence_and_a_comma_ends_a_name() -> None:
    found = terms(tokens("It was J. R. R. Tolkien, Dr. Watson and St. Louis. Moreover Ada, Eva."))
    assert [t.shown for t in found if t.name] == ["J R R Tolkien", "Dr Watson", "St Louis", "Moreover Ada", "Eva"]


def test_each_feature_has_a_name_of_its_own() -> None:
    assert len(set(conversation.DEPENDS)) == len(conversation.DEPENDS)
    assert len(set(conversation.TERMS)) == len(conversation.TERMS)


def test_weights_of_other_features_are_refused(tmp_path: Path) -> None:
    found = json.loads(conversation.WEIGHTS.read_text())
    assert Model.read(conversation.WEIGHTS).depends == found["depends"]
    for broken in ("", "{}", json.dumps(found | {"terms": {"bias": 1.0}})):
        (tmp_path / "weights.json").write_text(broken)
        with pytest.raises(ConfigurationError):
            Model.read(tmp_path / "weights.json")
