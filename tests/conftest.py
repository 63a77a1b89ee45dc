"""What tests share: a service that listens, services without workers, embedders, a passage made up."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import FakeEmbedder
from running import Running

from zuinig.app.services import Services, build
from zuinig.core.settings import Settings
from zuinig.core.types import Hit
from zuinig.retrieval import embed
from zuinig.retrieval.embed import Embedder


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
    found = Running(build(Settings(data_dir=tmp_path_factory.mktemp("data"))))
    yield found
    found.stop()


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Without workers: `ingest` does their work in the test's own thread."""
    built = build(Settings(data_dir=tmp_path / "data", ingest_workers=0))
    yield built
    built.close()


@pytest.fixture
def quick(tmp_path: Path, fake_embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """As `services`, with vectors that take no time and mean nothing."""
    monkeypatch.setattr(embed, "load", lambda *_, **__: fake_embedder)
    built = build(Settings(data_dir=tmp_path / "data", ingest_workers=0))
    yield built
    built.close()
