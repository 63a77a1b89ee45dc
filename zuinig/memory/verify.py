"""Whether two wordings are one question: a cross-encoder of our own beside explicit signs, weighed and calibrated.

Two stages: cosine and signs, which cost microseconds, leave out what cannot be, by a logistic regression; the
cross-encoder reads the rest, and boosted trees weigh what it says with the signs and with what else is near. Both, with
the thresholds for a budget of wrong answers, stand in the model's config.json; `training/fit_verifier` makes them.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnxruntime import RunOptions
from tokenizers import Tokenizer

from zuinig.core.errors import ConfigurationError
from zuinig.memory.questions import normal_form
from zuinig.memory.signs import signs
from zuinig.memory.trees import Trees
from zuinig.retrieval.embed import open_session

MODELS = Path(__file__).parent.parent / "models"
_MAX_TOKENS = 96
_BATCH = 8
UNREAD = -8.0  # the logit of what the cross-encoder did not read, and the bound of those it did
_MOST_READ = 4
_UNREAD_AT_MOST = 0.5
NEARNESS = 2  # the column of `context` that says how near the rest is
_NEAREST = 3
_FAR = 0.3  # the cosine of what is not there

Floats = npt.NDArray[np.float64]


class VerifierFailed(Exception):
    """No judgement: the caller takes the pairs for different questions."""


class CrossEncoder:
    """A folder of model.onnx and tokenizer.json, as `training/export_verifier` makes it.

    timeout_s: longest wait for the pairs of one question, None for ever; more questions together get as much each.
    """

    def __init__(self, folder: Path, *, threads: int = 0, timeout_s: float | None = None) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.no_padding()
        self._session = open_session(folder / "model.onnx")
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(threads or min(os.cpu_count() or 1, 4), thread_name_prefix="verify")

    def logits(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """(n,), higher for pairs that ask the same; not calibrated. Raises TimeoutError."""
        encoded = self._tokenizer.encode_batch(list(pairs))
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].ids))
        size = _BATCH if len(order) > 2 * _BATCH else max(1, (len(order) + 1) // 2)
        batches = [order[i : i + size] for i in range(0, len(order), size)]
        options = RunOptions()
        running = [self._threads.submit(self._run, [encoded[i] for i in batch], options) for batch in batches]
        limit = None if self._timeout_s is None else self._timeout_s * ceil(len(pairs) / _BATCH)
        done, late = wait(running, limit, FIRST_EXCEPTION)
        for future in late:
            future.cancel()
        options.terminate = bool(late)  # ends those that run
        out = np.empty(len(encoded))
        for batch, future in zip(batches, running, strict=True):
            if future in done:
                out[batch] = future.result()
        if late:
            raise TimeoutError(f"the model took longer than {limit} s")
        return out

    def _run(self, rows: Sequence[Any], options: RunOptions) -> npt.NDArray[np.float32]:
        shape = len(rows), max(len(r.ids) for r in rows)
        arrays = {name: np.zeros(shape, np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
        for i, row in enumerate(rows):
            length = len(row.ids)
            arrays["input_ids"][i, :length] = row.ids
            arrays["attention_mask"][i, :length] = 1
            arrays["token_type_ids"][i, :length] = row.type_ids
        logits: npt.NDArray[np.float32] = self._session.run(None, arrays, options)[0]
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


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a score is worth: at least so large a share of what is served from it on is right.

    Where much else is near, the same score is worth less, so that each band of nearness has a scale of its own
    (calibration conditional on a group; Vovk et al. 2003, Mondrian confidence machine). edges: between the bands;
    scales: for each band (score, share), both rising from 0 to 1.
    """

    edges: tuple[float, ...]
    scales: tuple[tuple[tuple[float, float], ...], ...]

    def share(self, scores: Floats, nearness: Floats) -> Floats:
        """(n,) of both (n,)"""
        band = np.searchsorted(self.edges, nearness, side="right")
        out = np.empty(len(scores))
        for n, scale in enumerate(self.scales):
            chosen = band == n
            out[chosen] = np.interp(scores[chosen], [s for s, _ in scale], [p for _, p in scale])
        return out


@dataclass(frozen=True, slots=True)
class Wording:
    """A stored question beside what was asked. answer: what it is answered with, where two may have the same."""

    question: str
    cosine: float
    answer: str | None = None


class Verifier:
    def __init__(self, folder: Path, *, threads: int = 0, timeout_s: float | None = None) -> None:
        try:
            config = json.loads((folder / "config.json").read_text())
            self.id: str = config["id"]
            self._cheap = Weights(tuple(config["cheap"]["weights"]), config["cheap"]["bias"])
            self._full = Trees.read(config["full"])
            self._worth_reading: float = config["worth_reading"]
            self._strictest: float = config["strictest"]
            scales = tuple(tuple((float(s), float(p)) for s, p in scale) for scale in config["scales"])
            self._calibration = Calibration(tuple(config["edges"]), scales)
            self._encoder = CrossEncoder(folder, threads=threads, timeout_s=timeout_s)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"The verifier in {folder} cannot be used: {error}") from error

    def threshold(self, budget: float) -> float:
        """The least probability at which no more than that share of what is served is wrong.

        Below the strictest budget that was calibrated nothing but the normal form serves.
        """
        return 1 - budget if budget >= self._strictest else float("inf")

    def judge(self, asked: Sequence[str], near: Sequence[Sequence[Wording]]) -> list[list[float]]:
        """For each question and each wording near it the probability that they ask the same.

        The wordings of one question are judged beside each other: what stands out is likelier than what is one of many.
        A probability says how much of what is served from there on is right. Those that the first stage leaves out get
        none above a half. Raises VerifierFailed.
        """
        rows = [(n, q, w) for n, (q, wordings) in enumerate(zip(asked, near, strict=True)) for w in wordings]
        if not rows:
            return [[] for _ in asked]
        found = np.column_stack(
            [np.array([w.cosine for _, _, w in rows]), np.array([signs(q, w.question) for _, q, w in rows])]
        )
        early = self._cheap.probability(found)
        probability = np.minimum(early, _UNREAD_AT_MOST)
        group = np.array([n for n, _, _ in rows])
        worth = np.flatnonzero(worth_reading(early, group, self._worth_reading))
        logits = np.full(len(rows), UNREAD)
        if len(worth):
            logits[worth] = self._read([(rows[i][1], rows[i][2].question) for i in worth])
            beside = context(logits, found[:, 0], group, [w for _, _, w in rows])
            scores = self._full.probability(np.column_stack([logits, found, beside])[worth])
            probability[worth] = self._calibration.share(scores, beside[worth, NEARNESS])
        flat = iter(probability.tolist())
        return [[next(flat) for _ in wordings] for wordings in near]

    def _read(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        try:
            logits = self._encoder.logits(pairs)
        except Exception as error:  # onnxruntime raises its own; whatever it is, it is no hit
            raise VerifierFailed(str(error)) from error
        if not np.isfinite(logits).all():
            raise VerifierFailed("the model gave no number")
        return logits


def worth_reading(early: Floats, group: npt.NDArray[np.int64], least: float) -> npt.NDArray[np.bool_]:
    """(n,) whether the cross-encoder reads it: of each group the likeliest few that are likely enough."""
    order = np.lexsort((-early, group))
    first = np.searchsorted(group[order], group[order])
    worth = np.empty(len(early), bool)
    worth[order] = np.arange(len(early)) - first < _MOST_READ
    return worth & (early >= least)


def context(logits: Floats, cosines: Floats, group: npt.NDArray[np.int64], wordings: Sequence[Wording]) -> Floats:
    """(n, 4): how far logit and cosine stand out from those of the group that are answered otherwise, how near the rest
    of the group is, and the product of both."""
    clipped = np.clip(logits, UNREAD, -UNREAD)
    out = np.empty((len(logits), 4))
    for n in np.unique(group):
        own = np.flatnonzero(group == n).tolist()
        answers = [wordings[i].answer for i in own]
        keys = [normal_form(wordings[i].question) for i in own]
        rest = np.sort(cosines[own])[::-1][_NEAREST:]
        for i, row in enumerate(own):
            others = (j for j in range(len(own)) if j != i and keys[j] != keys[i])
            rivals = [own[j] for j in others if answers[i] is None or answers[j] != answers[i]]
            out[row] = (
                clipped[row] - max(clipped[rivals], default=UNREAD),
                cosines[row] - max(cosines[rivals], default=_FAR),
                rest.mean() if len(rest) else _FAR,
                clipped[row] * cosines[row],
            )
    return out
