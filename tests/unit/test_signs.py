import pytest
from hypothesis import given
from hypothesis import strategies as st

from zuinig.memory.signs import NAMES, opposites, signs

FIRES = [
    ("numbers differ", "What does error 504 mean?", "What does error 404 mean?"),
    ("numbers differ", "Is there a fee after two days?", "Is there a fee after 3 days?"),
    ("negation differs", "Can I enter without a badge?", "Can I enter with a badge?"),
    ("negation differs", "Why can't I log in?", "Why can I log in?"),
    ("opposites", "How do I enable MFA?", "How do I disable MFA?"),
    ("names differ", "Is a visa needed for India?", "Is a visa needed for China?"),
    ("order", "May I go from Ghent to Leeds?", "May I go from Leeds to Ghent?"),
    ("asked differs", "When is salary paid?", "How is salary paid?"),
    ("direction differs", "May I go from Ghent to Leeds?", "May I go from Leeds to Ghent?"),
    ("direction differs", "How do I block calls to a number?", "How do I block calls from a number?"),
    ("replaced words", "Where is the lamp?", "Where is the sofa?"),
    ("number missing", "Is the discount 10%?", "Is the discount 10?"),
    ("tense differs", "Who is the manager?", "Who was the manager?"),
    ("person differs", "Where is my badge?", "Where is her badge?"),
]


@pytest.mark.parametrize(("name", "a", "b"), FIRES)
def test_a_sign_shows_the_difference_it_is_named_for(name, a, b):
    assert signs(a, b)[NAMES.index(name)] > 0
    assert signs(a, a)[NAMES.index(name)] == 0


@given(st.text(max_size=80), st.text(max_size=80))
def test_signs_are_finite_and_do_not_depend_on_which_question_comes_first(a, b):
    found = signs(a, b)
    assert len(found) == len(NAMES)
    assert found == pytest.approx(signs(b, a))


def test_opposites_are_pairs_of_different_words():
    assert len(opposites()) > 100
    assert all(a != b for a, b in opposites())
