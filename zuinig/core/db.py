"""The database: one door for reading, one for writing. A transaction is as long as the `with` block."""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.orm import Session

from zuinig.core.tables import FTS_TABLE, Base

_BUSY_MS = 30_000
# SQLite takes 32,766 values in a statement, and builds from before 3.32 no more than 999.
_IN_A_STATEMENT = 900

T = TypeVar("T")


def in_parts(items: Sequence[T], size: int = _IN_A_STATEMENT) -> Iterator[Sequence[T]]:
    """In their order, no more at a time than a statement takes as values."""
    for at in range(0, len(items), size):
        yield items[at : at + size]


class Database:
    """SQLite in WAL mode: readers see a snapshot and never wait; writers wait for each other."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(url, pool_size=32, max_overflow=32, connect_args={"timeout": _BUSY_MS / 1000})
        event.listen(self.engine, "connect", _on_connect)
        event.listen(self.engine, "begin", _on_begin)
        self._writers = self.engine.execution_options(zuinig_write=True)
        # Within the process writers queue here, in order; SQLite's own lock is a sleep-and-retry loop.
        self._write_lock = threading.RLock()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session on one snapshot. What it changes is thrown away."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits at the end of the block and rolls back on an exception."""
        with self._write_lock, Session(self._writers, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        self.engine.dispose()


def insert(session: Session, into: type[Base], *rows: Mapping[str, Any]) -> None:
    """Rows that nobody needs as objects, in the caller's transaction, past the session's bookkeeping, which takes
    longer than the insert. What they refer to must have been flushed.
    """
    if rows:
        session.connection().execute(_insert_into(into), list(rows))


@cache
def _insert_into(into: type[Base]) -> sa.Insert:
    return sa.insert(into.__table__)  # type: ignore[arg-type]  # a table, for all that the type says


def _on_connect(connection: Any, record: Any) -> None:
    # The driver's own transaction control is off: _on_begin says when one begins, and of which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",  # survives kill -9; a power cut may lose the last moments, never consistency
        "foreign_keys = ON",
        f"busy_timeout = {_BUSY_MS}",
        "cache_size = -32000",
        "temp_store = MEMORY",
        "mmap_size = 268435456",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: sa.Connection) -> None:
    # A writer takes the lock at once: a snapshot that is upgraded later fails when another wrote in between.
    write = connection.get_execution_options().get("zuinig_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate(url: str) -> None:
    """Bring the schema to the newest revision; makes the database file where there is none."""
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    command.upgrade(_config(url), "head")


def is_ours(name: str | None, kind: str) -> bool:
    """Whether Alembic should compare it: the full-text index and its shadow tables are not in the metadata."""
    return not (kind == "table" and name is not None and name.startswith(FTS_TABLE))


def schema_differences(url: str) -> list[Any]:
    """What `alembic check` would report: empty where the migrations and the tables agree."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, _: is_ours(name, kind), "compare_type": True}
        )
        differences: list[Any] = compare_metadata(context, Base.metadata)
    engine.dispose()
    return differences
