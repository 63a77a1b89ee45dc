"""Uploads that mean harm, over HTTP: limits hold, nothing lands outside the data directory, others are served.

What one reader makes of one hostile file is in tests/unit/test_parse.py and tests/contract/test_formats.py.
"""

import contextlib
import io
import re
import socket
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import docx
import httpx
import openpyxl
import psutil
import pytest
from running import Running

from zuinig.app.api import middleware
from zuinig.app.services import build
from zuinig.core.settings import Settings
from zuinig.core.types import Scope

NOTE = b"# Lockers\n\nLocker 12 is kept free for visitors.\n"
SECRET = "The launch code is 00000000."
SLOW_CLIENTS = 50  # more than there are threads for requests
FILES_AT_MOST = 40
BOMB_MB = 100
CLOSED_BY_S = 60  # far above the timeout that is tested, far below for ever


@pytest.fixture(scope="module")
def host(tmp_path_factory) -> Iterator[Path]:
    """A machine in small: the folders that a service, or what it starts, might write into."""
    base = tmp_path_factory.mktemp("host")
    for name in ("cwd", "tmp", "home"):
        (base / name).mkdir()
    (base / "secret.txt").write_text(SECRET)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(base / "cwd")
        patch.setenv("TMPDIR", str(base / "tmp"))
        patch.setenv("HOME", str(base / "home"))
        patch.setattr(tempfile, "tempdir", None)  # what was found out before
        yield base


@pytest.fixture(scope="module")
def running(host) -> Iterator[Running]:
    found = Running(
        build(
            Settings(
                data_dir=host / "data",
                receive_timeout_s=2,
                max_files_per_upload=FILES_AT_MOST,
                max_upload_mb=5,
            )
        )
    )
    found.upload("lockers.md", NOTE)
    yield found
    found.stop()


def outside(host: Path) -> list[str]:
    return sorted(str(p.relative_to(host)) for p in host.rglob("*") if host / "data" not in (p, *p.parents))


def uploaded(host: Path) -> set[str]:
    """Where bytes of uploads lie in the data directory."""
    folder = host / "data" / "files"
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(autouse=True)
def nothing_is_written_outside_the_data_directory(host, running) -> Iterator[None]:
    before = outside(host)
    yield
    assert outside(host) == before
    assert all(re.fullmatch(r"([0-9a-f]{2})/\1[0-9a-f]{62}", path) for path in uploaded(host))


def multipart(*parts: tuple[str, str | bytes | None, bytes], end: bool = True) -> tuple[dict[str, str], bytes]:
    """field, file name or None, bytes. The name goes in as it is, which no client library would do."""
    lines = []
    for field, name, data in parts:
        raw = name.encode(errors="surrogateescape") if isinstance(name, str) else name
        shown = b"" if raw is None else b'; filename="%s"' % raw
        lines.append(
            b'--b\r\ncontent-disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (field.encode(), shown, data)
        )
    return {"content-type": "multipart/form-data; boundary=b"}, b"".join(lines) + (b"--b--\r\n" if end else b"")


def send(running: Running, *parts: tuple[str, str | bytes | None, bytes]) -> httpx.Response:
    headers, body = multipart(*parts)
    return running.client.post("/v1/documents", content=body, headers=headers)


def ending(running: Running, name: str, data: bytes) -> dict:
    """Upload one file and wait for its end."""
    answer = send(running, ("files", name, data))
    assert answer.status_code == 202, answer.text
    return running.wait(answer.json()["accepted"][0]["id"])


def others_are_served(running: Running) -> None:
    """A search, and a document that is read from end to end."""
    found = running.client.post("/v1/search", json={"query": "locker for visitors"}).json()["data"]
    assert any("Locker 12" in hit["text"] for hit in found)
    number = time.monotonic_ns()
    assert ending(running, f"other-{number}.md", b"# Other\n\nNumber %d.\n" % number)["status"] == "ready"


# Names

NAMES = [
    "../../../../cwd/climbs.md",
    "..\\..\\..\\cwd\\climbs.md",
    "....//....//cwd//climbs.md",
    "%2e%2e%2f%2e%2e%2fclimbs.md",
    "/cwd/absolute.md",
    "//server/share/absolute.md",
    "C:\\Windows\\absolute.md",
    "file:///cwd/absolute.md",
    "nul\x00byte.md",
    "note.md\x00.pdf",
    "CON",
    "nul.md",
    "/dev/null",
    "\\\\.\\PhysicalDrive0",
    "stream.md::$DATA",
    "\u202efdp.annual\u202c.md",
    "\x1b[2J\x9b2Jclear.md",
    "<img src=x onerror=alert(1)>.md",
    "=cmd|'/c calc'!A1.md",
    "x" * 2_000 + ".md",
    "d/" * 1_000 + "deep.md",
    "$(touch climbs).md",
    "-rf",
    b"\xff\xfe\x80.md",
    ".",
    "..",
    "~",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_file_name_is_shown_and_never_opened(running, host, name):
    before = uploaded(host)
    data = b"# Name\n\nNote %d.\n" % NAMES.index(name)
    answer = send(running, ("files", name, data))
    assert answer.status_code == 202, answer.text
    [accepted] = answer.json()["accepted"]
    document = running.wait(accepted["id"])
    assert len(uploaded(host) - before) == 1  # under its hash: see the fixture above
    for shown in (accepted["filename"], document["filename"]):
        assert len(shown.rsplit("/", 1)[-1]) <= 200
        assert not re.search("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", shown)
        assert not {"..", "."} & set(shown.split("/"))
        assert not shown.startswith("/")
    content = running.client.get(f"/v1/documents/{accepted['id']}/content")
    assert content.content == data
    disposition = content.headers["content-disposition"]
    assert re.fullmatch(r"attachment; filename\*=UTF-8''[\w.~%-]+", disposition)
    assert "/" not in unquote(disposition.rsplit("'", 1)[1])
    assert running.client.delete(f"/v1/documents/{accepted['id']}").status_code == 204
    assert uploaded(host) == before


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("../../../cwd/climbs.md", "cwd/climbs.md"),
        ("x" * 10_000 + ".md", "x" * 196 + "….md"),
        ("/" * 10_000, "unnamed"),
    ],
)
def test_a_hostile_path_of_a_folder_is_shown_and_never_opened(running, path, shown):
    data = b"# Path\n\nPath %d.\n" % len(path)
    answer = send(running, ("files", "a.md", data), ("paths", None, path.encode())).json()
    assert [a["filename"] for a in answer["accepted"]] == [shown]
    running.wait(answer["accepted"][0]["id"])


def test_a_file_name_of_ten_thousand_characters_is_refused_or_shortened(running, host):
    kept = uploaded(host)
    answer = send(running, ("files", "x" * 10_000 + ".md", NOTE))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert uploaded(host) == kept


# Bombs and entities


def rewritten(data: bytes, name: str, old: str, new: str, declared: str = "") -> bytes:
    """An Office file with text replaced in one of its parts, and declarations above it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for each in source.namelist():
            content = source.read(each)
            if each == name:
                head, mark, rest = content.decode().rpartition("?>")
                assert old in rest
                content = f"{head}{mark}{declared}{rest.replace(old, new)}".encode()
            target.writestr(each, content)
    return buffer.getvalue()


def word(text: str = "Some text.") -> bytes:
    document = docx.Document()
    document.add_paragraph(text)
    document.add_paragraph("Lunch is at noon.")
    return saved(document)


def workbook() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["Kind", "Days"])
    book.active.append(["Vacation", 25])
    return saved(book)


def saved(document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def laughs() -> str:
    """Ten to the ninth times one word."""
    steps = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE x [<!ENTITY l0 "haha">{steps}]>'


WORD, SHEET = ("word/document.xml", "Some text."), ("xl/worksheets/sheet1.xml", "Vacation")


@pytest.mark.parametrize(
    ("name", "build_file", "part"), [("bomb.docx", word, WORD), ("bomb.xlsx", workbook, SHEET)], ids=["docx", "xlsx"]
)
def test_entities_that_multiply_end_as_a_failed_file_and_not_as_memory(running, name, build_file, part):
    document = ending(running, name, rewritten(build_file(), *part, "&l9;", laughs()))
    assert (document["status"], document["error"]["code"]) == ("failed", "corrupt")
    others_are_served(running)


@pytest.mark.parametrize(
    ("name", "build_file", "part"), [("leak.docx", word, WORD), ("leak.xlsx", workbook, SHEET)], ids=["docx", "xlsx"]
)
def test_an_entity_that_names_a_file_of_the_server_never_shows_it(running, host, name, build_file, part):
    declared = f'<!DOCTYPE x [<!ENTITY leak SYSTEM "file://{host}/secret.txt">]>'
    assert_keeps_the_secret(running, name, rewritten(build_file(), *part, "&leak;", declared))


LEAKS = {
    "html": '<!DOCTYPE html [<!ENTITY leak SYSTEM "file://{0}">]><html><body><p>Seen. &leak;</p><iframe src="file://{0}">'
    '</iframe><object data="file://{0}"></object></body></html>',
    "md": "# Leak\n\nSeen. ![x](file://{0})\n\n<include src='{0}'/>\n\n!include {0}\n",
    "rtf": '{{\\rtf1 Seen. {{\\field{{\\*\\fldinst INCLUDETEXT "{0}"}}{{\\fldrslt x}}}}}}',
    "eml": "From: a@example.org\nTo: b@example.org\nSubject: Leak\nContent-Type: message/external-body; "
    'access-type=local-file; name="{0}"\n\nSeen.\n',
}


@pytest.mark.parametrize("kind", LEAKS)
def test_a_document_that_includes_a_file_of_the_server_never_shows_it(running, host, kind):
    assert_keeps_the_secret(running, f"leak.{kind}", LEAKS[kind].format(host / "secret.txt").encode())


def assert_keeps_the_secret(running: Running, name: str, data: bytes) -> None:
    document = ending(running, name, data)
    assert document["status"] in ("ready", "failed")
    passages = running.client.get(f"/v1/documents/{document['id']}/passages").text
    assert "launch code" not in passages + str(document)
    hits = running.client.post("/v1/search", json={"query": SECRET}).json()["data"]
    assert not any("launch code" in hit["text"] for hit in hits)


def zip_bomb() -> bytes:
    buffer = io.BytesIO(word())
    with (
        zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("word/media.bin", "w") as member,
    ):
        for _ in range(BOMB_MB):
            member.write(bytes(1 << 20))
    return buffer.getvalue()


def lying_zip() -> bytes:
    """Whose directory says that its megabytes are ten bytes: what is checked before unpacking would let it pass."""
    data = bytearray(zip_bomb())
    size = (BOMB_MB << 20).to_bytes(4, "little")
    assert data.count(size) >= 1
    return bytes(data.replace(size, (10).to_bytes(4, "little")))


def crowded_zip() -> bytes:
    buffer = io.BytesIO(word())
    with zipfile.ZipFile(buffer, "a") as archive:
        for n in range(11_000):
            archive.writestr(f"word/{n}", b"")
    return buffer.getvalue()


BOMBS = {"bomb": (zip_bomb, {"too_large"}), "crowd": (crowded_zip, {"too_large"}), "liar": (lying_zip, None)}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_zip_bomb_fails_or_stays_packed_and_the_worker_reads_on(running, bomb):
    make, codes = BOMBS[bomb]
    document = ending(running, "bomb.docx", make())
    if codes:
        assert document["status"] == "failed"
        assert document["error"]["code"] in codes
    others_are_served(running)


def endless_workbook() -> bytes:
    """Two cells, the second in row 999,999,999,999: the rows between them are made up one by one."""
    return rewritten(workbook(), "xl/worksheets/sheet1.xml", 'r="2"', 'r="999999999999"')


def test_documents_that_never_end_are_stopped_and_meanwhile_questions_are_answered(running, monkeypatch):
    for worker in running.services.workers:
        monkeypatch.setattr(worker._parser, "_timeout_s", 6)  # far longer than a body may be silent: see `wait`
    hanging = []
    for n in range(3):  # more than there are workers
        answer = send(running, ("files", f"endless-{n}.xlsx", endless_workbook() + bytes(n)))
        hanging.append(answer.json()["accepted"][0]["id"])
    hits = running.client.post("/v1/search", json={"query": "locker for visitors"}).json()["data"]
    assert any("Locker 12" in hit["text"] for hit in hits)
    for document in hanging:
        ended = running.wait(document)
        assert (ended["status"], ended["error"]["code"]) == ("failed", "timeout")
    others_are_served(running)


# What a browser might run

SCRIPT = "<script>alert(document.cookie)</script>"
PAGES = {
    "page.html": f"<!doctype html><title>{SCRIPT}</title><body><p>Seen.</p>{SCRIPT}<p onclick=alert(1)>Twice.</p>"
    "<p>&lt;script&gt;alert(document.cookie)&lt;/script&gt;</p>",
    "picture.svg": f'<svg xmlns="http://www.w3.org/2000/svg">{SCRIPT}<text>Seen.</text></svg>',
    "picture.gif": f"GIF89a/*\x01\x00\x01\x00*/=1;/*<html><body>{SCRIPT}",
    "paper.pdf": f"<html><body>{SCRIPT}</body><!-- %PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript>>>>-->",
    "<img src=x onerror=alert(1)>.md": f"# {SCRIPT}\n\n[Seen](javascript:alert(1)) <img src=x>\n\n`{SCRIPT}`\n",
}


@pytest.mark.parametrize("name", PAGES)
def test_no_upload_runs_in_a_browser(running, name):
    document = ending(running, name, PAGES[name].encode("latin-1"))
    for path in (f"/v1/documents/{document['id']}/content", f"/v1/files/{document['id']}/content"):
        content = running.client.get(path)
        assert content.content == PAGES[name].encode("latin-1")
        assert content.headers["content-type"] == "application/octet-stream"
        assert content.headers["content-disposition"].startswith("attachment")
        assert content.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in content.headers["content-security-policy"]
    for path in ("/portal/documents", f"/portal/documents/{document['id']}"):
        page = running.client.get(path)
        assert page.status_code in (200, 404)  # there is no text to be shown of what failed
        assert "alert(document.cookie)</script>" not in page.text
        assert "<img src=x" not in page.text


def test_a_file_that_is_a_pdf_and_a_word_document_is_read_as_one_of_them(running):
    """By the bytes at its start, so that what is checked is what is read."""
    document = ending(running, "both.docx", b"%PDF-1.4\n" + word())
    assert (document["status"], document["error"]["code"]) == ("failed", "corrupt")
    others_are_served(running)


# Too much at a time


def test_ten_thousand_files_in_one_request_are_refused_clearly_and_leave_nothing(running, host):
    kept, process = uploaded(host), psutil.Process()
    documents = running.client.get("/v1/documents").json()["first_id"]
    opened = process.num_fds()
    answer = send(running, *(("files", f"{n}.md", b"# N\n") for n in range(10_000)))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert str(FILES_AT_MOST) in answer.json()["detail"]
    assert uploaded(host) == kept
    assert running.client.get("/v1/documents").json()["first_id"] == documents
    assert process.num_fds() <= opened + 5


def test_as_many_files_as_allowed_are_taken_with_their_paths_and_one_more_is_not(running):
    files = [("files", f"{n}.md", b"# N %d\n\nText.\n" % n) for n in range(FILES_AT_MOST)]
    paths = [("paths", None, b"many/%d.md" % n) for n in range(FILES_AT_MOST)]
    answer = send(running, *files, *paths, ("collection", None, b"default"))
    assert len(answer.json()["accepted"]) == FILES_AT_MOST
    for accepted in answer.json()["accepted"]:
        running.wait(accepted["id"])
    assert send(running, *files, ("files", "more.md", b"# More\n")).status_code == 413


def test_ten_thousand_fields_are_refused(running):
    assert send(running, *(("paths", None, b"x") for _ in range(10_000))).status_code == 413


def test_a_file_above_the_limit_is_refused_beside_those_that_are_taken(running, host):
    answer = send(running, ("files", "large.txt", b"x" * 5_000_001), ("files", "lockers.md", NOTE)).json()
    assert [(r["filename"], r["code"]) for r in answer["rejected"]] == [("large.txt", "too_large")]
    assert [a["outcome"] for a in answer["accepted"]] == ["unchanged"]


# Bodies and headers that do not come


def connect(running: Running, data: bytes = b"") -> socket.socket:
    address = urlsplit(running.url)
    found = socket.create_connection((address.hostname, address.port), timeout=CLOSED_BY_S)
    found.sendall(data)
    return found


def upload_head(key: str, length: int = 1_000_000, path: str = "/v1/documents") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
        f"content-type: multipart/form-data; boundary=b\r\ncontent-length: {length}\r\n\r\n"
    ).encode()


def half_an_upload(running: Running, path: str = "/v1/documents") -> bytes:
    field = "files" if path == "/v1/documents" else "file"
    return upload_head(running.key, path=path) + multipart((field, "slow.md", b"# Slow\n"), end=False)[1]


def said(client: socket.socket) -> bytes:
    """All that comes until the other side hangs up."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(65_536):
            found += piece
    return found


@contextlib.contextmanager
def trickling(clients: list[socket.socket], byte: bytes) -> Iterator[None]:
    """A byte from each now and then, more often than any limit on silence."""
    done = threading.Event()

    def trickle() -> None:
        while not done.wait(0.3):
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(byte)

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        for client in clients:
            client.close()


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/files", "/v1/memories/import", "/portal/memories/import"])
def test_a_body_that_stops_half_way_is_given_up_with_a_reason(running, host, path):
    kept = uploaded(host)
    with connect(running, half_an_upload(running, path)) as client:
        answer = said(client)
    assert answer.startswith(b"HTTP/1.1 408 ")
    # A person who opens a page gets a page.
    media = b"text/html" if path.startswith("/portal/") else b"application/problem+json"
    assert b"content-type: " + media in answer.lower()
    assert b"x-request-id" in answer.lower()
    assert uploaded(host) == kept


def test_bodies_that_trickle_are_given_up_and_meanwhile_others_are_served(running, host):
    kept = uploaded(host)
    clients = [connect(running, half_an_upload(running)) for _ in range(SLOW_CLIENTS)]
    with trickling(clients, b"x"):
        others_are_served(running)
        assert all(b"HTTP/1.1 408 " in said(client) for client in clients)
    assert len(uploaded(host) - kept) == 1  # that of the others


def test_headers_that_trickle_are_hung_up_on_and_meanwhile_others_are_served(running):
    clients = [connect(running, b"GET /healthz HTTP/1.1\r\nhost: ") for _ in range(SLOW_CLIENTS)]
    with trickling(clients, b"a"):
        others_are_served(running)
        assert not any(said(client) for client in clients)


def test_a_connection_without_a_request_is_hung_up_on(running):
    with connect(running) as client:
        assert said(client) == b""


def test_headers_that_trickle_on_a_connection_that_was_used_are_hung_up_on(running):
    client = connect(running, b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
    with trickling([client], b"a"):
        said(client)


def test_a_body_nobody_asked_for_does_not_keep_the_connection(running):
    client = connect(running, b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000000\r\n\r\n")
    with trickling([client], b"x"):
        assert said(client).startswith(b"HTTP/1.1 200 ")


def test_a_slow_body_that_keeps_to_the_least_rate_is_taken(running, monkeypatch):
    monkeypatch.setattr(middleware, "_LEAST_BYTES_PER_S", 10)
    _, body = multipart(("files", "patient.md", b"# Patient\n\nIt takes a while.\n"))
    client = connect(
        running, upload_head(running.key, len(body)).replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    )
    with client:
        for at in range(0, len(body), 16):
            client.sendall(body[at : at + 16])
            time.sleep(0.4)  # in all longer than the longest silence
        assert b"HTTP/1.1 202 " in said(client)


# Who may send


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/files"])
def test_a_body_is_read_only_from_those_who_may_upload(running, monkeypatch, path):
    """A form is read before anything else unless one sees to it: here it would go on being waited for."""
    monkeypatch.setattr(middleware, "_DRAIN_S", 0.2)
    _, reader = running.services.auth.create_key("reader", [Scope.READ])
    for key, status in (("wrong", b"401"), (reader, b"403")):
        with connect(running, upload_head(key, 900_000_000, path)) as client:
            assert said(client).startswith(b"HTTP/1.1 %s " % status)


def test_an_upload_that_breaks_off_leaves_nothing(running, host):
    kept, opened = uploaded(host), psutil.Process().num_fds()
    for _ in range(20):
        connect(running, half_an_upload(running) + b"x" * 200_000).close()
    others_are_served(running)
    assert len(uploaded(host) - kept) == 1  # that of the others
    assert psutil.Process().num_fds() <= opened + 10
