"""Boosted trees: grown by scikit-learn, kept as plain numbers for `core.trees`."""

from typing import Any

import numpy as np
import numpy.typing as npt

from zuinig.core.trees import Trees, as_config

Floats = npt.NDArray[np.float64]


def grow(features: Floats, labels: Floats, weights: Floats, **options: Any) -> dict[str, Any]:
    """As they stand in a config.json. features (n, d); labels, weights (n,)."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    chosen = {"max_leaf_nodes": 8, "max_iter": 200, "learning_rate": 0.06, "l2_regularization": 5.0}
    model = HistGradientBoostingClassifier(**{**chosen, "min_samples_leaf": 60, "random_state": 1, **options})
    model.fit(features, labels, sample_weight=weights * len(weights) / weights.sum())
    grown = [
        [
            (-1 if n["is_leaf"] else int(n["feature_idx"]), float(n["num_threshold"]), int(n["left"]), int(n["right"]),
             round(float(n["value"]), 6))
            for n in predictor.nodes
        ]
        for [predictor] in model._predictors
    ]  # fmt: skip
    return as_config(float(model._baseline_prediction.ravel()[0]), grown)


def crossed(features: Floats, labels: Floats, weights: Floats, fold: npt.NDArray[np.int64], **options: Any) -> Floats:
    """(n,) probabilities, those of each fold by trees grown on the others."""
    out = np.zeros(len(features))
    for n in np.unique(fold):
        inside = fold == n
        trees = Trees.read(grow(features[~inside], labels[~inside], weights[~inside], **options))
        out[inside] = trees.probability(features[inside])
    return out
