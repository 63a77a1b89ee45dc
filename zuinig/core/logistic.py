"""Logistic regression, read from plain numbers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """Of a logistic regression."""

    weights: tuple[float, ...]
    bias: float

    def probability(self, features: Floats) -> Floats:
        """(n,) of (n, d)"""
        probability: Floats = 1 / (1 + np.exp(-np.clip(features @ np.array(self.weights) + self.bias, -40, 40)))
        return probability
