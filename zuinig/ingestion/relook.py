"""Documents that were read before anything looked for what speaks to a language model in them."""

from collections.abc import Callable
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import Database
from zuinig.core.tables import DocumentVersion, Passage
from zuinig.ingestion.suspicion import Detector, flags

_AT_ONCE = 20


class Relook:
    """Works through them, a few each time it is called. What their files hid is found when they are read again.

    flagged: called with a version in the transaction that flags passages of it.
    """

    def __init__(self, db: Database, flagged: Callable[[Session, int], None]) -> None:
        self._db, self._flagged, self._done = db, flagged, False

    def __call__(self) -> None:
        """Raises ConfigurationError."""
        if self._done:
            return
        versions = self._unseen()
        for version in versions:
            self._look(version)
        self._done = not versions  # what is uploaded from now on is looked at as it comes

    def _unseen(self) -> list[int]:
        wanted = sa.select(DocumentVersion.id).where(DocumentVersion.live, DocumentVersion.flagged.is_(None))
        with self._db.read() as session:
            return list(session.scalars(wanted.limit(_AT_ONCE)))

    def _look(self, version: int) -> None:
        detector = Detector.shipped()
        columns = sa.select(Passage.id, Passage.text, Passage.context, Passage.start)
        with self._db.read() as session:
            rows = session.execute(columns.where(Passage.version_id == version)).all()
        below = {context: bool(detector.spans(context)) for context in {row.context for row in rows}}
        found = {r.id: flags(r.text, r.start, detector, below=below[r.context]) for r in rows}
        with self._db.write() as session:
            for i, flagged in found.items():
                if flagged:
                    values = {"flags": [asdict(f) for f in flagged]}
                    session.execute(sa.update(Passage).where(Passage.id == i).values(values))
            session.execute(
                sa.update(DocumentVersion)
                .where(DocumentVersion.id == version)
                .values(flagged=sum(map(bool, found.values())))
            )
            self._flagged(session, version)
