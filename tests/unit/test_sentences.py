import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zuinig.retrieval.sentences import coverage, of_hit, split, term_weights


def pieces(text: str) -> list[str]:
    return [text[a:b] for a, b in split(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "One is enough here. Two would do it! Three is a crowd. Four",
            ["One is enough here.", "Two would do it!", "Three is a crowd.", "Four"],
        ),
        (
            "Lost it? Use the form T-7 now. Too short. Goes with the next.",
            ["Lost it? Use the form T-7 now.", "Too short. Goes with the next."],
        ),
        ("It costs 1.50 euro. Version 2.1 is out.", ["It costs 1.50 euro.", "Version 2.1 is out."]),
        ("Ask Dr. Jansen, e.g. Monday. He knows.", ["Ask Dr. Jansen, e.g. Monday.", "He knows."]),
        (
            "Neem dan bijv. Maandag vrij. Of bel mevr. De Vries.",
            ["Neem dan bijv. Maandag vrij.", "Of bel mevr. De Vries."],
        ),
        ("First line\nsecond line\n\nthird", ["First line", "second line", "third"]),
        ('He said again "Stop." Then he left.', ['He said again "Stop', "Then he left."]),
        ("lower. case goes on", ["lower. case goes on"]),
        ("  \n ", []),
        ("", []),
    ],
)
def test_a_text_is_cut_at_the_ends_of_its_sentences(text: str, expected: list[str]) -> None:
    found = pieces(text)
    assert [f.rstrip('."') for f in found] == [e.rstrip('."') for e in expected]


@given(st.text(alphabet=st.sampled_from(list("aB1 .!?\n\"'()|é•…")), max_size=120))
def test_sentences_are_in_order_apart_and_hold_every_word(text: str) -> None:
    spans = split(text)
    assert all(a < b for a, b in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert all(text[a:b] == text[a:b].strip() for a, b in spans)
    covered = {i for a, b in spans for i in range(a, b)}
    # Only white space and the marks that close a sentence may fall between two of them.
    assert all(i in covered or c.isspace() or c in "\"'”’)]" for i, c in enumerate(text))


def test_a_sentence_knows_its_place_in_the_document(make_hit) -> None:
    hit = make_hit("Leave is 25 days. Ask your manager.", start=100)
    for sentence in of_hit(hit):
        assert hit.text[sentence.start - 100 : sentence.end - 100] == sentence.text
    assert [s.start for s in of_hit(hit)] == [100, 118]


def test_a_row_of_a_table_is_shown_with_the_names_of_its_columns(make_hit) -> None:
    found = of_hit(make_hit("Country | Days\nNetherlands | 25\nBelgium | 20"))
    assert [s.shown for s in found] == ["Country: Netherlands; Days: 25", "Country: Belgium; Days: 20"]


def test_a_row_of_a_table_that_goes_on_gets_its_header_from_the_context(make_hit) -> None:
    found = of_hit(make_hit("Belgium | 20", context="Leave › Days\nCountry | Days"))
    assert [s.shown for s in found] == ["Country: Belgium; Days: 20"]
    assert [s.text for s in found] == ["Belgium | 20"]


def test_a_rare_word_weighs_more_and_weights_sum_to_one(make_hit) -> None:
    hits = [make_hit(f"The policy number {n} of travel.", passage_id=n) for n in range(5)]
    hits.append(make_hit("The parental policy.", passage_id=9))
    weights = term_weights("parental policy", hits)
    assert weights["parental"] > weights["policy"]
    assert sum(weights.values()) == pytest.approx(1)


def test_a_word_found_only_around_the_sentence_counts_half() -> None:
    weights = {"leave": 0.5, "day": 0.5}
    assert coverage(weights, "leave days") == pytest.approx(1)
    assert coverage(weights, "days", around="Leave") == pytest.approx(0.75)
    assert coverage(weights, "nothing") == 0
