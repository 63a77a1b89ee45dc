"""Stand-ins where the real part would only cost time."""

import hashlib
from collections.abc import Sequence

import numpy as np

from zuinig.retrieval.embed import Vectors


class FakeEmbedder:
    """Unit vectors out of a hash: equal texts are equal, all others unrelated."""

    id, dimension, max_tokens = "fake", 16, 256

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        rows = [np.frombuffer(hashlib.sha512(t.encode()).digest(), np.int32).astype(np.float32) for t in texts]
        array = np.array(rows).reshape(len(texts), 16)
        return array / np.linalg.norm(array, axis=1, keepdims=True)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(t.split()) for t in texts]
