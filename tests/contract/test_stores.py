"""One battery over every vector store that stands in the folder."""

import numpy as np
import pytest

from zuinig.core import plugins
from zuinig.core.errors import IndexDamaged
from zuinig.retrieval import stores

DIMENSION = 24


@pytest.fixture(params=plugins.names(stores))
def module(request):
    return plugins.load(stores, request.param, setting="test")


def unit(count: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_search_finds_what_brute_force_finds(module):
    store, vectors, queries = module.create(DIMENSION), unit(300, 1), unit(20, 2)
    ids = np.arange(1000, 1300, dtype=np.int64)
    store.add(ids[:200], vectors[:200])
    store.add(ids[200:], vectors[200:])
    store.remove(ids[50:100].tolist())
    kept = np.r_[0:50, 100:300]
    found, scores = store.search(queries, 7)
    truth = queries @ vectors[kept].T
    assert len(store) == 250
    assert (found == ids[kept][np.argsort(-truth, axis=1)[:, :7]]).all()
    assert np.allclose(scores, -np.sort(-truth, axis=1)[:, :7], atol=1e-5)


def test_an_id_added_again_gets_the_new_vector(module):
    store, vectors = module.create(DIMENSION), unit(3, 3)
    store.add(np.array([5, 6], np.int64), vectors[:2])
    store.add(np.array([5], np.int64), vectors[2:])
    assert len(store) == 2
    assert store.search(vectors[2:], 1)[0][0, 0] == 5


def test_an_empty_store_finds_nothing_and_unknown_ids_are_passed_over(module):
    store = module.create(DIMENSION)
    store.remove([1, 2])
    assert store.search(unit(2, 4), 3)[0].shape == (2, 0)


def test_a_store_comes_back_as_it_was_written(module, tmp_path):
    store, vectors = module.create(DIMENSION), unit(40, 5)
    store.add(np.arange(40, dtype=np.int64), vectors)
    store.write(tmp_path / "saved")
    again = module.read(tmp_path / "saved", DIMENSION)
    assert (again.search(vectors, 3)[0] == store.search(vectors, 3)[0]).all()


def test_what_is_no_store_is_refused(module, tmp_path):
    (tmp_path / "junk").write_bytes(b"not an index")
    with pytest.raises(IndexDamaged):
        module.read(tmp_path / "junk", DIMENSION)
