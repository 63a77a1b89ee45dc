"""The queue of documents to read: the rows themselves, with a lease.

A worker that dies stops renewing its lease; whoever claims next takes the row over. What a worker reports counts only
while it still holds the lease, so a worker that was merely slow cannot undo what another did.
"""

import os
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

import psutil
import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import Database
from zuinig.core.errors import Conflict, NotFound
from zuinig.core.tables import Document, DocumentVersion, now
from zuinig.core.types import DocumentStatus
from zuinig.retrieval.shelves import Readable, on

_WORKING = (DocumentStatus.PARSING, DocumentStatus.EMBEDDING)

# To see who waits, all that waits is looked through: a few turns of each are planned at once, and not for long, so that
# who comes next is not behind them.
_TURNS_PLANNED = 16
_PLANNED_FOR_S = 2.0


@dataclass(frozen=True, slots=True)
class Claim:
    version_id: int
    document_id: str
    filename: str
    sha256: str
    attempt: int


class LeaseLost(Exception):
    """The row is cancelled, superseded, deleted or another worker's; drop the work."""


class _Turns:
    """Whose document is next: of those who wait, who has waited longest since the last turn. For one thread."""

    def __init__(self) -> None:
        self._next: deque[tuple[int, str | None]] = deque()
        self._old_from = 0.0
        self._served: dict[str | None, int] = {}
        self._number = count(1)

    def planned(self, session: Session) -> bool:
        """Whether anybody waits."""
        if not self._next or time.monotonic() >= self._old_from:
            self._plan(session)
        return bool(self._next)

    def take(self, session: Session) -> DocumentVersion | None:
        for _ in range(2):  # what was planned may have been cancelled since
            while self._next:
                version_id, by = self._next.popleft()
                version = session.get(DocumentVersion, version_id)
                if version is not None and version.status == DocumentStatus.QUEUED:
                    self._served[by] = next(self._number)
                    return version
            self._plan(session)
        return None

    def _plan(self, session: Session) -> None:
        turn = sa.func.row_number().over(partition_by=Document.uploaded_by, order_by=DocumentVersion.id)
        waiting = (
            sa.select(DocumentVersion.id, Document.uploaded_by.label("by"), turn.label("turn"))
            .join(Document, Document.id == DocumentVersion.document_id)
            .where(DocumentVersion.status == DocumentStatus.QUEUED)
            .subquery()
        )
        rows = session.execute(sa.select(waiting).where(waiting.c.turn <= _TURNS_PLANNED)).all()
        in_turn = sorted(rows, key=lambda r: (r.turn, self._served.get(r.by, 0), r.id))
        self._next = deque((r.id, r.by) for r in in_turn)
        self._old_from = time.monotonic() + _PLANNED_FOR_S


class Queue:
    def __init__(self, db: Database, *, lease_s: float, max_attempts: int) -> None:
        self._db, self._lease, self._max_attempts = db, timedelta(seconds=lease_s), max_attempts
        self._turns, self._claiming = _Turns(), threading.Lock()
        process = psutil.Process()
        self._host = socket.gethostname()
        # A process id alone may have been given to another process since.
        self.owner = f"{self._host}:{process.pid}:{process.create_time():.2f}"

    def claim(self) -> Claim | None:
        """A document that waits, or whose worker is gone; None when there is none.

        Those who upload take turns, so that a thousand files of one do not hold up the one file of another; of each the
        oldest comes first.
        """
        with self._claiming:
            with self._db.read() as session:
                if not self._turns.planned(session) and not self._orphans(session):
                    return None
            with self._db.write() as session:
                for orphan in self._orphans(session):
                    self._give_back(orphan)
                session.flush()
                version = self._turns.take(session)
                if version is None:
                    return None
                version.status = DocumentStatus.PARSING
                version.attempts += 1
                version.leased_by = self.owner
                version.lease_until = now() + self._lease
                return Claim(version.id, version.document_id, version.filename, version.sha256, version.attempts)

    def _orphans(self, session: Session) -> list[DocumentVersion]:
        working = session.scalars(sa.select(DocumentVersion).where(DocumentVersion.status.in_(_WORKING))).all()
        return [v for v in working if v.lease_until is None or v.lease_until < now() or self._is_gone(v.leased_by)]

    def _is_gone(self, owner: str | None) -> bool:
        """Whether the worker was a process of this host that ended: its lease need not run out first."""
        host, pid, started = (owner or "::").rsplit(":", 2)
        if host != self._host or not pid.isdigit() or int(pid) == os.getpid():
            return host == self._host and owner != self.owner
        try:
            return f"{psutil.Process(int(pid)).create_time():.2f}" != started
        except psutil.NoSuchProcess:
            return True

    def _give_back(self, version: DocumentVersion) -> None:
        version.leased_by = version.lease_until = None
        version.passages_done = version.passages_total = 0
        version.status = DocumentStatus.QUEUED
        if version.attempts >= self._max_attempts:
            fail(
                version,
                "crashed",
                f"Reading this file ended the worker {version.attempts} times. It may be damaged or too large; "
                "save it anew or in another format, then upload it again.",
            )

    def report(self, claim: Claim, status: DocumentStatus, *, done: int = 0, total: int = 0) -> None:
        """Progress, and a sign of life. Raises LeaseLost."""
        with self._db.write() as session:
            version = self.held(session, claim)
            version.status, version.passages_done, version.passages_total = status, done, total
            version.lease_until = now() + self._lease

    def renew(self, claim: Claim) -> None:
        """A sign of life alone. Raises LeaseLost."""
        with self._db.write() as session:
            self.held(session, claim).lease_until = now() + self._lease

    def failed(self, claim: Claim, code: str, reason: str) -> None:
        with self._db.write() as session:
            fail(self.held(session, claim), code, reason)

    def held(self, session: Session, claim: Claim) -> DocumentVersion:
        """The row, if this worker still holds it. Raises LeaseLost."""
        version = session.get(DocumentVersion, claim.version_id)
        if (
            version is None
            or version.status not in _WORKING
            or version.leased_by != self.owner
            or version.attempts != claim.attempt
        ):
            raise LeaseLost
        return version


def is_busy(session: Session, readable: Readable = None) -> bool:
    """Whether a document is on its way in that somebody may read."""
    on_its_way = DocumentVersion.status.in_((DocumentStatus.QUEUED, *_WORKING))
    found = sa.select(DocumentVersion.id).join(Document, Document.id == DocumentVersion.document_id)
    return session.scalar(found.where(on_its_way, on(readable)).limit(1)) is not None


def fail(version: DocumentVersion, code: str, reason: str) -> None:
    version.status = DocumentStatus.FAILED
    version.error_code, version.error_reason = code, reason
    version.leased_by = version.lease_until = None
    version.ended_at = now()


def cancel(session: Session, document_id: str) -> None:
    """Stop what is on its way; what the document said before goes on answering. Raises NotFound, Conflict."""
    version = _newest(session, document_id)
    if version.status not in (DocumentStatus.QUEUED, *_WORKING):
        raise Conflict("There is nothing to cancel: this document is not being read.", code="not_running")
    version.status = DocumentStatus.CANCELLED
    version.leased_by = version.lease_until = None
    version.ended_at = now()


def retry(session: Session, document_id: str) -> None:
    """Queue a failed or cancelled version again. Raises NotFound, Conflict."""
    version = _newest(session, document_id)
    if version.status not in (DocumentStatus.FAILED, DocumentStatus.CANCELLED):
        raise Conflict("Only a failed or cancelled document can be tried again.", code="not_failed")
    version.status = DocumentStatus.QUEUED
    version.attempts = version.passages_done = version.passages_total = 0
    version.error_code = version.error_reason = version.ended_at = None


def _newest(session: Session, document_id: str) -> DocumentVersion:
    version = session.scalars(
        sa.select(DocumentVersion)
        .where(DocumentVersion.document_id == document_id)
        .order_by(DocumentVersion.number.desc())
        .limit(1)
    ).first()
    if version is None:
        raise NotFound("There is no such document; it may have been deleted.")
    return version
