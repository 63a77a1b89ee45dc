import pytest

from zuinig.app.lengths import Kind, kind, output_tokens

FACTS = (
    "Is smoking allowed on the balcony?",
    "May I bring a dog to the office?",
    "Who signs the lease?",
    "When does the pool open?",
    "Where is the key kept?",
    "How many days off do I get?",
    "How long does the trip take?",
    "Mag ik een hond meenemen?",
    "Wie tekent het contract?",
    "Wanneer gaat het zwembad open?",
    "Hoeveel vrije dagen krijg ik?",
    "Hoe lang duurt de reis?",
    "Tot hoe laat is de balie open?",
)
PLAIN = ("What does the lamp cost?", "Which hotel is the cheapest?", "Welke lamp past hier?", "Quel est le prix ?")
LONG = (
    "Why is the pool closed?",
    "How do I book a hotel?",
    "Can you explain how leave is counted?",
    "When I am ill, what steps must I take?",
    "What is the difference between a lease and a loan?",
    "List the documents that I need.",
    "Waarom is het zwembad dicht?",
    "Hoe boek ik een hotel en hoe moet ik betalen?",
    "Wat is het verschil tussen huren en leasen?",
    "Kun je uitleggen hoe ik verlof aanvraag?",
    "Noem de documenten die ik nodig heb.",
)


@pytest.mark.parametrize(
    ("question", "expected"),
    [(q, k) for k, questions in ((Kind.FACT, FACTS), (Kind.PLAIN, PLAIN), (Kind.LONG, LONG)) for q in questions],
)
def test_the_words_tell_what_is_asked(question, expected):
    assert kind(question) == expected


def test_a_fact_gets_less_than_a_procedure_and_nothing_more_than_the_most():
    limits = [output_tokens(q, 400) for q in (FACTS[0], PLAIN[0], LONG[0])]
    assert limits == sorted(set(limits))
    assert limits[-1] == 400
    assert {output_tokens(q, 50) for q in (FACTS[0], PLAIN[0], LONG[0])} == {50}
