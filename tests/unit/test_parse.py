import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import psutil
import pytest

import zuinig
from zuinig.core.errors import DocumentError
from zuinig.ingestion.parse import Cancelled, Parser

ROOT = str(Path(zuinig.__file__).parents[1])
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.md"
    path.write_text("# Leave\n\nAsk your manager.\n")
    return path


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Word document of some kilobytes that takes a minute to read."""
    path = tmp_path_factory.mktemp("slow") / "slow.docx"
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{kind}"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="r1" Type="{relation}" Target="word/document.xml"/></Relationships>',
        )
        body = "<w:p><w:r><w:t>Again and again.</w:t></w:r></w:p>" * 200_000
        archive.writestr("word/document.xml", f'<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>')
    return path


def children() -> list[psutil.Process]:
    """Of the parser; llama.cpp's compiler is one of this process too, and has no command line once it has ended."""
    living = [each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE]
    return [each for each in living if "zuinig.ingestion.parse_child" in each.cmdline()]


def refusal(parser: Parser, path: Path, name: str = "upload") -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        parser.parse(path, name)
    assert len(caught.value.message) >= 30
    return caught.value


def test_a_file_is_read_and_its_label_told(note: Path) -> None:
    with Parser() as parser:
        found = parser.parse(note, "note.md")
    assert found.label == "markdown"
    assert [block.text for block in found.parsed.blocks] == ["Leave", "Ask your manager."]
    assert children() == []


def test_a_file_that_takes_too_long_is_stopped_and_the_next_one_is_read(slow: Path, note: Path) -> None:
    with Parser(timeout_s=1.5) as parser:
        start = time.monotonic()
        assert refusal(parser, slow).code == "timeout"
        assert time.monotonic() - start < 4
        assert children() == []
        assert parser.parse(note, "note.md").label == "markdown"


def test_a_file_that_needs_too_much_memory_is_stopped_and_the_next_one_is_read(note: Path, tmp_path: Path) -> None:
    greedy = tmp_path / "greedy.json"
    greedy.write_text("[" + "{}," * 6_000_000 + "{}]")
    with Parser(memory_mb=500) as parser:
        assert refusal(parser, greedy, "greedy.json").code == "out_of_memory"
        assert parser.parse(note, "note.md").label == "markdown"


def test_a_zip_bomb_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.docx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as member:
        for _ in range(300):
            member.write(bytes(1 << 20))
    with Parser(memory_mb=500) as parser:
        assert refusal(parser, bomb, "bomb.docx").code == "too_large"


def test_more_text_than_allowed_is_refused(note: Path) -> None:
    with Parser(max_text_chars=10) as parser:
        assert refusal(parser, note).code == "too_large"


def test_a_killed_child_fails_its_file_and_the_next_one_is_read(slow: Path, note: Path) -> None:
    def kill() -> None:
        while not children():
            time.sleep(0.05)
        time.sleep(0.7)
        children()[0].kill()

    killer = threading.Thread(target=kill)
    with Parser() as parser:
        killer.start()
        assert refusal(parser, slow).code == "crashed"
        killer.join()
        assert parser.parse(note, "note.md").label == "markdown"


def test_an_idle_child_that_died_is_replaced_without_a_word(note: Path) -> None:
    with Parser() as parser:
        parser.parse(note, "note.md")
        child = children()[0]
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead to the last thread, and not yet reaped
        assert parser.parse(note, "note.md").label == "markdown"


def test_a_cancelled_file_stops_at_once_and_the_next_one_is_read(slow: Path, note: Path) -> None:
    start = time.monotonic()
    with Parser() as parser:
        with pytest.raises(Cancelled):
            parser.parse(slow, "slow.docx", cancel=lambda: time.monotonic() > start + 0.5)
        assert time.monotonic() - start < 3
        assert children() == []
        assert parser.parse(note, "note.md").label == "markdown"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("printf '{\"label\": '; sleep 60", "timeout"),  # half a line
        ("read request; echo not JSON", "crashed"),
        ("read request; echo '{\"label\": 1}'", "crashed"),
    ],
)
def test_a_child_that_answers_nonsense_cannot_hold_the_service(
    script: str, code: str, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: Parser) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen(["sh", "-c", script], start_new_session=True, **pipes)

    monkeypatch.setattr(Parser, "_start", start)
    began = time.monotonic()
    with Parser(timeout_s=0.5) as parser:
        assert refusal(parser, note).code == code
    assert time.monotonic() - began < 3


def test_the_bytes_and_not_the_name_say_what_a_file_is(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_bytes(b"%PDF-1.4\n" + bytes(range(256)))
    with Parser() as parser:
        assert "PDF" in refusal(parser, path, "report.txt").message


@pytest.mark.parametrize("name", ["../../etc/passwd", "-rf; touch pwned", "a\x00b.pdf", "\ud800.docx", "x" * 5000, ""])
def test_a_hostile_name_has_no_effect(name: str, note: Path) -> None:
    with Parser() as parser:
        assert parser.parse(note, name).parsed.blocks[-1].text == "Ask your manager."


def test_the_child_is_replaced_after_so_many_files(note: Path) -> None:
    with Parser(recycle_after=2) as parser:
        parser.parse(note, "note.md")
        first = children()[0].pid
        parser.parse(note, "note.md")
        parser.parse(note, "note.md")
        assert [each.pid for each in children()] != [first]


def test_the_child_gets_no_keys_from_the_environment(note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", "sk-secret")
    with Parser() as parser:
        parser.parse(note, "note.md")
        assert "sk-secret" not in children()[0].environ().values()


def test_the_child_ends_with_its_parent(note: Path) -> None:
    script = (
        "import psutil, sys, time; from pathlib import Path; from zuinig.ingestion.parse import Parser\n"
        "parser = Parser(); parser.parse(Path(sys.argv[1]), 'note.md')\n"
        "print(psutil.Process().children()[0].pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(note)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": ROOT}) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        child.wait(timeout=5)


def child_code(code: str) -> str:
    command = [sys.executable, "-c", f"from zuinig.ingestion import parse_child\n{code}"]
    env = os.environ | {"PYTHONPATH": ROOT}
    return subprocess.run(command, capture_output=True, check=True, text=True, env=env).stdout


def test_a_reader_reaches_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = (
            "import socket, sys; sys.addaudithook(parse_child._offline)\n"
            f"try: socket.create_connection({server.getsockname()!r})\nexcept PermissionError: print('refused')"
        )
        assert child_code(code) == "refused\n"


def test_plain_formats_do_not_pay_for_unstructured(note: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        f"parse_child._read(Path({str(note)!r}), 'note.md', 1000); print('unstructured' in sys.modules)"
    )
    assert child_code(code) == "False\n"


def test_what_libraries_print_stays_out_of_the_answers(note: Path) -> None:
    code = (
        "import json, os, sys\n"
        "def read(*_):\n    print('noise'); os.system('echo noise'); raise ValueError('secret text')\n"
        "parse_child._read = read; sys.argv[1:] = ['2048', '60', '1000']; parse_child.main()"
    )
    request = json.dumps({"path": str(note), "filename": "note.md"})
    command = [sys.executable, "-c", f"from zuinig.ingestion import parse_child\n{code}"]
    env = os.environ | {"PYTHONPATH": ROOT}
    done = subprocess.run(command, input=request + "\n", capture_output=True, check=True, text=True, env=env)
    answer = json.loads(done.stdout)
    assert answer["code"] == "crashed"
    assert "secret" not in done.stdout
