import pytest

from zuinig.memory.questions import question_key

SAME = [
    ("What is the price?", "  what is the PRICE "),
    ("What does error 504 mean?", "what does error 504 mean"),
    ("Hoeveel dagen verlof heb ik?", "hoeveel dagen verlof heb ik"),
    ("What’s “due”?", 'what\'s "due"'),
]
OTHER = [
    ("Can I learn C++ here?", "Can I learn C# here?"),
    ("Is the discount 10%?", "Is the discount 10?"),
    ("What changed in version 2.1?", "What changed in version 21?"),
    ("Where is my badge?", "Where is your badge?"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_case_space_and_marks_at_the_edge_change_nothing(a, b):
    assert question_key(a) == question_key(b)


@pytest.mark.parametrize(("a", "b"), OTHER)
def test_marks_inside_a_word_and_other_words_do(a, b):
    assert question_key(a) != question_key(b)
