"""Whatever an index keeps of a vector, what it finds is compared by the vectors in SQL."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from zuinig.app.services import build
from zuinig.core.db import Database, migrate
from zuinig.core.errors import ConfigurationError
from zuinig.core.settings import Settings
from zuinig.core.tables import Memory
from zuinig.core.types import Codec
from zuinig.retrieval.index import VectorIndex, changed
from zuinig.retrieval.stores import Vectors, faiss

DIMENSION = 64
COUNT = 400
CODECS = pytest.mark.parametrize("codec", list(Codec))
COARSE = pytest.mark.parametrize("codec", [c for c in Codec if c != Codec.FLOAT32])
Open = Callable[[Codec], VectorIndex]


def unit(count: int, seed: int) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


VECTORS = unit(COUNT, 1)


def put(db: Database, first: int, vectors: Vectors) -> None:
    with db.write() as session:
        rows = [
            Memory(id=i, question="?", question_key="", answer="", origin="import", confidence=1, vector=v.tobytes(),
                   embedder="fake")
            for i, v in enumerate(vectors, first)
        ]  # fmt: skip
        session.add_all(rows)
        changed(session, "memories", range(first, first + len(rows)), added=True)


def take_out(db: Database, ids: list[int]) -> None:
    with db.write() as session:
        session.execute(sa.delete(Memory).where(Memory.id.in_(ids)))
        changed(session, "memories", ids, added=False)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """Memories of the ids 1 to COUNT, with VECTORS."""
    url = f"sqlite:///{tmp_path}/zuinig.db"
    migrate(url)
    db = Database(url)
    put(db, 1, VECTORS)
    yield db
    db.close()


@pytest.fixture
def open_index(db: Database, tmp_path: Path) -> Open:
    def opened(codec: Codec) -> VectorIndex:
        return VectorIndex(
            db, "memories", faiss, tmp_path / "indexes", codec=codec, embedder="fake", dimension=DIMENSION
        )

    return opened


@CODECS
def test_scores_are_the_cosines_of_the_vectors_in_sql_and_in_their_order(db, open_index, codec):
    queries = unit(30, 2)
    with db.read() as session:
        ids, scores, of_snapshot = open_index(codec).search(session, queries, 10)
    truth = queries @ VECTORS.T
    assert of_snapshot and ids.shape == (30, 10)
    assert np.allclose(scores, np.take_along_axis(truth, ids - 1, axis=1), atol=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()
    best = np.argsort(-truth, axis=1)[:, :10] + 1
    held = sum(len(set(a) & set(b)) for a, b in zip(ids.tolist(), best.tolist(), strict=True))
    assert held >= 0.95 * best.size


@CODECS
def test_all_there_is_is_found_where_more_is_wanted(db, open_index, codec):
    with db.read() as session:
        ids, _, _ = open_index(codec).search(session, unit(2, 3), 10_000)
    assert all(sorted(row) == list(range(1, COUNT + 1)) for row in ids.tolist())


@CODECS
def test_an_empty_index_finds_nothing(db, open_index, codec):
    index = open_index(codec)
    take_out(db, list(range(1, COUNT + 1)))
    with db.read() as session:
        assert index.search(session, unit(2, 4), 5)[0].shape == (2, 0)


@COARSE
def test_an_index_that_grew_finds_what_one_made_anew_finds(db, open_index, codec):
    take_out(db, list(range(1, COUNT + 1)))
    index, queries = open_index(codec), unit(20, 5)
    for n in range(4):
        put(db, 1000 + 100 * n, VECTORS[100 * n : 100 * (n + 1)])
        index.catch_up()
    take_out(db, list(range(1050, 1120)))
    with db.read() as session:
        grown = index.search(session, queries, 10)[0]
    index.rebuild()
    with db.read() as session:
        assert (index.search(session, queries, 10)[0] == grown).all()


@COARSE
def test_an_index_that_is_ahead_of_the_session_says_so(db, open_index, codec):
    index = open_index(codec)
    with db.read() as session:
        index.search(session, VECTORS[:1], 1)
        put(db, COUNT + 1, unit(1, 6))
        index.catch_up()
        ids, _, of_snapshot = index.search(session, unit(1, 6), 5)
    assert not of_snapshot
    assert ids.shape == (1, 5)


@pytest.mark.parametrize("before", list(Codec))
@pytest.mark.parametrize("after", list(Codec))
def test_a_snapshot_of_another_codec_is_made_anew_and_is_no_damage(open_index, tmp_path, before, after, capsys):
    open_index(before)
    stamp = tmp_path / "indexes" / "memories.json"
    assert json.loads(stamp.read_text())["codec"] == before
    assert open_index(after).count() == COUNT
    assert json.loads(stamp.read_text())["codec"] == after
    assert "damaged" not in capsys.readouterr().out


def test_a_stamp_that_names_no_codec_is_of_float32(open_index, tmp_path, monkeypatch):
    open_index(Codec.FLOAT32)
    path = tmp_path / "indexes" / "memories.json"
    stamp = json.loads(path.read_text())
    del stamp["codec"]
    path.write_text(json.dumps(stamp))
    rebuilt: list[str] = []
    monkeypatch.setattr(VectorIndex, "rebuild", lambda index: rebuilt.append(index.name))
    open_index(Codec.FLOAT32)
    assert rebuilt == []
    open_index(Codec.SQ8)
    assert rebuilt == ["memories"]


def test_a_codec_that_the_store_does_not_keep_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"ZUINIG_VECTOR_CODEC is 'sq8'.*keeps only: float32"):
        build(Settings(data_dir=tmp_path, vector_store="exact", vector_codec=Codec.SQ8))
