import pytest

from zuinig.retrieval.words import EMPTY, content_words, plain, stem, words


def test_case_accents_and_compatibility_forms_are_folded() -> None:
    assert plain("Café ÉÉN ﬁle ２") == "cafe een file 2"


def test_a_number_keeps_its_points_and_commas() -> None:
    assert words("Version 1.5 costs 3,000 euro.") == ["version", "1.5", "costs", "3,000", "euro"]


def test_marks_and_underscores_are_no_words() -> None:
    assert words('"NEAR(*)" a_b ---') == ["near", "a", "b"]
    assert words("?!") == []


def test_empty_words_are_left_out_unless_there_are_no_others() -> None:
    assert content_words("What is the policy on leave?") == ["policy", "leave"]
    assert content_words("Wat is het?") == ["wat", "is", "het"]


@pytest.mark.parametrize("word", "not no niet geen without zonder before after naar from uit all alle".split())
def test_words_that_change_what_is_asked_are_not_empty(word: str) -> None:
    assert word not in EMPTY


@pytest.mark.parametrize(
    ("a", "b"),
    [("policy", "policies"), ("day", "days"), ("laptop", "laptops"), ("work", "working"), ("week", "weeken")],
)
def test_forms_of_a_word_share_a_stem(a: str, b: str) -> None:
    assert stem(a) == stem(b)


@pytest.mark.parametrize("word", ["class", "is", "red", "bus", "king", "ten"])
def test_short_words_and_double_s_stay_whole(word: str) -> None:
    assert stem(word) == word
