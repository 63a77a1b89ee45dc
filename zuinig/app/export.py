"""Everything there is of a person, as one JSON document, piece by piece."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.app import personal
from zuinig.app.personal import Owner
from zuinig.core.db import Database, in_parts
from zuinig.core.tables import (
    Answer,
    ApiKey,
    AuditEvent,
    Collection,
    Conversation,
    Document,
    Feedback,
    Group,
    LedgerEntry,
    Membership,
    Memory,
    PortalSession,
    User,
    Wording,
)
from zuinig.core.types import Principal
from zuinig.memory.candidates import visible
from zuinig.retrieval import shelves
from zuinig.retrieval.shelves import Readable

_AT_ONCE = 100
_MICROS = 1_000_000


class Export:
    def __init__(self, db: Database) -> None:
        self._db = db

    def find(self, who: str) -> Owner:
        """See `personal.find`. Raises NotFound."""
        with self._db.read() as session:
            return personal.find(session, who)

    def own(self, principal: Principal) -> Owner:
        with self._db.read() as session:
            return personal.of(session, principal)

    def pieces(self, owner: Owner, readable: Readable = None) -> Iterator[str]:
        """On one snapshot. readable: the shelves that whoever gets it may read: what rests on others is left out."""
        with self._db.read() as session:
            yield '{"format": "zuinig-personal-data-1"'
            yield f',\n"profile": {_json(_profile(session, owner))}'
            for name, items in (
                ("keys", _keys(session, owner)),
                ("sessions", _sessions(session, owner)),
                ("conversations", _conversations(session, owner, readable)),
                ("feedback", _feedback(session, owner)),
                ("documents", _documents(session, owner, readable)),
                ("memories", _memories(session, owner, readable)),
                ("wordings", _wordings(session, owner, readable)),
                ("ledger", _ledger(session, owner)),
                ("audit", _audit(session, owner)),
            ):
                yield f',\n"{name}": '
                yield from _array(items)
            yield "}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_moment)


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value)} has no form in JSON")


def _array(items: Iterable[dict[str, Any]]) -> Iterator[str]:
    before = "["
    for item in items:
        yield f"{before}\n{_json(item)}"
        before = ","
    yield "]" if before == "," else "[]"


def _profile(session: Session, owner: Owner) -> dict[str, Any] | None:
    """None for who is known only as the name of an account."""
    user = session.get(User, owner.user_id) if owner.user_id is not None else None
    if user is None:
        return None
    groups = sa.select(Group.name).join(Membership).where(Membership.user_id == user.id).order_by(Group.name)
    shown = ("id", "name", "display_name", "role", "subject", "last_sign_in_at", "created_at", "disabled_at")
    return {
        **{name: getattr(user, name) for name in shown},
        "has_password": user.password_hash is not None,
        "groups": list(session.scalars(groups)),
    }


def _keys(session: Session, owner: Owner) -> Iterator[dict[str, Any]]:
    """Never the key, nor what it is recognised by."""
    shown = ("id", "name", "scopes", "user", "group", "created_at", "expires_at", "revoked_at")
    for key in session.scalars(sa.select(ApiKey).where(ApiKey.id.in_(owner.key_ids)).order_by(ApiKey.id)):
        yield {name: getattr(key, name) for name in shown}


def _sessions(session: Session, owner: Owner) -> Iterator[dict[str, Any]]:
    opened = sa.or_(PortalSession.user_id.in_(owner.ids), PortalSession.key_id.in_(owner.ids))
    for row in session.scalars(sa.select(PortalSession).where(opened).order_by(PortalSession.created_at)):
        yield {"created_at": row.created_at, "expires_at": row.expires_at}


def _conversations(session: Session, owner: Owner, readable: Readable) -> Iterator[dict[str, Any]]:
    wanted = sa.select(Conversation).where(Conversation.owner_id.in_(owner.ids)).order_by(Conversation.id)
    for part in in_parts(session.scalars(wanted).all(), _AT_ONCE):
        turns: dict[str, list[dict[str, Any]]] = {}
        rows = session.scalars(
            sa.select(Answer).where(Answer.conversation_id.in_([c.id for c in part])).order_by(Answer.id)
        ).all()
        hidden = shelves.hidden(session, {c["document_id"] for a in rows for c in a.citations}, readable)
        for a in rows:
            withheld = not hidden.isdisjoint(c["document_id"] for c in a.citations)
            turns.setdefault(a.conversation_id, []).append(_turn(a, withheld=withheld))
        for c in part:
            yield {"id": c.id, "created_at": c.created_at, "turns": turns.get(c.id, [])}


def _turn(a: Answer, *, withheld: bool) -> dict[str, Any]:
    """withheld: it rests on what its asker may no longer read."""
    return {
        "answer_id": a.id,
        "created_at": a.created_at,
        "question": a.question,
        "standalone_question": a.standalone_question,
        "answer": None if withheld else a.answer,
        "citations": None if withheld else a.citations,
        "withheld": withheld,
        "source": a.source,
        "confidence": a.confidence,
        "memory_id": f"mem_{a.memory_id}" if a.memory_id is not None else None,
    }


def _feedback(session: Session, owner: Owner) -> Iterator[dict[str, Any]]:
    asked = sa.select(Answer.id).join(Conversation).where(Conversation.owner_id.in_(owner.ids))
    for f in session.scalars(sa.select(Feedback).where(Feedback.answer_id.in_(asked)).order_by(Feedback.id)):
        yield {name: getattr(f, name) for name in ("id", "answer_id", "verdict", "correction", "created_at")}


def _documents(session: Session, owner: Owner, readable: Readable) -> Iterator[dict[str, Any]]:
    rows = session.execute(
        sa.select(Document, Collection.name)
        .join(Collection, Collection.id == Document.collection_id)
        .where(Document.uploaded_by.in_(owner.ids), shelves.on(readable))
        .order_by(Document.id)
    )
    for d, collection in rows:
        shown = ("id", "filename", "path", "title", "created_at", "updated_at")
        yield {**{name: getattr(d, name) for name in shown}, "collection": collection}


def _memories(session: Session, owner: Owner, readable: Readable) -> Iterator[dict[str, Any]]:
    """Those learnt from this person's questions, and those that it wrote or verified as a curator."""
    made, verified = Memory.created_by.in_((*owner.ids, *owner.names)), Memory.verified_by.in_(owner.names)
    wanted = sa.select(Memory).where(made | verified, visible(readable)).order_by(Memory.id)
    shown = ("question", "answer", "status", "origin", "created_at", "updated_at")
    for m in session.scalars(wanted):
        yield {
            "id": f"mem_{m.id}",
            **{name: getattr(m, name) for name in shown},
            "made": m.created_by in (*owner.ids, *owner.names),
            "verified": m.verified_by in owner.names,
        }


def _wordings(session: Session, owner: Owner, readable: Readable) -> Iterator[dict[str, Any]]:
    wanted = sa.select(Wording).join(Memory, Memory.id == Wording.memory_id)
    wanted = wanted.where(Wording.created_by.in_(owner.names), visible(readable)).order_by(Wording.id)
    for w in session.scalars(wanted):
        yield {"memory_id": f"mem_{w.memory_id}", "question": w.question, "differs": w.differs}


def _ledger(session: Session, owner: Owner) -> Iterator[dict[str, Any]]:
    """Sums by rung; costs in the currency of the settings."""
    e = LedgerEntry
    mine = sa.or_(e.key_id.in_(owner.ids), e.user.in_(owner.accounts))
    sums = [e.prompt_tokens, e.completion_tokens, e.baseline_tokens, e.cost_micros, e.saved_cost_micros]
    wanted = sa.select(e.source, sa.func.count(), *(sa.func.sum(column).label(column.key) for column in sums))
    for row in session.execute(wanted.where(mine).group_by(e.source).order_by(e.source)):
        values = dict(zip(("source", "questions", *(column.key for column in sums)), row, strict=True))
        cost, saved = values.pop("cost_micros"), values.pop("saved_cost_micros")
        yield {**values, "cost": cost / _MICROS, "saved_cost": saved / _MICROS}


def _audit(session: Session, owner: Owner) -> Iterator[dict[str, Any]]:
    wanted = sa.select(AuditEvent).where(AuditEvent.actor_id.in_(owner.ids)).order_by(AuditEvent.id)
    shown = ("at", "actor", "action", "target", "detail", "address")
    for row in session.scalars(wanted.execution_options(yield_per=1000)):
        yield {name: getattr(row, name) for name in shown}
