"""What expires by setting, what stays of it, and that nothing goes before its time."""

import io
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic import command

from zuinig.app import retention as module
from zuinig.app.audit import Wanted
from zuinig.app.ledger import Ledger
from zuinig.app.removal import Removed
from zuinig.app.retention import Expired, Retention
from zuinig.app.summary import Span, total
from zuinig.core.db import _config, migrate, schema_differences
from zuinig.core.settings import Settings
from zuinig.core.tables import Answer, Conversation, Document, Feedback, LedgerEntry, Suggestion, first_id, now
from zuinig.core.types import Source, SuggestionKind, SuggestionStatus, Usage, Verdict
from zuinig.ingestion.files import Files
from zuinig.ingestion.upload import Uploads

NOTHING = Expired(Removed(), 0)


@pytest.fixture
def uploads(db, tmp_path):
    return Uploads(db, Files(tmp_path / "files"), max_bytes=1000, on_delete=lambda *_: None, on_move=lambda *_: None)


@pytest.fixture
def keeping(db, uploads, audit):
    return lambda **days: Retention(db, uploads, audit, Settings(**days))


@pytest.fixture
def asked(db):
    """asked(days) is a question of so many days ago, in a conversation of its own or in one that is named."""
    made = iter(range(10_000))

    def asked(days: float, conversation: str | None = None, correction: str | None = None) -> str:
        at, n = now() - timedelta(days=days), next(made)
        answer = f"{first_id('ans', at)}{n:012x}"
        with db.write() as session:
            if conversation is None:
                conversation = f"{first_id('conv', at)}{n:012x}"
                session.add(Conversation(id=conversation, owner_id="usr_1", created_at=at))
                session.flush()
            words = {"question": f"Why {n}?", "standalone_question": f"Why {n}?", "answer": "Because."}
            rest = {"source": Source.LLM, "confidence": 0.9, "citations": [], "created_at": at}
            session.add(Answer(id=answer, conversation_id=conversation, owner_id="usr_1", **words, **rest))
            session.flush()
            usage = Usage(100, 20, 900, 0.5, 1.5, "large")
            Ledger(Settings()).write(
                session, answer_id=answer, key_id="usr_1", source=Source.LLM, scope="", usage=usage, timing_ms={}
            )
            if correction is not None:
                said = {"verdict": Verdict.DOWN, "correction": correction}
                session.add(Feedback(answer_id=answer, owner_id="usr_1", **said))
                session.add(_suggestion(SuggestionKind.CORRECTION, at, answer=correction, answer_id=answer))
        return answer

    return asked


def _suggestion(kind, at, **more):
    return Suggestion(kind=kind, question="Why?", question_key="k", last_asked_at=at, **more)


def conversation_of(db, answer):
    with db.read() as session:
        return session.scalar(sa.select(Answer.conversation_id).where(Answer.id == answer))


def left(db, table=Answer):
    with db.read() as session:
        return set(session.scalars(sa.select(table.id)))


def test_the_ledger_tells_the_same_when_the_texts_are_gone(db, keeping, asked):
    asked(10, correction="No.")
    asked(9)
    new = asked(1)
    with db.read() as session:
        before = total(session, Span())
    assert (before.questions, before.reviewed, before.wrong, before.prompt_tokens) == (3, 1, 1, 300)
    done = keeping(keep_ledger_text_days=5).run()
    assert done == Expired(Removed(conversations=2, questions=2, feedback=1, suggestions=1), 0)
    assert left(db) == {new}
    with db.read() as session:
        assert total(session, Span()) == before
        assert session.scalar(sa.select(sa.func.count()).select_from(LedgerEntry)) == 3


def test_a_conversation_that_goes_on_is_kept_whole(db, keeping, asked):
    old = asked(10)
    recent = asked(1, conversation_of(db, old))
    ended = asked(8)
    keeping(keep_conversations_days=5).run()
    assert left(db) == {old, recent}
    assert ended not in left(db)
    # The texts have an age of their own.
    keeping(keep_ledger_text_days=5).run()
    assert left(db) == {recent}
    assert left(db, Conversation) == {conversation_of(db, recent)}


def test_a_dry_run_says_what_goes_and_removes_nothing(db, uploads, keeping, asked):
    first = asked(10, correction="No.")
    asked(9, conversation_of(db, first))
    asked(1)
    uploads.accept("a.txt", io.BytesIO(b"a"), "default")
    _sent(db, days=9)
    chosen = keeping(keep_conversations_days=5, keep_ledger_text_days=7, keep_uploads_days=5)
    would = chosen.dry_run()
    assert (len(left(db)), len(left(db, Document))) == (3, 1)
    assert would == Expired(Removed(conversations=1, questions=2, feedback=1, suggestions=1), 1)
    assert chosen.run() == would
    assert chosen.run() == NOTHING


def test_by_default_everything_is_kept_for_ever(db, uploads, audit, keeping, asked):
    asked(10_000, correction="No.")
    uploads.accept("a.txt", io.BytesIO(b"a"), "default")
    _sent(db, days=10_000)
    kept = keeping()
    assert not kept.wanted
    assert kept.dry_run() == kept.run() == NOTHING
    assert (len(left(db)), len(left(db, Document)), len(left(db, Suggestion))) == (1, 1, 1)
    assert list(audit.all(Wanted(action="retention"))) == []


def test_many_go_in_batches_and_a_run_is_bounded(audit, keeping, asked, monkeypatch):
    for _ in range(7):
        asked(10)
    monkeypatch.setattr(module, "_ANSWERS", 2)
    monkeypatch.setattr(module, "_MOST_BATCHES", 2)
    chosen = keeping(keep_ledger_text_days=5)
    assert [chosen.run().removed.questions for _ in range(3)] == [4, 3, 0]
    assert [row.detail for row in audit.all(Wanted(action="retention"))] == [
        "conversations 4, questions 4",
        "conversations 3, questions 3",
    ]


def test_a_decided_suggestion_loses_its_words_and_still_does_not_come_back(db, keeping):
    old, new = now() - timedelta(days=10), now()
    with db.write() as session:
        session.add(_suggestion(SuggestionKind.GAP, old, status=SuggestionStatus.REJECTED, wordings=["Why so?"]))
        session.add(_suggestion(SuggestionKind.GAP, old))
        session.add(_suggestion(SuggestionKind.GAP, new))
    assert keeping(keep_conversations_days=5).run().removed.suggestions == 2
    with db.read() as session:
        decided, still_open = session.scalars(sa.select(Suggestion).order_by(Suggestion.status.desc())).all()
    assert (decided.question, decided.wordings, decided.question_key) == ("", [], "k")
    assert still_open.question == "Why?"


def test_a_document_that_is_sent_again_is_not_old(db, uploads, audit, keeping):
    for name in ("a.txt", "b.txt"):
        uploads.accept(name, io.BytesIO(name.encode()), "default")
    _sent(db, days=9)
    assert uploads.accept("b.txt", io.BytesIO(b"b.txt"), "default").outcome == "unchanged"
    assert keeping(keep_uploads_days=5).run() == Expired(Removed(), 1)
    with db.read() as session:
        assert session.scalars(sa.select(Document.filename)).all() == ["b.txt"]
    [gone] = audit.all(Wanted(action="delete_document"))
    assert (gone.actor, gone.detail) == ("service", "retention")


def _sent(db, *, days: int) -> None:
    """All documents, so long ago."""
    at = now() - timedelta(days=days)
    with db.write() as session:
        session.execute(sa.update(Document).values(sent_at=at, created_at=at, updated_at=at))


def test_the_rows_of_the_ledger_outlive_the_migration_that_frees_them(tmp_path):
    url = f"sqlite:///{tmp_path / 'old.db'}"
    command.upgrade(_config(url), "0005")
    with closing(sqlite3.connect(tmp_path / "old.db")) as db:
        db.execute("INSERT INTO conversations (id, owner_id, created_at) VALUES ('c', 'o', '2026-01-01')")
        db.execute(
            "INSERT INTO answers (id, conversation_id, owner_id, question, standalone_question, answer, source, "
            "confidence, citations, created_at) VALUES ('a', 'c', 'o', 'q', 'q', 'x', 'llm', 1, '[]', '2026-01-01')"
        )
        db.execute(
            "INSERT INTO ledger (id, answer_id, key_id, source, scope, prompt_tokens, completion_tokens, "
            "baseline_tokens, cost_micros, saved_cost_micros, timing_ms, created_at) "
            "VALUES ('l', 'a', 'o', 'llm', '', 1, 2, 3, 4, 5, '{}', '2026-01-01')"
        )
        db.execute("INSERT INTO ledger_documents VALUES ('l', 'd')")
        db.commit()
        migrate(url)
        assert schema_differences(url) == []
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM conversations")
        assert db.execute("SELECT count(*) FROM answers").fetchone() == (0,)
        assert db.execute("SELECT answer_id, baseline_tokens FROM ledger").fetchall() == [("a", 3)]
        assert db.execute("SELECT * FROM ledger_documents").fetchall() == [("l", "d")]
