"""Boosted decision trees, read from plain numbers: they weigh what a sum cannot, such as a digit that differs in words
that are otherwise the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trees:
    """t trees of m nodes each, one row a tree. feature: -1 at a leaf. left, right: nodes of the same tree.

    A row goes left where its feature is at most the threshold; the values of its leaves and the base are summed.
    """

    base: float
    feature: npt.NDArray[np.int32]
    threshold: Floats
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    value: Floats

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> "Trees":
        """Raises KeyError, ValueError."""
        arrays = {name: np.array(config[name]) for name in ("feature", "threshold", "left", "right", "value")}
        if len({a.shape for a in arrays.values()}) != 1 or arrays["feature"].ndim != 2:
            raise ValueError("the trees are not of one shape")
        return cls(
            float(config["base"]),
            arrays["feature"].astype(np.int32),
            arrays["threshold"].astype(float),
            arrays["left"].astype(np.int32),
            arrays["right"].astype(np.int32),
            arrays["value"].astype(float),
        )

    def probability(self, features: Floats) -> Floats:
        """(n,) of (n, d)"""
        n, trees = len(features), np.arange(len(self.feature))
        at = np.zeros((n, len(trees)), np.int32)
        rows = np.arange(n)[:, None]
        for _ in range(self.feature.shape[1]):
            feature = self.feature[trees, at]
            inner = feature >= 0
            if not inner.any():
                break
            goes_left = features[rows, np.maximum(feature, 0)] <= self.threshold[trees, at]
            at = np.where(inner, np.where(goes_left, self.left[trees, at], self.right[trees, at]), at)
        total = self.base + self.value[trees, at].sum(1)
        probability: Floats = 1 / (1 + np.exp(-np.clip(total, -40, 40)))
        return probability


def as_config(base: float, grown: Sequence[Sequence[tuple[int, float, int, int, float]]]) -> dict[str, Any]:
    """grown: for each tree its nodes of (feature or -1, threshold, left, right, value); padded to one length."""
    most = max(map(len, grown))
    padded = [[*tree, *[(-1, 0.0, 0, 0, 0.0)] * (most - len(tree))] for tree in grown]
    names = ("feature", "threshold", "left", "right", "value")
    columns = {name: [[node[i] for node in tree] for tree in padded] for i, name in enumerate(names)}
    return {"base": base, **columns}
