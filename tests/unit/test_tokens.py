import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zuinig.core import tokens
from zuinig.core.errors import ConfigurationError
from zuinig.core.tokens import Tokens

ENCODINGS = ["o200k_base", "cl100k_base"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("text", "count"), [("", 0), ("hello world", 2), ("hello hello hello", 3)])
def test_tokens_are_counted_as_the_encoding_does(encoding: str, text: str, count: int) -> None:
    assert Tokens(encoding).count(text) == count


def test_the_two_encodings_are_two() -> None:
    text = "Hoeveel vakantiedagen heeft een medewerker?"
    assert Tokens("o200k_base").count(text) < Tokens("cl100k_base").count(text)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_looks_like_a_special_token_counts_as_plain_text(encoding: str) -> None:
    assert Tokens(encoding).count("<|endoftext|>") > 1


@given(st.text(max_size=300), st.integers(0, 60))
def test_a_clipped_text_is_a_beginning_of_at_most_that_many_tokens(text: str, limit: int) -> None:
    counter = Tokens("o200k_base")
    clipped = counter.clip(text, limit)
    assert text.startswith(clipped)
    assert counter.count(clipped) <= limit or clipped == text
    if counter.count(text) <= limit:
        assert clipped == text


def test_a_character_that_does_not_fit_is_left_out_whole() -> None:
    text = "𓂀𓂀𓂀"
    clips = [Tokens("o200k_base").clip(text, n) for n in range(20)]
    assert set(clips) <= {"", "𓂀", "𓂀𓂀", text}
    assert text in clips


def test_a_damaged_rank_file_is_refused_and_left_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, _ = tokens._FILES["cl100k_base"]
    copy = tmp_path / file
    shutil.copy(tokens._FOLDER / file, copy)
    with copy.open("r+b") as damaged:
        damaged.write(b"X")
    monkeypatch.setattr(tokens, "_FOLDER", tmp_path)
    with pytest.raises(ConfigurationError, match="damaged"):
        tokens._load.__wrapped__("cl100k_base")
    assert copy.exists()
    copy.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        tokens._load.__wrapped__("cl100k_base")
