"""Who did what, when, and from where. Rows are only ever added: the database itself refuses to change or delete one."""

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import Database, insert
from zuinig.core.settings import Settings
from zuinig.core.tables import AuditEvent, now
from zuinig.core.types import Principal

Action = Literal[
    "sign_in",
    "sign_in_failed",  # actor: the name that was tried; none for a key or a link, and for a wrong key of a request
    "sign_out",
    "sign_in_link",  # handed out at the command line
    "ask",
    "search",  # passages were shown without an answer
    "lookup",  # whether memory would answer
    "feedback",
    "read",  # a document was opened: its file, its text or its passages
    "upload",
    "replace",
    "cancel_document",
    "retry_document",
    "delete_document",
    "memory_write",
    "memory_edit",
    "memory_approve",
    "memory_reject",
    "memory_merge",
    "memory_retire",
    "memory_live",
    "memory_schedule",
    "memory_delete",
    "memory_import",
    "wording_add",
    "wording_remove",
    "suggestion_approve",
    "suggestion_reject",
    "export",  # target: memories, audit, or the person whose data it was
    "user_create",
    "user_change",
    "user_close",
    "password_change",
    "group_create",
    "group_delete",
    "key_create",
    "key_revoke",
    "grant",
    "budget_set",
    "budget_remove",
    "forget",
    "retention",
]

COMMAND_LINE = "command line"
THE_SERVICE = "service"

# Of the client that is connected, while its request is worked on.
address: ContextVar[str | None] = ContextVar("address", default=None)

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows; what is None does not matter. actor: its id, or what it was called. until: the moment after."""

    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def select(self) -> sa.Select[AuditEvent]:
        """In no order yet."""
        wanted = sa.select(AuditEvent)
        if self.actor is not None:
            wanted = wanted.where(sa.or_(AuditEvent.actor_id == self.actor, AuditEvent.actor == self.actor))
        if self.action is not None:
            wanted = wanted.where(AuditEvent.action == self.action)
        if self.since is not None:
            wanted = wanted.where(AuditEvent.at >= self.since)
        if self.until is not None:
            wanted = wanted.where(AuditEvent.at < self.until)
        return wanted


class Audit:
    def __init__(self, db: Database, settings: Settings) -> None:
        self._db, self._questions = db, settings.audit_questions

    def record(
        self, who: Principal | str, action: Action, target: str | None = None, detail: str | None = None
    ) -> None:
        """In a transaction of its own, after what it tells of. who: a principal, or what is called so and has no id."""
        with self._db.write() as session:
            self.add(session, who, action, target, detail)

    def add(
        self,
        session: Session,
        who: Principal | str,
        action: Action,
        target: str | None = None,
        detail: str | None = None,
    ) -> None:
        """In the caller's transaction: it stands there if, and only if, what it tells of was done."""
        identity, name = (who.id, who.name) if isinstance(who, Principal) else (None, plain(who))
        row = {
            "at": now(),
            "actor_id": identity,
            "actor": name[:_LONGEST_NAME],
            "action": action,
            "target": target,
            "detail": detail,
            "address": address.get(),
        }
        insert(session, AuditEvent, row)

    def question(self, text: str) -> str | None:
        """What may be told of a question: nothing, unless ZUINIG_AUDIT_QUESTIONS says so."""
        return text if self._questions else None

    def page(self, wanted: Wanted, *, limit: int, after: int | None = None) -> tuple[list[AuditEvent], bool]:
        """Newest first, those before the number `after`; and whether there are more."""
        query = wanted.select().order_by(AuditEvent.id.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(AuditEvent.id < after)
        with self._db.read() as session:
            rows = session.scalars(query).all()
        return list(rows[:limit]), len(rows) > limit

    def all(self, wanted: Wanted) -> Iterator[AuditEvent]:
        """Oldest first, as they come, on one snapshot."""
        with self._db.read() as session:
            yield from session.scalars(wanted.select().order_by(AuditEvent.id).execution_options(yield_per=1000))


def plain(name: str) -> str:
    """What somebody typed, on one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())
