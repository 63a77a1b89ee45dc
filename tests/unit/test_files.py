"""The bytes of uploads, and the names that people give them."""

import hashlib
import io
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zuinig.ingestion.files import Files, clean_path

DATA = b"The bytes of a file."
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def files(tmp_path) -> Files:
    return Files(tmp_path / "files")


def receive(files: Files, data: bytes = DATA) -> str:
    with files.receive(io.BytesIO(data)) as (path, sha256, _):
        files.keep(path, sha256)
    return sha256


def everything(tmp_path) -> list[str]:
    return sorted(p.name for p in tmp_path.rglob("*") if p.is_file())


# Bytes


def test_what_is_kept_stands_under_its_own_hash(files, tmp_path):
    with files.receive(io.BytesIO(DATA)) as (path, sha256, size):
        assert (sha256, size) == (SHA256, len(DATA))
        assert path.read_bytes() == DATA
        files.keep(path, sha256)
    assert files.path(SHA256).read_bytes() == DATA
    assert everything(tmp_path) == [SHA256]


def test_what_is_not_kept_leaves_nothing(files, tmp_path):
    with files.receive(io.BytesIO(DATA)):
        pass
    assert everything(tmp_path) == []


def test_an_upload_that_breaks_off_leaves_nothing(files, tmp_path):
    class BrokenOff(io.BytesIO):
        def read(self, *_):
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError), files.receive(BrokenOff()):
        pass
    assert everything(tmp_path) == []


def test_the_same_bytes_are_kept_once_and_removing_them_twice_does_no_harm(files, tmp_path):
    assert receive(files) == receive(files) == SHA256
    assert everything(tmp_path) == [SHA256]
    files.remove(SHA256)
    files.remove(SHA256)
    assert everything(tmp_path) == []


def test_only_the_owner_may_look_into_the_folders(files):
    receive(files)
    assert files.path(SHA256).parent.stat().st_mode & 0o077 == 0


def test_a_sweep_takes_what_is_old_and_unwanted(files, tmp_path):
    kept, left, young = (receive(files, data) for data in (b"kept", b"left", b"young"))
    half = tmp_path / "files" / "incoming" / "half"
    half.write_bytes(b"half")
    long_ago = time.time() - 86_400
    for path in (files.path(kept), files.path(left), half):
        os.utime(path, (long_ago, long_ago))
    assert files.sweep({kept}) == 2
    assert everything(tmp_path) == sorted([kept, young])


def test_a_sweep_of_nothing_does_nothing(files):
    assert files.sweep(set()) == 0


# Names


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("note.md", "note.md"),
        ("a/b/note.md", "a/b/note.md"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Users\\Ann\\note.md", "Users/Ann/note.md"),
        ("a/./b//../note.md", "a/b/note.md"),
        ("a/ .. /note.md", "a/note.md"),
        ("note\x00\n.md", "note.md"),
        ("evil\u202efdp.exe", "evilfdp.exe"),
        ("\u061cevil\u2028\x9b2J.md", "evil2J.md"),  # one is read by terminals as the start of a command
        ("cafe\u0301.md", "café.md"),
        ("cafe\x00\u0301.md", "café.md"),
        ("caf\udce9.md", "caf%E9.md"),  # a name of another encoding, as the file system hands it over
        ("", "unnamed"),
        ("../..", "unnamed"),
        ("...", "..."),
        ("报告.pdf", "报告.pdf"),
    ],
)
def test_a_name_becomes_a_path_that_can_be_shown(name: str, clean: str) -> None:
    assert clean_path(name) == clean


def test_a_long_name_keeps_its_ending() -> None:
    shown = clean_path("x" * 500 + ".pdf")
    assert len(shown) == 200
    assert shown.endswith("….pdf")


def test_names_of_another_encoding_stay_apart() -> None:
    assert clean_path("\udce8.md") != clean_path("\udce9.md")


@given(st.text(st.characters(exclude_categories=[]), max_size=60))
def test_no_name_climbs_or_hides_or_cannot_be_written(name: str) -> None:
    clean = clean_path(name)
    assert clean
    assert not clean.startswith("/")
    assert not {"", ".", ".."} & set(clean.split("/"))
    assert all(ord(c) >= 32 and c not in "\x7f\u202a\u202e\u2066" for c in clean)
    assert clean.encode()
    assert clean_path(clean) == clean
