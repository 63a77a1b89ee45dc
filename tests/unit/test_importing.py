"""What an import would do, before it does it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zuinig.app.api import exchange
from zuinig.core.errors import BadRequest
from zuinig.core.types import MemoryStatus
from zuinig.memory.importing import Imported, Pair


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(quick):
    quick.importing.run([Pair("Which bulb?", "E27."), Pair("Which fuse?", "10 A."), Pair("Which plug?", "F.")], by="x")
    quick.curate.set_status(3, MemoryStatus.RETIRED, by="x")
    lines = [
        Pair("Which bulb?", "E14."),
        Pair("Which fuse?", "10 A."),
        Pair("Which plug?", "F."),
        Pair("Which wire?", "Blue."),
        Pair("which WIRE?", "Brown."),
    ]
    would, clashes = quick.importing.dry_run(lines)
    assert [(c.line, c.kind, c.memory_id, c.present_answer) for c in clashes] == [
        (1, "answer", 1, "E27."),
        (3, "revived", 3, "F."),
        (5, "twice", None, "Blue."),
    ]
    assert quick.memories.count() == 2
    assert quick.importing.run(lines, by="x") == would == Imported(1, 3, 1)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_csv_of_a_spreadsheet_is_read(delimiter):
    text = (
        delimiter.join(("ID", "Question", "Answer ")) + "\r\n" + delimiter.join(("7", "Which bulb?", '"E27,\nor E14"'))
    )
    [line] = exchange.parse(f"\ufeff{text}\r\n".encode(), "csv")
    assert (line.id, line.question, line.answer, line.collection) == ("7", "Which bulb?", "E27,\nor E14", None)


@pytest.mark.parametrize(
    ("data", "form", "said"),
    [
        (b"", "jsonl", "no lines"),
        (b"\xff\xfe", "csv", "UTF-8"),
        (b"question,answer\nWhich bulb?,\n", "csv", "line 2: answer"),
        (b"question,answer,mood\nWhich bulb?,E27.,good\n", "csv", "line 2: mood"),
        (b'{"question": "Which bulb?"}\n', "jsonl", "line 1: answer"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(data, form, said):
    with pytest.raises(BadRequest, match=said):
        exchange.parse(data, form)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_export_comes_back_as_it_was_and_runs_no_formula(quick, form):
    pairs = [Pair("Which bulb?", '=HYPERLINK("x")', "a,1"), Pair("@who?", "-1 or\n'quoted'")]
    quick.importing.run(pairs, by="x")
    text = "".join(exchange.exported(quick, form))
    if form == "csv":
        assert not any(cell.startswith(("=", "@", "-")) for line in text.splitlines() for cell in line.split(","))
    lines = exchange.parse(text.encode(), form)
    assert [(x.question, x.answer, x.id) for x in lines] == [(p.question, p.answer, p.external_id) for p in pairs]


@given(st.text(st.sampled_from("=+-@;' \t\r\na"), max_size=12))
def test_no_column_of_any_spreadsheet_begins_with_a_formula_and_nothing_is_lost(text):
    shown = exchange.harmless(text)
    assert not [c for c in re.split("[;\r\n]", shown) if c.lstrip(" ").startswith(("=", "+", "@", "\t"))]
    assert not [c for c in shown.split(";") if c.lstrip(" ").startswith("-")]
    assert exchange._plain(shown) == text


def test_a_list_is_left_as_it_is():
    assert exchange.harmless("Bring:\n- a bulb\n- a fuse") == "Bring:\n- a bulb\n- a fuse"
