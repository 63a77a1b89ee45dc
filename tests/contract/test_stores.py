"""One battery over every vector store that stands in the folder, in every codec that it keeps."""

from types import ModuleType

import numpy as np
import pytest

from zuinig.core import plugins
from zuinig.core.errors import IndexDamaged
from zuinig.core.types import Codec
from zuinig.retrieval import stores

DIMENSION = 96
MODULES = {name: plugins.load(stores, name, setting="test") for name in plugins.names(stores)}
# How far a score may be from the inner product, and how many times the wanted hold them.
CLOSE = {Codec.FLOAT32: (1e-5, 1), Codec.SQ8: (0.02, 2), Codec.RABITQ: (0.5, 10)}


@pytest.fixture(params=[(name, codec) for name, module in MODULES.items() for codec in module.CODECS], ids="-".join)
def kept(request) -> tuple[ModuleType, Codec]:
    name, codec = request.param
    return MODULES[name], codec


@pytest.fixture
def module(kept):
    return kept[0]


@pytest.fixture
def store(kept):
    module, codec = kept
    return module.create(DIMENSION, codec)


def unit(count: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_every_store_keeps_float32_as_it_is():
    assert all(Codec.FLOAT32 in module.CODECS for module in MODULES.values())


def test_search_finds_what_brute_force_finds(kept, store):
    off, wider = CLOSE[kept[1]]
    vectors, queries = unit(300, 1), unit(20, 2)
    ids = np.arange(1000, 1300, dtype=np.int64)
    store.add(ids[:200], vectors[:200])
    store.add(ids[200:], vectors[200:])
    store.remove(ids[50:100].tolist())
    left = np.r_[0:50, 100:300]
    found, scores = store.search(queries, 7 * wider)
    truth = queries @ vectors[left].T
    best = ids[left][np.argsort(-truth, axis=1)[:, :7]]
    assert len(store) == 250
    if wider == 1:
        assert (found == best).all()
    held = sum(len(set(a) & set(b)) for a, b in zip(found.tolist(), best.tolist(), strict=True))
    assert held >= 0.95 * best.size
    assert np.allclose(scores, np.take_along_axis(queries @ vectors.T, found - 1000, axis=1), atol=off)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_a_vector_is_the_nearest_of_itself_after_any_number_of_changes(store):
    vectors, chance, there = unit(400, 6), np.random.default_rng(7), set()
    for _ in range(15):
        added = chance.choice(400, 45, replace=False)
        store.add(added.astype(np.int64), vectors[added])
        there |= set(added.tolist())
        removed = chance.choice(sorted(there), 17, replace=False).tolist()
        store.remove(removed)
        there -= set(removed)
        ids = np.array(sorted(there))
        assert len(store) == len(ids)
        assert (store.search(vectors[ids], 1)[0][:, 0] == ids).all()


def test_no_more_is_found_than_there_is(store):
    store.add(np.array([7, 9, 11], np.int64), unit(3, 8))
    found, scores = store.search(unit(2, 9), 1000)
    assert found.shape == scores.shape == (2, 3)
    assert all(sorted(row) == [7, 9, 11] for row in found.tolist())


def test_a_component_may_be_as_large_as_a_unit_vector_can_have(store):
    peaks = np.eye(DIMENSION, dtype=np.float32)
    store.add(np.arange(2 * DIMENSION, dtype=np.int64), np.concatenate([peaks, -peaks]))
    assert (store.search(peaks, 1)[0][:, 0] == np.arange(DIMENSION)).all()


def test_an_id_added_again_gets_the_new_vector(store):
    vectors = unit(3, 3)
    store.add(np.array([5, 6], np.int64), vectors[:2])
    store.add(np.array([5], np.int64), vectors[2:])
    assert len(store) == 2
    assert store.search(vectors[2:], 1)[0][0, 0] == 5


def test_an_empty_store_finds_nothing_and_unknown_ids_are_passed_over(store):
    store.remove([1, 2])
    assert store.search(unit(2, 4), 3)[0].shape == (2, 0)


def test_a_store_comes_back_as_it_was_written_and_grows_on(module, store, tmp_path):
    vectors = unit(60, 5)
    store.add(np.arange(40, dtype=np.int64), vectors[:40])
    store.write(tmp_path / "saved")
    again = module.read(tmp_path / "saved", DIMENSION)
    for each in (store, again):
        each.remove([3])
        each.add(np.arange(40, 60, dtype=np.int64), vectors[40:])
    ids, scores = again.search(vectors, 3)
    assert (ids == store.search(vectors, 3)[0]).all()
    assert (scores == store.search(vectors, 3)[1]).all()


def test_what_is_no_store_is_refused(module, tmp_path):
    (tmp_path / "junk").write_bytes(b"not an index")
    with pytest.raises(IndexDamaged):
        module.read(tmp_path / "junk", DIMENSION)
