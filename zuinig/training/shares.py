"""From which score on a share of what is served may be called right."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_Z = 0.84  # one-sided 80 %


def threshold(scores: Floats, wrong: Flags, budget: float, weight: Floats) -> float:
    """The least score from which on, with 80 % confidence (Wilson), no more than the budget is wrong, by weight."""
    order = np.argsort(-scores, kind="stable")
    n = np.cumsum(weight[order])
    share = np.cumsum(weight[order] * wrong[order]) / n
    middle = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z * np.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n)) / (1 + _Z * _Z / n)
    allowed = np.flatnonzero(middle + half <= budget)
    return float(scores[order[allowed[-1]]]) if len(allowed) else 1.0
