import pytest

from zuinig.memory.questions import difference, question_key

SAME = [
    ("What is the price?", "  what is the PRICE "),
    ("What does error 504 mean?", "what does error 504 mean"),
    ("Where do I park my car?", "Where do I park my car please?"),
    ("Hoeveel dagen verlof heb ik?", "hoeveel dagen verlof heb ik"),
]
OTHER = [
    ("What does error 504 mean?", "What does error 404 mean?"),
    ("What does error 504 mean?", "What does error 504 not mean?"),
    ("How do I enable two-factor?", "How do I disable two-factor?"),
    ("How do I go from Ghent to Leeds?", "How do I go from Leeds to Ghent?"),
    ("Can I learn C++ here?", "Can I learn C# here?"),
    ("May I pay with a card?", "May I pay without a card?"),
    ("What is due before the trip?", "What is due after the trip?"),
    ("Where is my badge?", "Where is your badge?"),
    ("Who is the manager?", "Who was the manager?"),
    ("When is salary paid?", "How is salary paid?"),
    ("Can I work from home?", "Must I work from home?"),
    ("What changed in version 2.1?", "What changed in version 2.2?"),
    ("Is a visa needed for India?", "Is a visa needed for China?"),
    ("Is the discount 10%?", "Is the discount 10?"),
    ("Can employees carry over leave?", "Can't employees carry over leave?"),
    ("Wie betaalt de reis?", "Wie betaalt de reis niet?"),
    ("Mag ik met de trein?", "Mag ik zonder de trein?"),
    ("What is the extension of desk 5001?", "What is the extension of desk 50010?"),
    ("Who reports to Anna?", "Who does Anna report to?"),
    ("Can I convert euros to pounds?", "Can I convert pounds to euros?"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_the_same_question_is_recognised(a, b):
    assert difference(a, b) is None


@pytest.mark.parametrize(("a", "b"), OTHER)
def test_a_near_miss_is_another_question(a, b):
    assert difference(a, b)
    assert question_key(a) != question_key(b)
