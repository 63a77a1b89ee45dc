"""FAISS: every vector is compared, in one of three codecs; docs/benchmarks.md has what each takes and finds."""

from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np

from zuinig.core.errors import IndexDamaged
from zuinig.core.types import Codec
from zuinig.retrieval.stores import Ids, Vectors

CODECS = (Codec.FLOAT32, Codec.SQ8, Codec.RABITQ)
_QUERY_BITS = 8
_ROTATION_SEED = 1


class FaissStore:
    def __init__(self, index: "faiss.IndexIDMap2") -> None:
        self._index = index

    def add(self, ids: Ids, vectors: Vectors) -> None:
        # Removing walks through every id there is, so that it is done only where there is something to remove.
        if known := [i for i in ids.tolist() if self._holds(i)]:
            self.remove(known)
        self._index.add_with_ids(np.ascontiguousarray(vectors), np.ascontiguousarray(ids))

    def _holds(self, i: int) -> bool:
        try:
            self._index.reconstruct(i)
        except RuntimeError:
            return False
        return True

    def remove(self, ids: Sequence[int]) -> None:
        self._index.remove_ids(faiss.IDSelectorBatch(np.asarray(ids, np.int64)))

    def search(self, queries: Vectors, limit: int) -> tuple[Ids, Vectors]:
        scores, ids = self._index.search(np.ascontiguousarray(queries), max(min(limit, len(self)), 1))
        return (ids, scores) if len(self) else (ids[:, :0], scores[:, :0])

    def write(self, path: Path) -> None:
        faiss.write_index(self._index, str(path))

    def __len__(self) -> int:
        return int(self._index.ntotal)


def create(dimension: int, codec: Codec) -> FaissStore:
    # Threads of its own would fight those of the requests.
    faiss.omp_set_num_threads(1)
    return FaissStore(faiss.IndexIDMap2(_FLAT[codec](dimension)))


def _float32(dimension: int) -> "faiss.Index":
    return faiss.IndexFlatIP(dimension)


def _sq8(dimension: int) -> "faiss.Index":
    index = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_8bit_uniform, faiss.METRIC_INNER_PRODUCT)
    # What is learned is the range. No component of a unit vector is outside this one, whatever embedder it is of.
    index.train(np.stack([-np.ones(dimension, np.float32), np.ones(dimension, np.float32)]))
    return index


def _rabitq(dimension: int) -> "faiss.Index":
    """Gao and Long, RaBitQ (2024): signs of the rotated vector, with the numbers that make the estimate unbiased."""
    rotation = faiss.RandomRotationMatrix(dimension, dimension)
    rotation.init(_ROTATION_SEED)
    index = faiss.IndexRaBitQFastScan(dimension, faiss.METRIC_INNER_PRODUCT)
    index.qb = _QUERY_BITS
    # What is learned is the centre; that of the sphere.
    index.train(np.zeros((1, dimension), np.float32))
    rotated = faiss.IndexPreTransform(rotation, index)
    rotated.is_trained = True
    return rotated


_FLAT = {Codec.FLOAT32: _float32, Codec.SQ8: _sq8, Codec.RABITQ: _rabitq}


def read(path: Path, dimension: int) -> FaissStore:
    """Raises IndexDamaged. The caller has compared the file with its hash: FAISS itself loads flipped bytes."""
    try:
        index = faiss.read_index(str(path))
    except RuntimeError as error:
        raise IndexDamaged(f"{path.name}: {error}") from error
    if not isinstance(index, faiss.IndexIDMap2) or index.d != dimension:
        raise IndexDamaged(f"{path.name} is no index of dimension {dimension}")
    faiss.omp_set_num_threads(1)
    return FaissStore(index)
