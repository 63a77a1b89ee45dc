from hypothesis import given, settings
from hypothesis import strategies as st

from zuinig.core.tokens import Tokens
from zuinig.core.types import Hit
from zuinig.retrieval.pack import baseline, heading, pack
from zuinig.retrieval.sentences import Sentence, of_hit

TOKENS = Tokens("o200k_base")
WORDS = st.lists(st.sampled_from("leave days the Überstunden 25 €1,500 日本 policy applies".split()), min_size=1)


def sentences(*hits: Hit) -> list[Sentence]:
    return [s for hit in hits for s in of_hit(hit)]


def test_sentences_of_a_passage_stand_together_in_the_order_of_the_document(make_hit) -> None:
    a = make_hit("One is the first. Two is the second. Three is the third.", passage_id=1, context="A")
    b = make_hit("Other.", passage_id=2, context="B")
    one, two, three, other = sentences(a, b)
    packed = pack([three, other, one, two], TOKENS, 500)
    assert packed.context == "[1] A\nOne is the first. Two is the second. Three is the third.\n\n[2] B\nOther."
    assert [s.hit.passage_id for s in packed.sources] == [1, 2]


def test_a_gap_between_two_sentences_is_shown(make_hit) -> None:
    one, _, three = sentences(make_hit("One is the first. Two is the second. Three is the third."))
    assert pack([one, three], TOKENS, 500).sources[0].text == "One is the first. … Three is the third."


def test_the_same_sentence_is_paid_for_once(make_hit) -> None:
    packed = pack(sentences(make_hit("Same.", passage_id=1), make_hit("Same.", passage_id=2)), TOKENS, 500)
    assert len(packed.sources) == 1


def test_a_sentence_that_does_not_fit_makes_way_for_one_that_does(make_hit) -> None:
    short, long = make_hit("Short one.", passage_id=1), make_hit("long " * 200, passage_id=2)
    packed = pack(sentences(long, short), TOKENS, 60)
    assert [s.hit.passage_id for s in packed.sources] == [1]


def test_the_best_sentence_is_clipped_where_nothing_fits(make_hit) -> None:
    packed = pack(sentences(make_hit("long " * 200)), TOKENS, 50)
    assert 0 < packed.tokens <= 50
    assert len(packed.sources) == 1


def test_nothing_found_is_an_empty_context() -> None:
    assert pack([], TOKENS, 100).context == ""


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=25), st.integers(50, 400), st.randoms())
def test_a_context_never_costs_more_than_its_budget(parts, budget, random) -> None:
    ranked = []
    for n, (title, body) in enumerate(parts):
        text = ". X".join(body) + "."
        values = ("d", 1, 1, "T", "f", "c", text, " ".join(title), None, 0, len(text), "h", 1.0, 0.5)
        ranked += of_hit(Hit(n, *values))
    random.shuffle(ranked)
    packed = pack(ranked, TOKENS, budget)
    assert packed.tokens == TOKENS.count(packed.context) <= budget


def test_the_baseline_is_the_top_five_passages_in_full(make_hit) -> None:
    hits = [make_hit(f"Text {n}.", passage_id=n, context=f"H{n}\nheader | row") for n in range(8)]
    assert baseline(hits) == "\n\n".join(f"[{n + 1}] H{n}\nText {n}." for n in range(5))
    assert heading(make_hit("x")) == "Handbook"
