"""The reference: a NumPy matrix, every row compared."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zuinig.core.errors import IndexDamaged
from zuinig.core.types import Codec
from zuinig.retrieval.stores import Ids, Vectors

CODECS = (Codec.FLOAT32,)


class ExactStore:
    def __init__(self, dimension: int) -> None:
        self._ids: Ids = np.empty(0, np.int64)
        self._vectors: Vectors = np.empty((0, dimension), np.float32)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        self.remove(ids.tolist())
        self._ids = np.concatenate([self._ids, ids])
        self._vectors = np.concatenate([self._vectors, vectors])

    def remove(self, ids: Sequence[int]) -> None:
        keep = ~np.isin(self._ids, np.asarray(ids, np.int64))
        self._ids, self._vectors = self._ids[keep], self._vectors[keep]

    def search(self, queries: Vectors, limit: int) -> tuple[Ids, Vectors]:
        scores = queries @ self._vectors.T
        best = np.argsort(-scores, axis=1, kind="stable")[:, :limit]
        return self._ids[best], np.take_along_axis(scores, best, axis=1)

    def write(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, ids=self._ids, vectors=self._vectors)

    def __len__(self) -> int:
        return len(self._ids)


def create(dimension: int, codec: Codec) -> ExactStore:
    assert codec in CODECS
    return ExactStore(dimension)


def read(path: Path, dimension: int) -> ExactStore:
    """Raises IndexDamaged."""
    store = ExactStore(dimension)
    try:
        with np.load(path, allow_pickle=False) as file:
            store._ids, store._vectors = file["ids"], file["vectors"]
    except (OSError, ValueError, KeyError) as error:
        raise IndexDamaged(f"{path.name}: {error}") from error
    return store
