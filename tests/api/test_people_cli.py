"""Users, groups, keys and access at the command line, and who reads what `ingest` brings."""

import io
import sys
from datetime import timedelta

import pytest
from test_cli import HOTEL, data, folder, zuinig  # noqa: F401  # fixtures

from zuinig.app.auth import Auth
from zuinig.app.grants import Grants, Readers
from zuinig.app.people import People
from zuinig.app.rights import of_user
from zuinig.core.db import Database
from zuinig.core.errors import Unauthenticated
from zuinig.core.settings import Settings
from zuinig.core.tables import Document, User, now
from zuinig.core.types import Role, Scope

SECRET = "a long enough secret"


@pytest.fixture
def db(zuinig, data):  # noqa: F811
    """The database of the commands, once there is one."""
    zuinig("users", "list")
    found = Database(f"sqlite:///{data / 'zuinig.db'}")
    yield found
    found.close()


@pytest.fixture
def auth(db, data):  # noqa: F811
    return Auth(db, Settings(data_dir=data))


@pytest.fixture
def typed(monkeypatch):
    """typed(text) is what the next command reads from standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def ids(db) -> dict[str, str]:
    """Of documents, by path."""
    with db.read() as session:
        return {d.path: d.id for d in session.query(Document)}


def readers(db, path: str) -> Readers:
    return Grants(db, None).readers(ids(db)[path])


def sees(db, user: str) -> set[str]:
    """The paths of the documents that a person may read."""
    with db.read() as session:
        readable = of_user(session, session.query(User).filter_by(name=user).one()).readable
        return {d.path for d in session.query(Document) if readable is None or d.shelf_id in readable}


def test_a_user_is_made_shown_changed_closed_and_reopened(zuinig, db, auth, typed):  # noqa: F811
    zuinig("groups", "create", "sales")
    typed(f"{SECRET}\n")
    made = zuinig("users", "create", "Anna", "--display-name", "Anna [de] Vries", "--group", "sales")
    assert (made.code, made.out.strip()) == (0, "anna (reader, sales) is added.")
    session = auth.sign_in("anna", SECRET)
    assert "Anna [de] Vries" in zuinig("users", "list").out

    assert zuinig("users", "change", "anna", "--role", "curator").out.strip() == "anna (curator, sales) is changed."
    assert zuinig("users", "change", "anna", "--no-groups").out.strip() == "anna (curator) is changed."
    assert People(db).get("anna").display_name == "Anna [de] Vries"

    assert zuinig("users", "close", "anna").code == 0
    with pytest.raises(Unauthenticated):
        auth.of_session(session)
    with pytest.raises(Unauthenticated):
        auth.sign_in("anna", SECRET)
    assert "closed" in zuinig("users", "show", "anna").out
    assert zuinig("users", "reopen", "anna").code == 0
    assert auth.sign_in("anna", SECRET)

    typed("another long secret\n")
    assert zuinig("users", "password", "anna").code == 0
    assert auth.sign_in("anna", "another long secret")


def test_a_password_is_never_an_argument_nor_left_out_by_accident(zuinig, db, typed):  # noqa: F811
    assert zuinig("users", "create", "anna", "--password", SECRET).code == 2
    typed("")
    assert "No password came in" in zuinig("users", "create", "anna").err
    typed("short\n")
    assert "at least 10 characters" in zuinig("users", "create", "anna").err
    assert People(db).all() == []
    assert zuinig("users", "create", "anna", "--no-password").code == 0
    assert People(db).get("anna").signs_in_by == ()


def test_a_user_or_group_that_is_not_there_is_said_to_be_so(zuinig, data):  # noqa: F811
    for command in (("users", "show", "x"), ("users", "close", "x"), ("groups", "delete", "x")):
        done = zuinig(*command)
        assert done.code == 2
        assert "There is no" in done.err
    assert "There is no group" in zuinig("users", "create", "x", "--no-password", "--group", "none").err


def test_access_to_a_collection_is_said_and_what_is_left_out_stays(zuinig, db, folder):  # noqa: F811
    zuinig("ingest", folder, "--collection", "handbook")
    for group in ("sales", "legal"):
        zuinig("groups", "create", group)
    zuinig("users", "create", "anna", "--no-password", "--group", "sales")
    zuinig("users", "create", "bram", "--no-password", "--group", "legal")
    zuinig("access", "set", "handbook", "--reader", "sales")
    assert len(sees(db, "anna")) == 2
    assert sees(db, "bram") == set()
    zuinig("access", "set", "handbook", "--editor", "legal")  # the readers stay
    assert len(sees(db, "anna")) == len(sees(db, "bram")) == 2
    shown = zuinig("access", "show", "handbook").out.splitlines()[-1].split()
    assert shown == ["handbook", "sales", "legal", "2"]
    zuinig("access", "set", "handbook", "--nobody", "--no-editors")
    assert sees(db, "anna") == sees(db, "bram") == set()
    zuinig("access", "set", "handbook", "--everyone")
    assert len(sees(db, "anna")) == 2

    badge = ids(db)["docs/sub/badge.md"]
    assert zuinig("access", "set", "--document", badge, "--reader", "legal").out.strip() == f"{badge}: legal (its own)"
    assert sees(db, "anna") == {"docs/travel.md"}
    zuinig("access", "set", "--document", badge, "--inherit")
    assert zuinig("access", "show", "--document", badge).out.strip() == f"{badge}: everyone (of its collection)"
    assert len(sees(db, "anna")) == 2

    zuinig("access", "set", "handbook", "--reader", "sales")
    assert "1 members" in zuinig("groups", "delete", "sales", "--yes").out
    assert sees(db, "anna") == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("handbook",),
        ("--everyone",),
        ("handbook", "--everyone", "--nobody"),
        ("handbook", "--inherit"),
        ("handbook", "--document", "doc_1", "--everyone"),
        ("--document", "doc_1", "--editor", "sales"),
        ("handbook", "--reader", "not-there"),
    ],
)
def test_access_that_says_nothing_or_two_things_is_refused(zuinig, db, arguments):  # noqa: F811
    zuinig("groups", "create", "sales")
    assert zuinig("access", "set", *arguments).code == 2
    assert Grants(db, None).collections() == []


def test_a_key_is_made_for_a_user_and_ends(zuinig, db, auth):  # noqa: F811
    zuinig("users", "create", "anna", "--no-password")
    key = zuinig("keys", "create", "script", "--for", "anna", "--scope", "admin", "--expires", "30").out.split()[-1]
    who = auth.of_key(key)
    assert who.name == "anna"
    assert not who.may(Scope.ADMIN)  # no more than she may
    (info,) = auth.all_keys(who.id)
    assert timedelta(days=29) < info.expires_at - now() <= timedelta(days=30)
    row = next(line for line in zuinig("keys", "list").out.splitlines() if "script" in line)
    assert "anna" in row
    assert f"{info.expires_at:%Y-%m-%d}" in row
    assert zuinig("keys", "create", "x", "--for", "nobody").code == 2


def test_what_a_run_brings_is_read_by_its_readers_alone(zuinig, db, folder):  # noqa: F811
    for name in ("sales", "legal"):
        zuinig("groups", "create", name)
        zuinig("users", "create", f"of-{name}", "--no-password", "--group", name)
    zuinig("users", "create", "curator", "--no-password", "--role", Role.CURATOR)
    zuinig("ingest", folder / "sub")
    (folder / "sub" / "fine.md").write_text("# Fine\n\nThe fine is 10 euros.\n")
    zuinig("ingest", folder / "sub", "--reader", "sales", "--reader", "legal")
    assert readers(db, "sub/fine.md") == Readers(("legal", "sales"), own=True)
    assert readers(db, "sub/badge.md") == Readers(None, own=False)  # unchanged, so not this run's

    # A replaced one is theirs from the moment it is accepted, and stays so when synced without saying it again.
    (folder / "sub" / "badge.md").write_text("# Badge\n\nA lost badge costs 30 euros.\n")
    zuinig("ingest", folder / "sub", "--reader", "sales")
    assert sees(db, "of-legal") == {"sub/fine.md"}
    (folder / "sub" / "badge.md").write_text("# Badge\n\nA lost badge costs 35 euros.\n")
    assert "1 replaced" in zuinig("ingest", folder / "sub").out
    assert readers(db, "sub/badge.md") == Readers(("sales",), own=True)
    assert sees(db, "of-sales") == sees(db, "curator") == {"sub/badge.md", "sub/fine.md"}
    zuinig("ingest", folder / "travel.md")
    assert "travel.md" in sees(db, "of-legal")


def test_a_reader_that_is_no_group_stops_the_run_before_anything_is_taken_in(zuinig, db, folder):  # noqa: F811
    done = zuinig("ingest", folder, "--reader", "nobody-knows")
    assert done.code == 2
    assert "There is no group" in done.err
    assert ids(db) == {}


def test_others_do_not_read_a_new_document_even_while_it_waits(services):
    """The readers are set in the transaction that accepts the bytes."""
    group = services.people.create_group("sales")
    accepted = services.uploads.accept("travel.md", io.BytesIO(HOTEL.encode()), "default", readers=[group.id])
    assert services.grants.readers(accepted.document_id) == Readers(("sales",), own=True)
    again = services.uploads.accept("travel.md", io.BytesIO(HOTEL.encode()), "default", readers=[])
    assert again.outcome == "unchanged"
    assert services.grants.readers(accepted.document_id) == Readers(("sales",), own=True)


def test_what_others_typed_moves_nothing_in_the_terminal(zuinig, auth):  # noqa: F811
    auth.create_key("\x1b[2J\x1b]0;root\x07phone\u202etxt\x9b31m", [Scope.ASK])
    listed = zuinig("keys", "list").out
    assert "[2J]0;rootphonetxt31m" in listed
    assert not [c for c in listed if not c.isprintable() and c != "\n"]
