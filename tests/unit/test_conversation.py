import pytest

from zuinig.memory.conversation import standalone

PREVIOUS = "How many days of parental leave does an employee have?"


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
    found = standalone(question, PREVIOUS)
    assert found.depends
    assert found.question.startswith(question)
    assert "parental" in found.question


@pytest.mark.parametrize(
    "question",
    [
        "Which laptop models can engineers order from the catalogue?",
        "Hoeveel kilometervergoeding krijgen medewerkers met een elektrische auto?",
        "What is the maximum mortgage discount for managers abroad?",
    ],
)
def test_a_turn_with_words_enough_stands_alone(question: str) -> None:
    found = standalone(question, PREVIOUS)
    assert not found.depends
    assert found.question == question


def test_without_history_every_question_stands_alone() -> None:
    assert standalone("And it?", None).question == "And it?"
    assert not standalone("And it?", None).depends


def test_words_are_added_once_and_only_those_that_lack() -> None:
    found = standalone("Is parental leave paid too?", "Is parental leave leave for interns?")
    assert found.question == "Is parental leave paid too? (for interns)"
