"""The audit log: what is in a row, that rows stay as they are, and how they are read."""

import csv
import io
import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from zuinig.app.api.audit import exported
from zuinig.app.asked import Ask
from zuinig.app.audit import Audit, Wanted, address
from zuinig.core.settings import Settings
from zuinig.core.tables import Answer, AuditEvent, now
from zuinig.core.types import Principal, Scope

ANNA = Principal("usr_1", "usr_1", "anna", frozenset({Scope.ASK}))
BOB = Principal("key_1", "key_1", "bob", frozenset({Scope.ASK}))


def rows(audit, **wanted):
    return list(audit.all(Wanted(**wanted)))


def test_a_row_says_who_did_what_to_what_and_from_where(audit):
    token = address.set("192.0.2.7")
    audit.record(ANNA, "read", "doc_1", "text")
    address.reset(token)
    audit.record("command line", "key_create", "key_9")
    first, second = rows(audit)
    assert (first.actor_id, first.actor, first.action, first.target, first.detail, first.address) == (
        *("usr_1", "anna", "read", "doc_1", "text", "192.0.2.7"),
    )
    assert (second.actor_id, second.actor, second.address) == (None, "command line", None)
    assert now() - first.at < timedelta(minutes=5)


def test_what_somebody_typed_as_a_name_stays_one_short_line(audit):
    audit.record("ann\r\nroot\u202e" + "x" * 500, "sign_in_failed")
    [row] = rows(audit)
    assert row.actor.startswith("ann root x")
    assert len(row.actor) == 200


CHANGES = [
    sa.update(AuditEvent).values(actor="nobody"),
    sa.delete(AuditEvent),
    sa.text("UPDATE audit SET detail = 'other' WHERE id = 1"),
    sa.text("DELETE FROM audit WHERE id = 1"),
    sa.text("INSERT OR REPLACE INTO audit (id, at, actor, action) VALUES (1, '2026-01-01', 'eve', 'read')"),
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_row_is_never_changed_or_deleted(db, audit, change):
    audit.record(ANNA, "read", "doc_1")
    with pytest.raises(sa.exc.DatabaseError, match="only ever added"), db.write() as session:
        session.execute(change)
    [row] = rows(audit)
    assert (row.actor, row.target) == ("anna", "doc_1")


def test_a_row_is_never_changed_as_an_object_either(db, audit):
    audit.record(ANNA, "read", "doc_1")
    with pytest.raises(sa.exc.DatabaseError, match="only ever added"), db.write() as session:
        session.get(AuditEvent, 1).actor = "nobody"
    with pytest.raises(sa.exc.DatabaseError, match="only ever added"), db.write() as session:
        session.delete(session.get(AuditEvent, 1))


def test_a_question_is_told_of_in_the_transaction_of_its_answer(quick, monkeypatch):
    key = quick.auth.of_key(quick.auth.create_key("bob", [Scope.ASK])[1])
    answered = quick.answers.ask(Ask("Who owns the boat?"), key)
    [row] = rows(quick.audit)
    assert (row.action, row.target, row.actor_id, row.detail) == ("ask", answered.answer_id, key.id, None)

    def fails(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(quick.audit.__class__, "add", fails)
    with pytest.raises(OSError, match="disk full"):
        quick.answers.ask(Ask("Who owns the boat?"), key)
    # No answer without its row.
    with quick.db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Answer)) == 1


def test_the_words_of_a_question_stand_there_only_by_setting(db, audit):
    assert audit.question("Who owns the boat?") is None
    telling = Audit(db, Settings(audit_questions=True))
    assert telling.question("Who owns the boat?") == "Who owns the boat?"


def test_pages_are_newest_first_and_hold_what_was_asked_for(audit):
    for n in range(5):
        audit.record(ANNA if n % 2 else BOB, "read" if n < 3 else "upload", f"doc_{n}")
    first, more = audit.page(Wanted(), limit=3)
    assert ([r.target for r in first], more) == (["doc_4", "doc_3", "doc_2"], True)
    rest, more = audit.page(Wanted(), limit=3, after=first[-1].id)
    assert ([r.target for r in rest], more) == (["doc_1", "doc_0"], False)
    assert [r.target for r in rows(audit, actor="anna")] == [r.target for r in rows(audit, actor="usr_1")]
    assert [r.target for r in rows(audit, actor="bob", action="read")] == ["doc_0", "doc_2"]
    moment = rows(audit)[2].at
    assert len(rows(audit, until=moment)) + len(rows(audit, since=moment)) == 5
    assert rows(audit, since=moment)[0].target == "doc_2"


@pytest.mark.parametrize("start", [*"=+-@", "\t", "\r"])
def test_a_cell_is_no_formula_to_a_spreadsheet(audit, start):
    audit.record(ANNA, "upload", "doc_1", f"{start}HYPERLINK(1)")
    text = "".join(exported(audit, "csv", Wanted()))
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert row["detail"] == f"'{start}HYPERLINK(1)"
    assert json.loads("".join(exported(audit, "jsonl", Wanted())))["detail"] == f"{start}HYPERLINK(1)"


def test_an_export_holds_every_row_oldest_first(db, audit):
    with db.write() as session:
        for n in range(2500):
            audit.add(session, ANNA, "read", f"doc_{n}")
    lines = [json.loads(line) for line in exported(audit, "jsonl", Wanted())]
    assert [line["target"] for line in lines] == [f"doc_{n}" for n in range(2500)]
