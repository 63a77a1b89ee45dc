"""The command line: folders kept alike, questions, memory, keys, and what it says when something is wrong."""

import csv
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import tiny

from zuinig.app import cli as command_line
from zuinig.app import logs
from zuinig.app.cli import _shared
from zuinig.app.documents import Documents, DocumentView
from zuinig.core.db import Database
from zuinig.core.settings import Settings
from zuinig.core.tables import Answer, Conversation
from zuinig.ingestion.files import Files
from zuinig.retrieval import embed

HOTEL = "# Travel\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of the commands, and no other setting of this shell."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ZUINIG_{name.upper()}", raising=False)
    monkeypatch.setenv("ZUINIG_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def zuinig(data, embedder, monkeypatch, capsys) -> Callable[..., Done]:
    """Runs a command in this process, which saves the two seconds that a new one takes to import."""
    monkeypatch.setattr(embed, "load", lambda *_, **__: embedder)
    # It would leave the logs of all later tests on a stream that pytest closes.
    monkeypatch.setattr(logs, "configure", lambda _: None)
    monkeypatch.setattr(_shared.out, "width", 250)  # tables unbroken
    monkeypatch.setenv("ZUINIG_SPECIALIST_WRONG_BUDGET", "0.2")

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["zuinig", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        return Done(ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "docs"
    (path / "sub").mkdir(parents=True)
    (path / "travel.md").write_text(HOTEL)
    (path / "sub" / "badge.md").write_text("# Badge\n\nA lost badge costs 25 euros.\n")
    return path


def documents(data: Path, collection: str | None = None) -> dict[str, DocumentView]:
    """By path."""
    db = Database(f"sqlite:///{data / 'zuinig.db'}")
    views, _ = Documents(db, Files(data / "files")).page(limit=100, collection=collection)
    db.close()
    return {v.path: v for v in views}


def summary(done: Done) -> str:
    return done.out.strip().splitlines()[-1].partition(";")[0]


# ingest


def test_a_folder_is_added_and_a_second_run_skips_it(zuinig, folder, data):
    assert summary(first := zuinig("ingest", folder)) == "2 added"
    assert first.code == 0
    before = documents(data)
    assert set(before) == {"docs/travel.md", "docs/sub/badge.md"}
    again = zuinig("ingest", folder)
    assert (again.code, summary(again)) == (0, "2 unchanged")
    assert documents(data) == before


def test_a_changed_file_becomes_the_next_version_and_the_old_text_is_gone(zuinig, folder, data):
    zuinig("ingest", folder)
    (folder / "travel.md").write_text(HOTEL.replace("143", "177"))
    assert summary(zuinig("ingest", folder)) == "1 replaced, 1 unchanged"
    assert {path: v.version for path, v in documents(data).items()} == {"docs/travel.md": 2, "docs/sub/badge.md": 1}
    answer = zuinig("ask", QUESTION).out
    assert "177 euros" in answer
    assert "143 euros" not in answer


def test_hidden_files_and_links_are_left_out(zuinig, folder, data, tmp_path):
    (tmp_path / "secret.md").write_text("# Secret\n\nNot in this folder.\n")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / ".git").mkdir()
    (folder / ".git" / "notes.md").write_text("# Notes\n\nHidden.\n")
    zuinig("ingest", folder)
    assert set(documents(data)) == {"docs/travel.md", "docs/sub/badge.md"}


def test_a_name_that_looks_like_markup_or_is_not_utf8_is_shown_and_read(zuinig, folder, data):
    (folder / "[").mkdir()
    (folder / "[" / "bold].md").write_text("# A\n\nA.\n")
    (folder / os.fsdecode(b"caf\xe9.md")).write_text("# B\n\nB.\n")
    done = zuinig("ingest", folder)
    assert done.code == 0
    assert "[/bold].md" in done.out
    assert {"docs/[/bold].md", "docs/caf%E9.md"} < set(documents(data))
    assert summary(zuinig("ingest", folder, "--prune")) == "4 unchanged"


def test_prune_removes_what_is_gone_and_nothing_else(zuinig, folder, data, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "lamp.md").write_text("# Lamp\n\nIt takes bulbs of type E27.\n")
    zuinig("ingest", tmp_path / "other", "--collection", "other")
    zuinig("ingest", folder)
    (folder / "travel.md").unlink()
    assert summary(zuinig("ingest", folder)) == "1 unchanged"
    assert "docs/travel.md" in documents(data)
    pruned = zuinig("ingest", folder, "--prune")
    assert (pruned.code, summary(pruned)) == (0, "1 removed, 1 unchanged")
    assert set(documents(data)) == {"docs/sub/badge.md", "other/lamp.md"}
    assert "143" not in zuinig("ask", QUESTION).out.split("from none")[0]


def test_prune_leaves_what_came_from_elsewhere_into_the_same_collection(zuinig, folder, data, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "travel.md").write_text("# Lamp\n\nIt takes bulbs of type E27.\n")
    zuinig("ingest", folder)
    zuinig("ingest", tmp_path / "other", "--prune")
    assert set(documents(data)) == {"docs/travel.md", "docs/sub/badge.md", "other/travel.md"}
    (tmp_path / "other" / "travel.md").unlink()
    zuinig("ingest", tmp_path / "other", "--prune")
    assert set(documents(data)) == {"docs/travel.md", "docs/sub/badge.md"}


def test_prune_keeps_a_file_that_was_only_renamed(zuinig, folder, data):
    zuinig("ingest", folder)
    (folder / "travel.md").rename(folder / "trips.md")
    assert summary(zuinig("ingest", folder, "--prune")) == "2 unchanged"
    assert len(documents(data)) == 2
    assert "143" in zuinig("ask", QUESTION).out


def test_prune_keeps_the_text_while_one_of_two_copies_is_there(zuinig, folder, data):
    shutil.copy(folder / "travel.md", folder / "copy.md")
    zuinig("ingest", folder)
    (folder / "copy.md").unlink()  # the one the document was named after: it comes first
    zuinig("ingest", folder, "--prune")
    assert "143" in zuinig("ask", QUESTION).out


def test_a_file_that_became_a_copy_of_another_loses_its_old_text(zuinig, folder, data):
    zuinig("ingest", folder)
    shutil.copy(folder / "sub" / "badge.md", folder / "travel.md")
    assert summary(zuinig("ingest", folder)) == "1 replaced, 1 unchanged"
    assert "143" not in zuinig("ask", QUESTION).out


def test_a_file_that_became_unreadable_is_not_pruned(zuinig, folder, data):
    zuinig("ingest", folder)
    (folder / "travel.md").write_bytes(b"")
    assert summary(zuinig("ingest", folder, "--prune")) == "1 rejected, 1 unchanged"
    assert "docs/travel.md" in documents(data)


def test_a_bad_file_is_told_with_its_reason_and_the_others_are_read(zuinig, folder, data):
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    (folder / "empty.txt").touch()
    done = zuinig("ingest", folder)
    assert (done.code, summary(done)) == (1, "2 added, 1 failed, 1 rejected")
    rows = {line.split()[0]: line for line in done.out.splitlines() if line.strip()}
    assert "damaged" in rows["docs/broken.pdf"]
    assert "empty" in rows["docs/empty.txt"]
    # It stays a failure until it is mended.
    assert zuinig("ingest", folder).code == 1
    (folder / "empty.txt").write_text("A note of one line.\n")
    (folder / "broken.pdf").unlink()
    assert zuinig("ingest", folder).code == 0


def test_prune_with_a_single_file_would_empty_the_collection_and_is_refused(zuinig, folder, data):
    zuinig("ingest", folder)
    done = zuinig("ingest", folder / "travel.md", "--prune")
    assert done.code == 2
    assert "whole folders" in " ".join(done.err.split())
    assert len(documents(data)) == 2


def test_a_path_that_is_not_there_is_refused(zuinig, tmp_path):
    assert zuinig("ingest", tmp_path / "nowhere").code == 2


def test_a_running_service_answers_from_what_was_ingested_beside_it(running, zuinig, folder, monkeypatch):
    monkeypatch.setenv("ZUINIG_DATA_DIR", str(running.services.settings.data_dir))
    assert zuinig("ingest", folder).code == 0
    assert "143" in running.ask(QUESTION)["answer"]


def wait_until(ready: Callable[[], bool], nudge: Callable[[], object] = lambda: None) -> None:
    until = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < until, "it never came"
        nudge()
        time.sleep(0.3)


def test_watch_follows_the_folder_until_it_is_interrupted(data, folder, tmp_path):
    command = [sys.executable, "-c", "from zuinig.app.cli import main; main()", "ingest", str(folder), "--watch"]
    said = tmp_path / "said"
    with (
        said.open("w") as stream,
        # Where the tests run in the background, interrupts are ignored, and a child would inherit that.
        subprocess.Popen(
            command,
            stdout=stream,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as watching,
    ):
        try:
            wait_until(lambda: "Watching" in said.read_text())
            (folder / "new.md").write_text("# New\n\nThe canteen opens at noon.\n")
            wait_until(lambda: (v := documents(data).get("docs/new.md")) is not None and v.searchable)
            watching.send_signal(signal.SIGINT)
            assert watching.wait(30) == 0
        finally:
            watching.kill()
    assert "Traceback" not in said.read_text()


# ask


def test_an_answer_comes_with_its_place_and_its_price(zuinig, folder):
    zuinig("ingest", folder)
    first, second = zuinig("ask", QUESTION), zuinig("ask", QUESTION)
    assert "143 euros" in first.out
    assert "[1] Travel (version 1)" in first.out
    assert "from specialist; 0 tokens" in first.out
    assert "from memory; 0 tokens" in second.out


def test_an_answer_as_json_is_whole(zuinig, folder):
    zuinig("ingest", folder, "--collection", "handbook")
    found = json.loads(zuinig("ask", QUESTION, "--json", "--collection", "handbook").out)
    assert found["source"] == "specialist"
    assert "143" in found["citations"][0]["quote"]
    assert found["usage"]["prompt_tokens"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"), [(["  "], "empty"), (["Why?", "--collection", "nope"], "no collection named 'nope'")]
)
def test_a_question_that_cannot_be_asked_is_refused_in_words(zuinig, arguments, said):
    done = zuinig("ask", *arguments)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err


# memory

PAIRS = [
    {"id": "desk", "question": "What is the number of the desk?", "answer": "Dial 5001 — ask for “Zoë”."},
    {"id": "7", "question": "Who is the owner?", "answer": "Ann.\nOr Bob."},
]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(f"{json.dumps(p)}\n" for p in PAIRS), encoding="utf-8")
    return path


def test_memories_go_in_and_out_again_and_are_served_elsewhere(zuinig, lines, tmp_path, monkeypatch):
    assert zuinig("memory", "import", lines).out.strip() == "2 added, 0 updated, 0 unchanged"
    assert zuinig("memory", "import", lines).out.strip() == "0 added, 0 updated, 2 unchanged"
    assert zuinig("memory", "export", tmp_path / "out.jsonl").code == 0
    exported = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in exported.splitlines()] == PAIRS
    assert zuinig("memory", "export").out == exported
    monkeypatch.setenv("ZUINIG_DATA_DIR", str(tmp_path / "elsewhere"))
    zuinig("memory", "import", tmp_path / "out.jsonl")
    found = json.loads(zuinig("memory", "lookup", "what is the number of the desk").out)
    assert found["hit"]
    assert (found["memory"]["external_id"], found["memory"]["answer"]) == ("desk", PAIRS[0]["answer"])


def test_a_memory_of_one_collection_is_exported_as_such(zuinig, folder, tmp_path):
    zuinig("ingest", folder, "--collection", "board")
    pair = {"id": "1", "question": "Who is the owner?", "answer": "Ann.", "collection": "board"}
    (tmp_path / "one.jsonl").write_text(json.dumps(pair))
    zuinig("memory", "import", tmp_path / "one.jsonl")
    assert json.loads(zuinig("memory", "export").out) == pair


def test_an_export_that_is_taken_in_again_adds_nothing(zuinig, tmp_path):
    (tmp_path / "one.jsonl").write_text('{"question": "Who is the owner?", "answer": "Ann."}')
    zuinig("memory", "import", tmp_path / "one.jsonl")
    zuinig("memory", "export", tmp_path / "out.jsonl")
    assert zuinig("memory", "import", tmp_path / "out.jsonl").out.startswith("0 added")


def test_lookup_says_why_memory_would_not_answer(zuinig, lines):
    zuinig("memory", "import", lines)
    found = json.loads(zuinig("memory", "lookup", "Who is not the owner?").out)
    assert (found["hit"], found["memory"]) == (False, None)
    assert all(c["rejected_because"] for c in found["candidates"])
    assert {c["question"] for c in found["candidates"]} == {p["question"] for p in PAIRS}


def test_list_shows_the_newest_first(zuinig, lines):
    zuinig("memory", "import", lines)
    rows = zuinig("memory", "list").out.splitlines()[1:]
    assert ["owner" in rows[0], "desk" in rows[1]] == [True, True]
    assert all("live" in row and "import" in row for row in rows)
    assert len(zuinig("memory", "list", "--limit", "1").out.splitlines()) == 2


def test_a_question_and_a_name_with_brackets_are_shown_as_they_are(zuinig, tmp_path):
    (tmp_path / "one.jsonl").write_text('{"question": "What is [/] for?", "answer": "Paths."}')
    zuinig("memory", "import", tmp_path / "one.jsonl")
    zuinig("keys", "create", "[/]")
    assert "What is [/] for?" in zuinig("memory", "list").out
    assert "[/]" in zuinig("keys", "list").out


@pytest.mark.parametrize("line", ["not json", '{"question": "q"}', '{"question": "q", "answer": "a", "odd": 1}'])
def test_a_wrong_line_is_named_and_nothing_is_imported(zuinig, lines, line):
    with lines.open("a") as stream:
        stream.write(f"{line}\n")
    done = zuinig("memory", "import", lines)
    assert done.code == 2
    assert "line 3" in done.err
    assert len(zuinig("memory", "list").out.splitlines()) == 1


def test_an_import_into_an_unknown_collection_imports_nothing(zuinig, lines):
    with lines.open("a") as stream:
        stream.write('{"question": "q", "answer": "a", "collection": "nope"}\n')
    done = zuinig("memory", "import", lines)
    assert done.code == 2
    assert "nope" in done.err
    assert len(zuinig("memory", "list").out.splitlines()) == 1


# keys


def test_a_key_works_from_its_making_to_its_revoking(running, zuinig, monkeypatch):
    monkeypatch.setenv("ZUINIG_DATA_DIR", str(running.services.settings.data_dir))
    made = zuinig("keys", "create", "Zoë", "--scope", "read").out.splitlines()
    key_id, key = made[0].split()[0], made[1]

    def status() -> int:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.get(f"{running.url}/v1/documents", headers=headers).status_code

    assert status() == 200
    listed = zuinig("keys", "list").out
    assert key_id in listed
    assert key not in listed
    assert zuinig("keys", "revoke", key_id).code == 0
    assert status() == 401
    [row] = [line for line in zuinig("keys", "list").out.splitlines() if key_id in line]
    assert row.split()[1:3] == ["Zoë", "read"]
    assert row.split()[3] == "all"  # collections
    assert len(row.split()) == 6  # with the day it was revoked


def test_a_key_may_read_and_ask_unless_told_otherwise(zuinig):
    assert "(ask, read)" in zuinig("keys", "create", "colleague").out


def test_an_unknown_key_or_scope_is_refused(zuinig):
    done = zuinig("keys", "revoke", "key_x")
    assert (done.code, "keys list" in done.err) == (2, True)
    assert zuinig("keys", "create", "x", "--scope", "all").code == 2


def test_a_sign_in_link_opens_the_portal_once(running, zuinig, monkeypatch):
    monkeypatch.setenv("ZUINIG_DATA_DIR", str(running.services.settings.data_dir))
    path = zuinig("keys", "sign-in").out.strip().partition("/portal/")[2]
    codes = [httpx.get(f"{running.url}/portal/{path}").status_code for _ in range(2)]
    assert codes == [303, 401]


# doctor, reindex


def test_doctor_is_content_with_a_sound_service(zuinig, folder):
    zuinig("ingest", folder)
    done = zuinig("doctor")
    assert done.code == 0
    assert "!!" not in done.out
    assert "indexes: 2 passages, 0 memories" in done.out


def test_doctor_tells_of_an_address_that_the_service_would_refuse(zuinig, monkeypatch):
    monkeypatch.setenv("ZUINIG_HOST", "0.0.0.0")
    done = zuinig("doctor")
    assert done.code == 1
    assert "!!  address: ZUINIG_HOST" in done.out


def test_reindex_makes_anew_what_another_embedder_made_and_full_text(zuinig, folder, data):
    zuinig("ingest", folder)
    with closing(sqlite3.connect(data / "zuinig.db")) as db, db:
        db.execute("UPDATE document_versions SET embedder = 'another'")
        db.execute("UPDATE passages SET vector = zeroblob(length(vector))")
        db.execute("DELETE FROM passages_fts")
    sick = zuinig("doctor")
    assert sick.code == 1
    assert "zuinig reindex" in sick.out
    done = zuinig("reindex")
    assert done.code == 0
    assert "Embedded 2 texts anew; indexed are 2 passages and 0 memories." in done.out
    assert zuinig("doctor").code == 0
    assert "143" in zuinig("ask", QUESTION).out


def test_wrong_settings_are_told_in_one_line(zuinig, monkeypatch):
    monkeypatch.setenv("ZUINIG_PORT", "none")
    done = zuinig("doctor")
    assert done.code == 2
    assert done.err.startswith("zuinig: ")
    assert "ZUINIG_PORT" in done.err


# budgets, evaluate


def test_a_budget_is_set_listed_and_removed(zuinig):
    assert "0 of 1,000" in zuinig("budgets", "set", "--per", "day", "--tokens", "1000").out
    key = zuinig("keys", "create", "Zoë", "--user", "anna").out.split()[0]
    assert zuinig("budgets", "set", "--per", "month", "--cost", "12.50", "--key", key).code == 0
    lines = zuinig("budgets", "list").out.splitlines()
    assert "0.00 of 12.50" in lines[2]
    assert "Zoë" in lines[2]
    budget = lines[1].split()[0]
    assert "removed" in zuinig("budgets", "remove", budget).out
    assert budget not in zuinig("budgets", "list").out
    assert zuinig("budgets", "remove", budget).code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--per", "day"],
        ["--per", "year", "--tokens", "1"],
        ["--per", "day", "--cost", "much"],
        ["--per", "day", "--cost", "NaN"],
        ["--per", "day", "--tokens", "1", "--user", "anna", "--group", "helpdesk"],
        ["--per", "day", "--tokens", "1", "--key", "key_nope"],
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(zuinig, arguments):
    done = zuinig("budgets", "set", *arguments)
    assert done.code == 2
    assert done.err


CASES = [
    {"question": QUESTION, "answer": ["143 euros"], "document": "travel.md"},
    {"question": "What does a lost badge cost?", "answer": "30 euros", "document": "sub/badge.md"},
    {"question": "Who waters the purple cactus on the moon?", "answer": None},
]


def test_answers_are_evaluated_by_rung_and_leave_no_trace(zuinig, folder, tmp_path):
    zuinig("ingest", folder)
    (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, CASES)))
    found = json.loads(zuinig("evaluate", "answers", tmp_path / "cases.jsonl", "--json").out)
    assert [j["verdict"] for j in found["judged"]] == ["right", "wrong", "right"]
    quoted = found["rungs"]["specialist"]
    assert (quoted["answered"], quoted["right"]["share"], quoted["cited"]["share"]) == (2, 0.5, 1)
    assert quoted["prompt_tokens"] == 0 < quoted["baseline_tokens"]
    shown = zuinig("evaluate", "answers", tmp_path / "cases.jsonl", "--memory", "use", "--llm", "never").out
    assert "50.0 % (9.5 % to 90.5 %)".replace(" %", "%") in shown
    assert "100.0%" in shown.split("told so")[0]
    assert zuinig("memory", "list").out.splitlines()[1:] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2"),
        ("[]", "`question` and `answer`"),
        ('{"question": "Why?"}', "`question` and `answer`"),
        ('{"question": " ", "answer": "So."}', "not empty"),
        ('{"question": "Why?", "answer": 3}', "must be texts"),
        ('{"question": "Why?", "answer": "So.", "document": "nope.md"}', "no document 'nope.md'"),
        ('{"question": "Why?", "answer": "So.", "collection": "nope"}', "no collection named 'nope'"),
    ],
)
def test_a_case_that_cannot_be_asked_is_named(zuinig, folder, tmp_path, line, said):
    (tmp_path / "cases.jsonl").write_text(json.dumps({"question": "Why?", "answer": "So."}) + "\n" + line)
    done = zuinig("evaluate", "answers", tmp_path / "cases.jsonl")
    assert done.code == 2
    assert said in " ".join(done.err.split())


# model


@pytest.fixture
def model(tmp_path) -> Path:
    """An embedder that was not made small yet."""
    folder = tmp_path / "mine-fp32"
    folder.mkdir()
    tiny.write_onnx(folder / "model.onnx")
    shutil.copy(embed.MODELS / "all-MiniLM-L6-v2-int8" / "tokenizer.json", folder)
    return folder


def test_a_model_is_made_small_and_compared_on_what_was_asked_last(zuinig, folder, model):
    zuinig("ingest", folder)
    for question in (QUESTION, "What does a lost badge cost?", QUESTION):
        zuinig("ask", question)
    done = zuinig("model", "quantise", model)
    assert done.code == 0
    assert (model.with_name("mine-int8") / "model.onnx").is_file()
    for told in ("mine-int8", "% smaller", "texts/s", "on 2 questions", "mean cosine"):
        assert told in done.out
    assert len(json.loads(zuinig("ask", QUESTION, "--json").out)["memory"]) > 0  # comparing asks nothing anew
    again = zuinig("model", "quantise", model)
    assert (again.code, "--force" in again.err) == (2, True)
    assert zuinig("model", "quantise", model, "--force").code == 0


def test_questions_come_from_a_file_by_line_or_as_json(zuinig, model, tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text('Who pays?\n\n{"question": "Who parks?", "answer": "x"}\nWho pays?\n')
    done = zuinig("model", "quantise", model, tmp_path / "small", "--questions", questions)
    assert (done.code, "on 2 questions" in done.out) == (0, True)
    for wrong, told in (('Who?\n{"q": 1}\n', "line 2"), ("\n", "holds no questions")):
        questions.write_text(wrong)
        done = zuinig("model", "quantise", model, tmp_path / "other", "--questions", questions)
        assert (done.code, told in done.err) == (2, True)
        assert not (tmp_path / "other").exists()


def test_without_questions_the_size_is_told_and_how_to_compare(zuinig, model):
    done = zuinig("model", "quantise", model)
    assert (done.code, "% smaller" in done.out, "--questions" in done.out) == (0, True, True)


def test_a_model_that_cannot_be_compared_is_made_small_all_the_same(zuinig, model, tmp_path):
    (model / "tokenizer.json").unlink()
    (tmp_path / "questions.txt").write_text("Who pays?\n")
    done = zuinig("model", "quantise", model, "--questions", tmp_path / "questions.txt")
    assert (done.code, "Not compared" in done.err) == (1, True)
    assert (model.with_name("mine-int8") / "model.onnx").is_file()


def test_models_are_listed_and_there_is_nothing_to_roll_back_to_at_first(zuinig):
    listed = zuinig("model", "list").out
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["reader", "verifier", "embedder"]
    assert listed.count("yes") == 3
    refused = zuinig("model", "rollback", "reader")
    assert (refused.code, "nothing to roll back to" in refused.err) == (2, True)
    refused = zuinig("model", "use", "reader", "mine")
    assert (refused.code, "there are: shipped" in refused.err) == (2, True)


def test_a_model_that_a_setting_names_is_shown_as_the_one_in_use(zuinig, monkeypatch):
    monkeypatch.setenv("ZUINIG_READER", "/models/reader")
    listed = zuinig("model", "list").out
    assert listed.count("yes") == 3
    assert "by ZUINIG_READER" in listed


def test_training_says_what_it_needs(zuinig, monkeypatch):
    assert "--from-memory" in zuinig("train", "reader").err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused = zuinig("train", "reader", "--from-memory")
    assert (refused.code, "pip install 'zuinig[torch]'" in refused.err) == (2, True)


def test_training_on_an_empty_memory_is_refused(data):
    command = [sys.executable, "-m", "zuinig.training.from_memory", "verifier"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (refused.returncode, "There are 0 pairs of questions" in refused.stderr) == (1, True)
    assert not (data / "models").exists()


# people


def test_a_person_is_exported_and_forgotten_from_the_command_line(zuinig, folder, data, tmp_path, monkeypatch):
    zuinig("ingest", folder)
    key = zuinig("keys", "create", "desk", "--user", "Carla").out.split()[0]
    db = Database(f"sqlite:///{data / 'zuinig.db'}")
    with db.write() as session:
        session.add(Conversation(id="conv_1", owner_id=key))
        session.flush()
        asked = {"question": "Who is it?", "standalone_question": "Who is it?", "answer": "Nobody."}
        session.add(
            Answer(
                id="ans_1", conversation_id="conv_1", owner_id=key, source="none", confidence=0, citations=[], **asked
            )
        )
    zuinig("users", "export", "carla", tmp_path / "carla.json")
    found = json.loads((tmp_path / "carla.json").read_text())
    assert found["conversations"][0]["turns"][0]["question"] == "Who is it?"
    assert (tmp_path / "carla.json").stat().st_mode & 0o077 == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    refused = zuinig("forget", "carla")
    assert (refused.code, "Would remove: 1 conversations with 1 questions" in refused.out) == (1, True)
    done = zuinig("forget", "carla", "--yes")
    assert (done.code, "Removed: 1 conversations with 1 questions" in done.out) == (0, True)
    assert zuinig("forget", "carla", "--yes").code == 2
    with db.read() as session:
        assert session.get(Conversation, "conv_1") is None
    db.close()
    zuinig("audit", "export", tmp_path / "audit.csv")
    rows = list(csv.DictReader((tmp_path / "audit.csv").open(newline="")))
    assert [row["action"] for row in rows] == ["upload", "upload", "key_create", "export", "forget", "export"]
    assert {(row["actor"], row["address"]) for row in rows} == {("command line", "")}


def test_what_would_expire_is_said_from_the_command_line(zuinig, monkeypatch):
    assert "kept for ever" in zuinig("retention").out
    monkeypatch.setenv("ZUINIG_KEEP_CONVERSATIONS_DAYS", "30")
    assert zuinig("retention", "--dry-run").out.strip() == "Would remove: nothing"
    assert zuinig("retention").out.strip() == "Removed: nothing"
