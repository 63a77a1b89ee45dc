"""PORT VectorStore: vectors under stable integer ids, searched by inner product.

An adapter is a module named as the setting's value, with `CODECS` that it can keep vectors in,
`create(dimension, codec) -> VectorStore` and `read(path, dimension) -> VectorStore`. A store is a copy that
`retrieval/index` fills from SQL, saves and guards; it needs no locks and no durability of its own. No codec learns from
the vectors: an index that grew from nothing is as good as one made anew.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]


class VectorStore(Protocol):
    def add(self, ids: Ids, vectors: Vectors) -> None:
        """vectors: float32 (n, d), unit rows. An id that is there already gets the new vector."""
        ...

    def remove(self, ids: Sequence[int]) -> None:
        """Ids that are not there are passed over."""
        ...

    def search(self, queries: Vectors, limit: int) -> tuple[Ids, Vectors]:
        """(m, k) ids and scores, best first, k = min(limit, len(self)); exact ties in any order.

        Of any codec but float32 the scores are near the inner products, and so is the order.
        """
        ...

    def write(self, path: Path) -> None: ...

    def __len__(self) -> int: ...
