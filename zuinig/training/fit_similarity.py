"""Fit the logistic of `memory.recall.probability_same`: how often people call two questions of a given cosine the same.

    python -m zuinig.training.fit_similarity PAIRS.jsonl.gz [--pairs 6000]

PAIRS: JSON lines of `a`, `b` and `label` (1: the same question). Newton's method on two parameters; prints the slope
and the middle, and on the held-out half the share called the same beside the predicted one, by tenth.
"""

import argparse
import gzip
import json
import random
from pathlib import Path

import numpy as np

from zuinig.retrieval import embed


def fit(cosines: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """(slope, middle) of 1 / (1 + exp(-slope * (cosine - middle)))."""
    x = np.stack([cosines, np.ones_like(cosines)], axis=1)
    weights = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + 1e-9 * np.eye(2), x.T @ (labels - p))
        weights += step
        if np.abs(step).max() < 1e-9:
            break
    return float(weights[0]), float(-weights[1] / weights[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs_file", type=Path)
    parser.add_argument("--pairs", type=int, default=6000)
    parser.add_argument("--model", default="all-MiniLM-L6-v2-int8")
    args = parser.parse_args()
    with gzip.open(args.pairs_file, "rt") as file:
        rows = [json.loads(line) for line in file]
    rows = random.Random(1).sample(rows, min(args.pairs, len(rows)))
    embedder = embed.load(args.model)
    cosines = (embedder.embed([r["a"] for r in rows]) * embedder.embed([r["b"] for r in rows])).sum(1)
    labels = np.array([r["label"] for r in rows], float)
    half = len(rows) // 2
    slope, middle = fit(cosines[:half], labels[:half])
    print(f"slope {slope:.2f}, middle {middle:.3f}")
    predicted = 1 / (1 + np.exp(-slope * (cosines[half:] - middle)))
    for low in np.arange(0, 1, 0.1):
        chosen = (predicted >= low) & (predicted < low + 0.1)
        if chosen.any():
            same = labels[half:][chosen].mean()
            print(f"predicted {predicted[chosen].mean():.2f}, same {same:.2f}, {chosen.sum()} pairs")


if __name__ == "__main__":
    main()
