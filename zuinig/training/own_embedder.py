"""An embedder fine-tuned on a service's own questions and their evidence, compared by searching with it.

Vectors of two embedders do not compare, so that the new one embeds a copy of the database; when it is better, all its
vectors are taken over at once.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.app.services import Services, build
from zuinig.core.settings import Settings
from zuinig.core.tables import Passage
from zuinig.retrieval.reindex import adopt, embedded_text, reindex
from zuinig.retrieval.search import Search
from zuinig.training.compare import Budget, Measure
from zuinig.training.dialogs import Dialog, Evident, dialogs

_DEEPEST = 50
_NEAR = 5


@dataclass(frozen=True, slots=True)
class Sought:
    """A dialog whose answer stands somewhere, and the passages around it as they are embedded."""

    dialog: Dialog
    passages: tuple[str, ...]


class EmbedderCourse:
    noun = "questions of which memory knows where the documents answer them"

    def __init__(self, services: Services) -> None:
        self._services = services
        with services.db.read() as session:
            self._sought = [s for d in dialogs(session) if (s := _sought(session, d)).passages]
        self._held = [s for s in self._sought if s.dialog.part == "held out"]
        self.known, self.held = len(self._sought), len(self._held)
        self._copy: Services | None = None

    def taught(self, part: str) -> list[Evident]:
        chosen = [s for s in self._sought if s.dialog.part == part]
        return [Evident(s.dialog.question, text) for s in chosen for text in s.passages]

    def calibrate(self, base: Path, made: Path) -> str:
        """Embed a copy of the documents and the memory, which takes long; another run takes it up again."""
        self._copy = _embedded_copy(self._services, made)
        return "the documents and the memory are embedded anew, beside the vectors in use"

    def compare(self, base: Path, made: Path) -> tuple[list[Measure], Budget | None]:
        """By the same search over the same documents."""
        if self._copy is None:
            raise AssertionError("calibrate comes first")
        old, new = ([_rank(x.search, s.dialog) for s in self._held] for x in (self._services, self._copy))
        return [
            Measure(
                f"found among the first {_NEAR}", [float(r <= _NEAR) for r in old], [float(r <= _NEAR) for r in new]
            ),
            Measure("one over the rank", [1 / r for r in old], [1 / r for r in new]),
        ], None

    def take_over(self, made: Path) -> str:
        """All vectors in one transaction; then what came or changed while they were made."""
        if self._copy is None:
            raise AssertionError("calibrate comes first")
        taken = adopt(self._services.db, self._copy.db, self._copy.embedder.id)
        late = reindex(self._services.db, self._copy.embedder, ())
        return (
            f"{taken} vectors were taken over, {late.embedded} made since. Restart the service now: until then it "
            "searches by the vectors that it has in memory, and what is added meanwhile waits for `zuinig reindex`."
        )

    def close(self) -> None:
        if self._copy is not None:
            self._copy.close()


def _sought(session: Session, dialog: Dialog) -> Sought:
    around = [
        session.execute(
            sa.select(Passage.context, Passage.text)
            .where(Passage.version_id == p.version_id, Passage.start <= p.start, Passage.end >= p.end)
            .order_by(Passage.id)
            .limit(1)
        ).first()
        for p in dialog.answered_at
    ]
    return Sought(dialog, tuple(dict.fromkeys(embedded_text(r.context, r.text) for r in around if r is not None)))


def _embedded_copy(services: Services, made: Path) -> Services:
    """The same service on a copy of its database, in a folder beside made, which the new embedder has embedded."""
    folder = made.with_name("copy")
    folder.mkdir(exist_ok=True, mode=0o700)
    copy = folder / "zuinig.db"
    if not copy.exists():
        part = copy.with_suffix(".part")
        with (
            closing(sqlite3.connect(services.settings.url.removeprefix("sqlite:///"))) as source,
            closing(sqlite3.connect(part)) as target,
        ):
            source.backup(target)
        part.rename(copy)
    shadow = build(
        Settings(
            **{
                **services.settings.model_dump(),
                "data_dir": folder,
                "database_url": None,
                "embedder": str(made.absolute()),
                "reader": str(services.specialist.reader.folder),
                "verifier": str(services.verifier.folder),
            }
        )
    )

    def told(done: int, total: int) -> None:
        print(f"embedded {done} of {total}", flush=True)

    reindex(shadow.db, shadow.embedder, shadow.indexes, progress=told)
    return shadow


def _rank(search: Search, dialog: Dialog) -> int:
    """Of the first passage that holds a place that answers, from 1; one more than was looked at where none does."""
    for rank, hit in enumerate(search.search(dialog.question, _DEEPEST), 1):
        if any(
            p.version_id == hit.version_id and hit.start <= p.start and p.end <= hit.end for p in dialog.answered_at
        ):
            return rank
    return _DEEPEST + 1
