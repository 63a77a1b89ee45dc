"""Logistic regression by Newton's method: for the few weights that the service weighs its evidence by."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def fit(features: Floats, labels: Floats, *, penalty: float = 1e-6, weights: Floats | None = None) -> Floats:
    """(d + 1,): a weight for each column of features (n, d), then the bias. penalty: ridge on all but the bias."""
    x = np.column_stack([features, np.ones(len(features))])
    share = np.ones(len(x)) if weights is None else weights
    ridge = penalty * np.eye(x.shape[1])
    ridge[-1, -1] = 0
    found = np.zeros(x.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ found, -30, 30)))
        curvature = (x * (share * p * (1 - p))[:, None]).T @ x + ridge + 1e-9 * np.eye(x.shape[1])
        step = np.linalg.solve(curvature, x.T @ (share * (labels - p)) - ridge @ found)
        found += step
        if np.abs(step).max() < 1e-8:
            break
    return found


def predict(found: Floats, features: Floats) -> Floats:
    """(n,) probabilities."""
    probability: Floats = 1 / (1 + np.exp(-(features @ found[:-1] + found[-1])))
    return probability
