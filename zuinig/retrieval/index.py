"""A vector index that follows SQL.

Whoever changes rows writes to `index_changes` in the same transaction; before each search the index reads the log up
to the searcher's own snapshot. So several processes can write, a crash loses nothing, and a snapshot on disk only
saves time at the start. Each snapshot is stamped; one that does not fit is set aside and made anew from the rows.
An index that keeps less than the vectors is asked for more than is wanted, and the rows say which of it is nearest.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from zuinig.core.db import Database
from zuinig.core.errors import IndexDamaged
from zuinig.core.files import flush
from zuinig.core.tables import DocumentVersion, IndexChange, Memory, Passage, Wording
from zuinig.core.types import Codec, MemoryStatus
from zuinig.retrieval.stores import Ids, Vectors, VectorStore

Name = Literal["passages", "memories", "wordings"]
log = structlog.get_logger()

_LAST = sa.select(sa.func.max(IndexChange.seq)).where(IndexChange.index == sa.bindparam("index"))
_READ_AT_ONCE = 5_000
# How many times what is wanted a codec is asked for, so that what is wanted is among it (docs/benchmarks.md).
_WIDER = {Codec.FLOAT32: 1, Codec.SQ8: 2, Codec.RABITQ: 10}
# Where thousands are wanted, only the last of them could be missed.
_MOST_MORE = 1_000
# Of how many times what is wanted some may be to be found, and how much further to look where too few are.
_AMONG, _WIDENS = 6, 8


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a snapshot says of itself. generation: the last change of the log that it holds."""

    file: str
    sha256: str
    store: str
    embedder: str
    dimension: int
    generation: int
    count: int
    codec: str = Codec.FLOAT32  # of stamps from before there were others


class _Outdated(Exception):
    """A sound snapshot of other settings."""


def changed(session: Session, index: Name, ids: Sequence[int], *, added: bool) -> None:
    """Tell the followers of the index; call it in the transaction that changes the rows."""
    if ids:
        session.execute(sa.insert(IndexChange), [{"index": index, "item_id": i, "added": added} for i in ids])


class VectorIndex:
    def __init__(
        self,
        db: Database,
        name: Name,
        store: ModuleType,
        folder: Path,
        *,
        codec: Codec,
        embedder: str,
        dimension: int,
    ) -> None:
        """codec: one of the store's `CODECS`."""
        self.name = name
        self._db, self._module, self._folder = db, store, folder
        self._codec, self._embedder, self._dimension = codec, embedder, dimension
        self._lock = threading.Lock()
        self._store: VectorStore = store.create(dimension, codec)
        self._these = self._of_ids()
        self._generation = 0
        self._saved = 0
        self._load()

    def search(self, session: Session, queries: Vectors, limit: int) -> tuple[Ids, Vectors, bool]:
        """(m, k) ids and cosines, best first, and whether they are of the session's own snapshot.

        They are not when another thread has brought the index further than this session can see: search again then.
        k = min(limit, len(self)).
        """
        ids, scores, of_snapshot = self._ask(session, queries, self._wider(limit))
        if self._codec != Codec.FLOAT32 and ids.size:
            ids, scores = self._rescore(session, queries, ids, scores, limit)
        return ids, scores, of_snapshot

    def search_among(
        self, session: Session, query: Vectors, limit: int, inside: Callable[[Sequence[int]], set[int]]
    ) -> tuple[Ids, Vectors, bool]:
        """As `search` for one query (1, d), of those ids alone that inside says are to be found."""
        asked, enough = _AMONG * limit, self._wider(limit)
        while True:
            ids, scores, of_snapshot = self._ask(session, query, asked)
            kept = np.isin(ids[0], list(inside(ids[0].tolist())))
            if kept.sum() >= enough or ids.size < asked:
                break
            asked *= _WIDENS
        ids, scores = ids[:, kept][:, :enough], scores[:, kept][:, :enough]
        return *self._rescore(session, query, ids, scores, limit), of_snapshot

    def _wider(self, limit: int) -> int:
        """How many the codec is asked for, so that the limit is among them."""
        return min(limit * _WIDER[self._codec], limit + _MOST_MORE)

    def _ask(self, session: Session, queries: Vectors, limit: int) -> tuple[Ids, Vectors, bool]:
        with self._lock:
            wanted = self._follow(session)
            ids, scores = self._store.search(queries, limit)
            return ids, scores, self._generation == wanted

    def _rescore(
        self, session: Session, queries: Vectors, ids: Ids, scores: Vectors, limit: int
    ) -> tuple[Ids, Vectors]:
        """By the vectors in SQL. An id without a row, which the session may not show either, keeps its score."""
        known, vectors = self._read(session, np.unique(ids).tolist())
        if len(known):
            at = np.searchsorted(known, ids).clip(max=len(known) - 1)
            exact = np.take_along_axis(queries @ vectors.T, at, axis=1)
            scores = np.where(known[at] == ids, exact, scores)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :limit]
        return np.take_along_axis(ids, best, axis=1), np.take_along_axis(scores, best, axis=1)

    def vectors(self, session: Session, ids: Sequence[int]) -> tuple[Ids, Vectors]:
        """Of those of the ids that belong in the index, ascending: (n,) and (n, d), out of the rows themselves."""
        return self._read(session, ids)

    def __len__(self) -> int:
        """As of the last search."""
        return len(self._store)

    def count(self) -> int:
        """Brought up to date first."""
        with self._db.read() as session, self._lock:
            self._follow(session)
            return len(self._store)

    def catch_up(self) -> int:
        """Apply what changed; returns the last change that was seen."""
        with self._db.read() as session, self._lock:
            return self._follow(session)

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def generation(self) -> int:
        return self._generation

    def _follow(self, session: Session) -> int:
        """Apply the changes that the session can see; returns the last of them."""
        last = self._last(session)
        if last <= self._generation:
            return last
        changes = session.execute(
            sa.select(IndexChange.seq, IndexChange.item_id, IndexChange.added)
            .where(IndexChange.index == self.name, IndexChange.seq > self._generation)
            .order_by(IndexChange.seq)
        ).all()
        final = {c.item_id: c.added for c in changes}
        self._store.remove([i for i, added in final.items() if not added])
        self._add(session, [i for i, added in final.items() if added])
        self._generation = changes[-1].seq
        return self._generation

    def _add(self, session: Session, ids: Sequence[int]) -> None:
        for i in range(0, len(ids), _READ_AT_ONCE):
            found, vectors = self._read(session, ids[i : i + _READ_AT_ONCE])
            if len(found):
                self._store.add(found, vectors)

    def _read(self, session: Session, ids: Sequence[int]) -> tuple[Ids, Vectors]:
        """Of those of the ids that belong in the index, ascending: (n,) and (n, d)."""
        return self._arrays(session.execute(self._these, {"these": json.dumps(ids)}).all())

    def _arrays(self, rows: Sequence[sa.Row[int, bytes]]) -> tuple[Ids, Vectors]:
        vectors = np.frombuffer(b"".join(r.vector for r in rows), np.float32).reshape(-1, self._dimension)
        return np.array([r.id for r in rows], np.int64), vectors

    def rebuild(self) -> None:
        """Make it anew from the rows, and save it."""
        with self._lock, self._db.read() as session:
            self._store = self._module.create(self._dimension, self._codec)
            self._generation = self._last(session)
            result = session.execute(self._rows().execution_options(yield_per=_READ_AT_ONCE))
            for rows in result.partitions():
                self._store.add(*self._arrays(rows))
        self.save()

    def _rows(self) -> sa.Select[int, bytes]:
        """What belongs in the index. Vectors of another embedder wait for `zuinig reindex`: they do not compare."""
        if self.name == "passages":
            live = sa.select(Passage.id, Passage.vector).join(DocumentVersion, Passage.version_id == DocumentVersion.id)
            return live.where(DocumentVersion.live, DocumentVersion.embedder == self._embedder)
        if self.name == "wordings":
            return sa.select(Wording.id, Wording.vector).where(~Wording.differs, Wording.embedder == self._embedder)
        return sa.select(Memory.id, Memory.vector).where(
            Memory.status == MemoryStatus.LIVE, Memory.embedder == self._embedder
        )

    def _of_ids(self) -> sa.Select[int, bytes]:
        """`_rows` of the ids in `these`, a JSON array: one statement for any number of them."""
        tables: dict[Name, type[Passage | Memory | Wording]]
        tables = {"passages": Passage, "memories": Memory, "wordings": Wording}
        id_ = tables[self.name].id
        these = sa.func.json_each(sa.bindparam("these", type_=sa.String)).table_valued("value")
        return self._rows().where(id_.in_(sa.select(these.c.value))).order_by(id_)

    def _last(self, session: Session) -> int:
        return session.scalar(_LAST, {"index": self.name}) or 0

    # Snapshots

    @property
    def _stamp_path(self) -> Path:
        return self._folder / f"{self.name}.json"

    def save(self) -> None:
        """Write a snapshot: whole file, flushed, under a new name; then the stamp that makes it count."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock:
            if self._saved == self._generation and self._stamp_path.exists():
                return
            file = self._folder / f"{self.name}-{self._generation}-{os.getpid()}.index"
            self._store.write(file)
            stamp = Stamp(
                file=file.name,
                sha256=_sha256(file),
                store=self._module.__name__,
                embedder=self._embedder,
                dimension=self._dimension,
                generation=self._generation,
                count=len(self._store),
                codec=self._codec,
            )
            self._saved = self._generation
        flush(file)
        fresh = self._stamp_path.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(json.dumps(asdict(stamp)))
        flush(fresh)
        fresh.replace(self._stamp_path)
        flush(self._folder)
        for old in self._folder.glob(f"{self.name}-*.index"):
            if old != file:
                old.unlink(missing_ok=True)

    def _load(self) -> None:
        try:
            stamp = self._read_stamp()
            with self._db.read() as session:
                if stamp.generation > self._last(session):
                    raise IndexDamaged("the snapshot is newer than the database")
                self._generation = self._saved = stamp.generation
                self._follow(session)
                rows = session.scalar(sa.select(sa.func.count()).select_from(self._rows().subquery()))
                if rows != len(self._store):
                    raise IndexDamaged(f"the index holds {len(self._store)} vectors, the database {rows}")
        except (FileNotFoundError, _Outdated):
            self.rebuild()
        except IndexDamaged as error:
            log.warning("index.damaged", index=self.name, reason=error.message, action="rebuilt from the database")
            self._set_aside()
            self.rebuild()

    def _read_stamp(self) -> Stamp:
        """Load the snapshot that the stamp names. Raises FileNotFoundError, _Outdated, IndexDamaged."""
        try:
            stamp = Stamp(**json.loads(self._stamp_path.read_text()))
        except (ValueError, TypeError) as error:
            raise IndexDamaged(f"the stamp cannot be read: {error}") from error
        expected = (self._module.__name__, self._codec, self._embedder, self._dimension)
        if (stamp.store, stamp.codec, stamp.embedder, stamp.dimension) != expected:
            raise _Outdated
        file = self._folder / Path(stamp.file).name
        if not file.is_file() or _sha256(file) != stamp.sha256:
            raise IndexDamaged(f"{stamp.file} is not the file that was saved")
        self._store = self._module.read(file, self._dimension)
        if len(self._store) != stamp.count:
            raise IndexDamaged(f"{stamp.file} holds {len(self._store)} vectors, not {stamp.count}")
        return stamp

    def _set_aside(self) -> None:
        aside = self._folder / f"damaged-{self.name}-{time.time_ns()}"
        aside.mkdir(parents=True)
        for file in [self._stamp_path, *self._folder.glob(f"{self.name}-*.index")]:
            if file.exists():
                file.rename(aside / file.name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
