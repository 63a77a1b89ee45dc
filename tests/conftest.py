"""What tests share: a service that listens, services without workers, embedders, a passage made up."""

import importlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import llama
import pytest
from fakes import FakeEmbedder
from running import Running

from zuinig.app.audit import Audit
from zuinig.app.services import Services, build
from zuinig.core.db import Database, migrate
from zuinig.core.settings import Settings
from zuinig.core.types import Hit
from zuinig.retrieval import embed, read
from zuinig.retrieval.embed import Embedder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs llama.cpp comes last: it is compiled meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("llama") is not None)


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.collectonly and any(i.get_closest_marker("llama") for i in session.items):
        llama.start()


def pytest_sessionfinish(session: pytest.Session) -> None:
    # Of several processes the one that hands out the tests ends last.
    if not hasattr(session.config, "workerinput"):
        llama.stop()


@pytest.fixture(scope="session")
def llama_cpp() -> ModuleType:
    """Wants the marker `llama`, and a timeout that a build fits in."""
    llama.wait()
    return importlib.import_module("llama_cpp")


# Toy documents are answered out of, whatever the shipped reader is calibrated to.
ANSWERS = {"specialist_wrong_budget": 0.2}
# Tests try more wrong keys in a minute than people do: tests/api/test_limits.py has what limits that.
GUESSES = {"limit_sign_ins": "off"}


@pytest.fixture(autouse=True, scope="session")
def toy_answers_are_remembered() -> Iterator[None]:
    """In a document of one line nothing stands out, so that the reader is never very sure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read, "_LASTING", 0.8)
        yield


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    """An empty database."""
    path = tmp_path_factory.mktemp("template") / "zuinig.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def db(migrated, tmp_path) -> Iterator[Database]:
    """A database without services."""
    shutil.copy(migrated, tmp_path / "zuinig.db")
    found = Database(f"sqlite:///{tmp_path / 'zuinig.db'}")
    yield found
    found.close()


@pytest.fixture
def audit(db) -> Audit:
    return Audit(db, Settings())


@pytest.fixture
def fake_embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return embed.load("all-MiniLM-L6-v2-int8")


@pytest.fixture
def make_hit() -> Callable[..., Hit]:
    def make(text: str, *, passage_id: int = 1, context: str = "Handbook", start: int = 0, **more: float) -> Hit:
        return Hit(
            passage_id=passage_id,
            document_id=f"doc_{passage_id}",
            version_id=passage_id,
            version=1,
            title="Handbook",
            filename="handbook.md",
            collection="default",
            text=text,
            context=context,
            page=None,
            start=start,
            end=start + len(text),
            content_hash=str(passage_id),
            score=more.get("score", 0.0),
            similarity=more.get("similarity", 0.0),
        )

    return make


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    found = Running(build(Settings(data_dir=tmp_path_factory.mktemp("data"), **ANSWERS, **GUESSES)))
    yield found
    found.stop()


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Without workers: `ingest` does their work in the test's own thread."""
    built = build(Settings(data_dir=tmp_path / "data", ingest_workers=0, **ANSWERS))
    yield built
    built.close()


@pytest.fixture
def quick(tmp_path: Path, fake_embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """As `services`, with vectors that take no time and mean nothing."""
    monkeypatch.setattr(embed, "load", lambda *_, **__: fake_embedder)
    built = build(Settings(data_dir=tmp_path / "data", ingest_workers=0, **ANSWERS))
    yield built
    built.close()
