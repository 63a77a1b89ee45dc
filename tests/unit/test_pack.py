from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zuinig.core.tokens import Tokens
from zuinig.core.types import Hit, Packing
from zuinig.retrieval.pack import Packed, baseline, heading, pack
from zuinig.retrieval.read import NOTHING
from zuinig.retrieval.sentences import Sentence, of_hit

TOKENS = Tokens("o200k_base")
WORDS = st.lists(st.sampled_from("leave days the Überstunden 25 €1,500 日本 policy applies".split()), min_size=1)


def sentences(*hits: Hit) -> list[Sentence]:
    return [s for hit in hits for s in of_hit(hit)]


def packed_of(ranked: Sequence[Sentence], budget: int, level: Packing = Packing.SENTENCES) -> Packed:
    """All as likely as each other, unless they say otherwise."""
    scored = [s if s.score else replace(s, score=0.1) for s in ranked]
    hits = {s.hit.passage_id: s.hit for s in ranked}
    return pack(replace(NOTHING, hits=tuple(hits.values()), sentences=tuple(scored)), TOKENS, budget, level)


def chosen(packed: Packed) -> list[str]:
    return [s.text for source in packed.sources for s in source.sentences]


def test_sentences_of_a_passage_stand_together_in_the_order_of_the_document(make_hit) -> None:
    a = make_hit("One is the first. Two is the second. Three is the third.", passage_id=1, context="A")
    b = make_hit("Other.", passage_id=2, context="B")
    one, two, three, other = sentences(a, b)
    packed = packed_of([three, other, one, two], 500)
    assert packed.context == "A\n[1] One is the first. Two is the second. Three is the third.\n\nB\n[2] Other."
    assert [s.hit.passage_id for s in packed.sources] == [1, 2]


def test_passages_under_one_heading_stand_below_it_in_the_order_of_the_document(make_hit) -> None:
    later = make_hit("Later in it.", passage_id=1, context="A\nx | y", start=400)
    other = make_hit("Elsewhere.", passage_id=2, context="A")
    earlier = replace(make_hit("Earlier in it.", passage_id=3, context="A"), document_id=later.document_id)
    packed = packed_of(sentences(later, other, earlier), 500)
    assert packed.context == "A\n[1] Earlier in it.\n[2] Later in it.\n\nA\n[3] Elsewhere."
    assert [s.hit.passage_id for s in packed.sources] == [3, 1, 2]


def test_a_gap_between_two_sentences_is_shown(make_hit) -> None:
    one, _, three = sentences(make_hit("One is the first. Two is the second. Three is the third."))
    assert packed_of([one, three], 500).sources[0].text == "One is the first. … Three is the third."


def test_the_same_sentence_is_paid_for_once(make_hit) -> None:
    packed = packed_of(sentences(make_hit("Same.", passage_id=1), make_hit("Same.", passage_id=2)), 500)
    assert len(packed.sources) == 1


def test_a_sentence_that_does_not_fit_makes_way_for_one_that_does(make_hit) -> None:
    short, long = make_hit("Short one.", passage_id=1), make_hit("long " * 200, passage_id=2)
    packed = packed_of(sentences(long, short), 60)
    assert [s.hit.passage_id for s in packed.sources] == [1]


def test_the_best_sentence_is_clipped_where_nothing_fits(make_hit) -> None:
    packed = packed_of(sentences(make_hit("long " * 200, context="heading " * 60)), 50)
    assert packed.context.startswith("[1] long")
    assert 0 < packed.tokens <= 50
    assert len(packed.sources) == 1


def test_nothing_found_is_an_empty_context() -> None:
    assert packed_of([], 100).context == ""


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=25), st.integers(50, 400), st.randoms())
def test_a_context_never_costs_more_than_its_budget(parts, budget, random) -> None:
    ranked = []
    for n, (title, body) in enumerate(parts):
        text = ". X".join(body) + "."
        values = ("d", 1, 1, "T", "f", "c", text, " ".join(title), None, 0, len(text), "h", 1.0, 0.5)
        ranked += of_hit(Hit(n, *values))
    random.shuffle(ranked)
    packed = packed_of(ranked, budget)
    assert packed.tokens == TOKENS.count(packed.context) <= budget


def test_the_baseline_is_the_top_five_passages_in_full(make_hit) -> None:
    hits = [make_hit(f"Text {n}.", passage_id=n, context=f"H{n}\nheader | row") for n in range(8)]
    assert baseline(hits) == "\n\n".join(f"[{n + 1}] H{n}\nText {n}." for n in range(5))
    assert heading(make_hit("x")) == "Handbook"


LIKELY = "One is the first. Two is the second. Three is the third. Four is the fourth."


def likely(make_hit, *chances: float) -> list[Sentence]:
    found = [replace(s, score=c) for s, c in zip(sentences(make_hit(LIKELY)), chances, strict=True)]
    return sorted(found, key=lambda s: -s.score)


@pytest.mark.parametrize(("level", "taken"), [(Packing.TIGHT, 2), (Packing.SENTENCES, 3), (Packing.FULL, 4)])
def test_sentences_are_taken_while_they_are_worth_their_tokens(make_hit, level, taken) -> None:
    assert len(chosen(packed_of(likely(make_hit, 0.009, 0.7, 0.2, 0.001), 500, level))) == taken


def test_of_two_that_are_as_likely_the_shorter_comes_first(make_hit) -> None:
    hit = make_hit("This is where all of it stands. Long and longer goes on and on and on. Short words do here.")
    best, long, short = (replace(s, score=c) for s, c in zip(sentences(hit), (0.5, 0.2, 0.2), strict=True))
    # Room for either, not for both.
    assert chosen(packed_of([best, long], 30)) == [best.text, long.text]
    assert chosen(packed_of([best, long, short], 30)) == [best.text, short.text]


def test_what_comes_along_with_a_sentence_counts(make_hit) -> None:
    """Else what it brings of the chance could never be reached, and all that fits would be taken."""
    badge = make_hit("The badge is new for all. It costs 20 euros.", passage_id=0)
    others = [make_hit(f"Number {n} is of no use to anybody here.", passage_id=n) for n in range(1, 60)]
    first, second = sentences(badge)
    ranked = [replace(second, score=0.45), replace(first, score=0.4)]
    ranked += [replace(s, score=0.001) for s in sentences(*others)]
    assert chosen(packed_of(ranked, 600)) == [first.text, second.text]


@pytest.mark.parametrize(("level", "taken"), [(Packing.TIGHT, 60), (Packing.SENTENCES, 80)])
def test_most_of_what_may_hold_the_answer_is_taken_where_nothing_stands_out(make_hit, level, taken) -> None:
    """Of a hundred that are as likely as each other none is worth its tokens."""
    long = "on and on it goes and tells what may be or may not be an answer to that"
    hits = [make_hit(f"Number {n} {long}.", passage_id=n) for n in range(100)]
    assert len(chosen(packed_of(sentences(*hits), 9000, level))) == taken


def test_full_passages_are_taken_whole_or_not_at_all(make_hit) -> None:
    short, long = make_hit("Short one. And more.", passage_id=1), make_hit("Very long. " * 50, passage_id=2)
    packed = packed_of(sentences(long, short), 40, Packing.FULL)
    assert chosen(packed) == ["Short one. And more."] or chosen(packed) == ["Short one.", "And more."]


@pytest.mark.parametrize("pronoun", ["It costs 20 euros.", "They cost 20 euros.", "Dit kost 20 euro."])
def test_a_sentence_that_points_back_brings_what_it_points_to(make_hit, pronoun) -> None:
    hit = make_hit(f"Nothing is there to see. The badge is new for all. {pronoun}")
    ranked = [replace(s, score=0.9 if s.text == pronoun else 0.001) for s in sentences(hit)]
    packed = packed_of(sorted(ranked, key=lambda s: -s.score), 500)
    assert chosen(packed) == ["The badge is new for all.", pronoun]


def test_a_sentence_that_points_back_goes_alone_where_both_do_not_fit(make_hit) -> None:
    hit = make_hit(f"The badge {'that is new ' * 30}is here. It costs 20 euros.")
    ranked = [replace(s, score=0.9 if s.text.startswith("It") else 0.001) for s in sentences(hit)]
    assert chosen(packed_of(sorted(ranked, key=lambda s: -s.score), 30)) == ["It costs 20 euros."]


def test_what_two_passages_share_is_taken_once_and_counts_once(make_hit) -> None:
    a, b = make_hit("The shared end of both.", passage_id=1), make_hit("The shared  end of both.", passage_id=2)
    ranked = [replace(s, score=0.5) for s in sentences(a, b)]
    assert len(packed_of(ranked, 500).sources) == 1


def test_a_row_of_a_table_stands_under_the_names_of_its_columns(make_hit) -> None:
    hit = make_hit("Item | Price\nBadge | 20 euros\nKey | 5 euros", context="Prices")
    row = next(s for s in sentences(hit) if s.text.startswith("Key"))
    packed = packed_of([replace(row, score=1.0)], 500)
    assert packed.context == "Prices\n[1] Item: Key; Price: 5 euros"
    assert hit.text[row.start : row.end] == packed.sources[0].sentences[0].text


def test_a_passage_that_holds_but_the_header_of_its_table_says_nothing_in_full(make_hit) -> None:
    header, row = make_hit("Item | Price", passage_id=1, context="Item | Price"), make_hit("One line.", passage_id=2)
    reading = replace(NOTHING, hits=(header, row), sentences=tuple(sentences(header, row)))
    assert chosen(pack(reading, TOKENS, 500, Packing.FULL)) == ["One line."]
