"""Blocks to passages: the place of each, its heading path, its size, and that nothing is lost."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zuinig.core.types import Block, BlockKind, Parsed
from zuinig.ingestion.split import Draft, SplitText, split
from zuinig.retrieval.sentences import split as split_sentences

SIZE = 12


def count_words(texts) -> list[int]:
    return [len(t.split()) for t in texts]


def count_characters(texts) -> list[int]:
    """As for Chinese, where a character is a token."""
    return [len("".join(t.split())) for t in texts]


def heading(text: str, level: int = 1) -> Block:
    return Block(BlockKind.HEADING, text, level=level)


def text(words: str, page: int | None = None) -> Block:
    return Block(BlockKind.TEXT, words, page=page)


def table(*rows: str) -> Block:
    return Block(BlockKind.TABLE, "\n".join(rows))


def item(words: str) -> Block:
    return Block(BlockKind.LIST_ITEM, words)


def cut(*blocks: Block, size: int = SIZE, overlap: int = 0, count=count_words) -> SplitText:
    return split(Parsed(tuple(blocks)), "Handbook", count, size=size, overlap=overlap)


def passages(*blocks: Block, **more) -> list[Draft]:
    return list(cut(*blocks, **more).passages)


def texts(*blocks: Block, **more) -> list[str]:
    return [p.text for p in passages(*blocks, **more)]


# Headings


def test_a_passage_bears_title_and_heading_path() -> None:
    found = passages(heading("Leave"), text("A."), heading("Sick", 2), text("B."), heading("Travel"), text("C."))
    assert [(p.text, p.context) for p in found] == [
        ("A.", "Handbook › Leave"),
        ("B.", "Handbook › Leave › Sick"),
        ("C.", "Handbook › Travel"),
    ]


def test_a_title_that_is_also_the_first_heading_is_named_once() -> None:
    assert passages(heading("Handbook"), text("A."))[0].context == "Handbook"


def test_a_skipped_level_still_ends_at_its_equal() -> None:
    found = passages(heading("One"), heading("Deep", 4), text("A."), heading("Two", 4), text("B."))
    assert [p.context for p in found] == ["Handbook › One › Deep", "Handbook › One › Two"]


def test_a_heading_with_nothing_below_it_can_be_found() -> None:
    found = passages(heading("Closed on Monday"), heading("Leave"), text("A."), heading("Ask the desk"))
    assert [p.text for p in found] == ["Closed on Monday", "A.", "Ask the desk"]


def test_body_text_in_the_disguise_of_a_heading_is_found_and_cut() -> None:
    words = [f"word{n}" for n in range(80)]
    for below in ([], [text("A.")]):
        found = passages(heading(" ".join(words)), *below)
        assert " ".join(p.text for p in found).split()[:80] == words
        assert max(p.tokens for p in found) <= SIZE


def test_no_passage_crosses_a_heading_however_short_it_is() -> None:
    assert texts(text("A."), heading("Next"), text("B."), heading("Next"), text("C.")) == ["A.", "B.", "C."]


def test_the_context_is_embedded_before_the_text_and_is_no_part_of_its_hash() -> None:
    [there] = passages(heading("Leave"), text("Ask your  manager."))
    [here] = passages(heading("Travel"), text("Ask your\nmanager."))
    assert there.embedded == "Handbook › Leave\nAsk your  manager."
    assert there.content_hash == here.content_hash
    assert there.content_hash != passages(text("Ask your managers."))[0].content_hash


def test_a_passage_begins_on_the_page_of_its_first_words() -> None:
    found = passages(text("Words on one.", 1), text("Words on two.", 2), size=6)
    assert [p.page for p in found] == [1]


# What stays whole


def test_short_paragraphs_share_a_passage_and_a_full_one_is_closed() -> None:
    four = "One two three four."
    assert texts(text(four), text(four), text(four), text(four)) == [f"{four}\n\n{four}\n\n{four}", four]


def test_a_table_that_fits_is_not_cut_to_fill_the_passage_before_it() -> None:
    rows = ("Kind | Days", "Paid | 25", "Sick | 9")
    assert texts(text("Seven words stand here before the table."), table(*rows)) == [
        "Seven words stand here before the table.",
        "\n".join(rows),
    ]


def test_a_table_that_does_not_fit_is_cut_between_rows_and_keeps_its_header() -> None:
    rows = ["Kind | Days", *(f"Kind{n} | {n}" for n in range(9))]
    found = passages(heading("Leave"), table(*rows))
    assert "\n".join(p.text for p in found).split("\n") == rows
    assert [p.context for p in found] == [
        "Handbook › Leave",
        "Handbook › Leave\nKind | Days",
        "Handbook › Leave\nKind | Days",
    ]


def test_the_items_of_a_list_stay_together_and_none_is_cut() -> None:
    items = [item(f"Item {n} of the list") for n in range(4)]
    assert texts(*items) == ["Item 0 of the list\nItem 1 of the list", "Item 2 of the list\nItem 3 of the list"]


def test_code_is_cut_between_lines() -> None:
    lines = [f"call one two {n}" for n in range(5)]
    found = texts(Block(BlockKind.CODE, "\n".join(lines)))
    assert "\n".join(found).split("\n") == lines


def test_a_paragraph_that_does_not_fit_is_cut_between_sentences() -> None:
    sentences = [f"This is sentence number {n}." for n in range(5)]
    assert texts(text(" ".join(sentences))) == [" ".join(sentences[:2]), " ".join(sentences[2:4]), sentences[4]]


def test_a_sentence_that_does_not_fit_is_cut_between_words() -> None:
    words = [f"word{n}" for n in range(40)]
    found = texts(text(" ".join(words)))
    assert " ".join(found).split() == words


@pytest.mark.parametrize("words", ["漢字" * 100, "x" * 200, ". " * 100])
def test_text_without_words_is_cut_all_the_same(words: str) -> None:
    found = passages(text(words), count=count_characters)
    assert "".join(p.text for p in found).replace(" ", "") == words.replace(" ", "")
    assert max(p.tokens for p in found) <= SIZE


def test_no_passage_is_longer_than_the_embedder_reads(embedder) -> None:
    chinese = text("员工每年享有二十五天带薪假期，请向经理申请并填写表格。" * 60)
    found = passages(chinese, size=180, overlap=24, count=embedder.count_tokens)
    assert max(embedder.count_tokens([p.embedded for p in found])) + 2 <= embedder.max_tokens


# Overlap

SENTENCES = [f"This is sentence number {n}." for n in range(6)]


def test_a_passage_repeats_whole_sentences_of_the_one_before_it() -> None:
    found = texts(text(" ".join(SENTENCES)), size=15, overlap=7)
    assert found == [" ".join(SENTENCES[0:3]), " ".join(SENTENCES[2:5]), " ".join(SENTENCES[4:6])]


@pytest.mark.parametrize("overlap", [0, 4])
def test_a_sentence_longer_than_the_overlap_is_not_repeated(overlap: int) -> None:
    found = texts(text(" ".join(SENTENCES)), size=15, overlap=overlap)
    assert found == [" ".join(SENTENCES[:3]), " ".join(SENTENCES[3:])]


def test_nothing_is_repeated_over_a_heading_or_out_of_a_table() -> None:
    long = text(" ".join(SENTENCES[:3]))
    assert texts(long, heading("Next"), long, size=15, overlap=7) == [long.text, long.text]
    rows = table(*(f"Kind{n} | {n}" for n in range(9)))
    assert "\n".join(texts(rows, size=9, overlap=7)) == rows.text


# Whatever a document looks like

WORDS = st.text(st.sampled_from("aB1漢 .!?\n"), min_size=1, max_size=80).filter(str.strip)
BLOCKS = st.lists(
    st.one_of(
        st.builds(Block, st.just(BlockKind.HEADING), st.sampled_from(["One", "Two two"]), level=st.integers(1, 4)),
        st.builds(Block, st.sampled_from([BlockKind.TEXT, BlockKind.LIST_ITEM, BlockKind.CODE]), WORDS),
        st.builds(Block, st.just(BlockKind.TABLE), st.lists(WORDS, min_size=1, max_size=5).map("\n".join)),
    ),
    max_size=8,
)
SIZES = st.tuples(st.integers(4, 20), st.integers(0, 10))
COUNTS = st.sampled_from([count_words, count_characters])


@given(BLOCKS, SIZES, COUNTS)
def test_offsets_lead_to_the_exact_text_in_order(blocks, sizes, count) -> None:
    found = cut(*blocks, size=sizes[0], overlap=sizes[1], count=count)
    assert all(found.text[p.start : p.end] == p.text and p.text.strip() for p in found.passages)
    for before, after in itertools.pairwise(found.passages):
        assert before.start < after.start
        assert before.end < after.end


@given(BLOCKS, SIZES)
def test_no_passage_has_more_tokens_than_allowed_and_each_knows_its_number(blocks, sizes) -> None:
    for p in passages(*blocks, size=sizes[0], overlap=sizes[1], count=count_characters):
        assert count_characters([p.text]) == [p.tokens]
        assert p.tokens <= sizes[0]


@given(BLOCKS, SIZES, COUNTS)
def test_every_word_below_a_heading_is_in_some_passage(blocks, sizes, count) -> None:
    found = cut(*blocks, size=sizes[0], overlap=sizes[1], count=count)
    covered = {i for p in found.passages for i in range(p.start, p.end)}
    at = 0
    for block in blocks:
        at = found.text.index(block.text, at)
        if block.kind != BlockKind.HEADING:
            missing = [c for i, c in enumerate(block.text, at) if i not in covered]
            assert "".join(missing).strip() == ""
        at += len(block.text)


@example([text("111111 1111"), text("1")], (4, 1))
@given(BLOCKS, SIZES)
def test_what_is_repeated_fits_the_overlap_and_is_whole_sentences(blocks, sizes) -> None:
    size, overlap = sizes
    found = cut(*blocks, size=size, overlap=overlap, count=count_characters)
    for before, after in itertools.pairwise(found.passages):
        repeated = found.text[after.start : before.end]
        assert count_characters([repeated])[0] <= overlap
        if repeated:
            assert after.start in {before.start + a for a, _ in split_sentences(before.text)}
