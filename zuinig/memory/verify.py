"""Whether two wordings are one question: a cross-encoder of our own beside explicit signs, weighed and calibrated.

Two stages: cosine and signs, which cost microseconds, leave out what cannot be; the cross-encoder reads the rest. Both
are logistic regressions whose weights, with the thresholds for a budget of wrong answers, stand in the model's
config.json; `training/fit_verifier` makes them.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from zuinig.core.errors import ConfigurationError
from zuinig.memory.signs import signs
from zuinig.retrieval.embed import open_session

MODELS = Path(__file__).parent.parent / "models"
_MAX_TOKENS = 96
_BATCH = 8

Floats = npt.NDArray[np.float64]


class VerifierFailed(Exception):
    """No judgement: the caller takes the pairs for different questions."""


class CrossEncoder:
    """A folder of model.onnx and tokenizer.json, as `training/export_verifier` makes it."""

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.no_padding()
        self._session = open_session(folder / "model.onnx")
        self._threads = ThreadPoolExecutor(threads or min(os.cpu_count() or 1, 4), thread_name_prefix="verify")

    def logits(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """(n,), higher for pairs that ask the same; not calibrated."""
        encoded = self._tokenizer.encode_batch(list(pairs))
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].ids))
        size = _BATCH if len(order) > 2 * _BATCH else max(1, (len(order) + 1) // 2)
        batches = [order[i : i + size] for i in range(0, len(order), size)]
        out = np.empty(len(encoded))
        if len(batches) <= 1:
            results: Any = (self._run([encoded[i] for i in batch]) for batch in batches)
        else:
            results = self._threads.map(lambda batch: self._run([encoded[i] for i in batch]), batches)
        for batch, logits in zip(batches, results, strict=True):
            out[batch] = logits
        return out

    def _run(self, rows: Sequence[Any]) -> npt.NDArray[np.float32]:
        shape = len(rows), max(len(r.ids) for r in rows)
        arrays = {name: np.zeros(shape, np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
        for i, row in enumerate(rows):
            length = len(row.ids)
            arrays["input_ids"][i, :length] = row.ids
            arrays["attention_mask"][i, :length] = 1
            arrays["token_type_ids"][i, :length] = row.type_ids
        logits: npt.NDArray[np.float32] = self._session.run(None, arrays)[0]
        return logits


@dataclass(frozen=True, slots=True)
class Weights:
    """Of a logistic regression."""

    weights: tuple[float, ...]
    bias: float

    def probability(self, features: Floats) -> Floats:
        """(n,) of (n, d)"""
        probability: Floats = 1 / (1 + np.exp(-np.clip(features @ np.array(self.weights) + self.bias, -40, 40)))
        return probability


class Verifier:
    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        try:
            config = json.loads((folder / "config.json").read_text())
            self.id: str = config["id"]
            self._cheap = Weights(tuple(config["cheap"]["weights"]), config["cheap"]["bias"])
            self._full = Weights(tuple(config["full"]["weights"]), config["full"]["bias"])
            self._worth_reading: float = config["worth_reading"]
            # (share of wrong answers, least probability that keeps to it), strictest first
            self._thresholds: list[tuple[float, float]] = [(b, p) for b, p in config["thresholds"]]
            self._encoder = CrossEncoder(folder, threads=threads)
        except (OSError, KeyError, ValueError) as error:
            raise ConfigurationError(f"The verifier in {folder} cannot be used: {error}") from error

    def threshold(self, budget: float) -> float:
        """The least probability at which no more than that share of what is served is wrong.

        Between the fitted budgets it is interpolated; below the strictest of them nothing but the normal form serves.
        """
        if budget < self._thresholds[0][0]:
            return float("inf")
        budgets, least = zip(*self._thresholds, strict=True)
        return float(np.interp(budget, budgets, least))

    def probabilities(self, pairs: Sequence[tuple[str, str]], cosines: Sequence[float]) -> Floats:
        """(n,) that the two ask the same. Pairs the first stage leaves out keep its low probability.

        Raises VerifierFailed.
        """
        if not pairs:
            return np.empty(0)
        found = np.column_stack([np.asarray(cosines, float), np.array([signs(a, b) for a, b in pairs])])
        probability = self._cheap.probability(found)
        worth = np.flatnonzero(probability >= self._worth_reading).tolist()
        if worth:
            try:
                logits = self._encoder.logits([pairs[i] for i in worth])
            except Exception as error:  # onnxruntime raises its own; whatever it is, it is no hit
                raise VerifierFailed(str(error)) from error
            if not np.isfinite(logits).all():
                raise VerifierFailed("the model gave no number")
            probability[worth] = self._full.probability(np.column_stack([logits, found[worth]]))
        return probability
