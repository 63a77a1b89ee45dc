"""Whether two wordings are one question: a cross-encoder of our own beside explicit signs, weighed and calibrated.

Two stages: cosine and signs, which cost microseconds, leave out what cannot be, by a logistic regression; the
cross-encoder reads the two likeliest that are left, and unless they rule them out the others too; boosted trees weigh
what it says with the signs and with what else is near. Both, with the thresholds for a budget of wrong answers, stand
in the model's config.json; `training/fit_verifier` makes them.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zuinig.core.errors import ConfigurationError
from zuinig.core.logistic import Weights
from zuinig.core.trees import Trees
from zuinig.memory.questions import normal_form
from zuinig.memory.signs import signs
from zuinig.retrieval.cross_encoder import CrossEncoder

MODELS = Path(__file__).parent.parent / "models"
_MAX_TOKENS = 96
_BATCH = 8
UNREAD = -8.0  # the logit of what the cross-encoder did not read, and the bound of those it did
_MOST_READ = 4
_UNREAD_AT_MOST = 0.5
# Two at once take two cores no longer than one. Where both are so surely other questions, and none of the others is
# likely by cosine and signs, these are not read: of 2,912 questions that changed none (docs/benchmarks.md).
_READ_FIRST = 2
_RULED_OUT = -2.0  # their logits
_LIKELY = 0.3
NEARNESS = 2  # the column of `context` that says how near the rest is
_NEAREST = 3
_FAR = 0.3  # the cosine of what is not there

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class VerifierFailed(Exception):
    """No judgement: the caller takes the pairs for different questions."""


class PairReader:
    """timeout_s: longest wait for the pairs of one question, None for ever; of several, for each eight pairs."""

    def __init__(self, folder: Path, *, threads: int = 0, timeout_s: float | None = None) -> None:
        self._model = CrossEncoder(folder, max_tokens=_MAX_TOKENS, threads=threads)
        self._timeout_s = timeout_s

    def logits(self, pairs: Sequence[tuple[str, str]], *, after: int = 0, spent_s: float = 0.0) -> Floats:
        """(n,), higher for pairs that ask the same; not calibrated. after: how many pairs of these questions were read
        before, in spent_s of their time. Raises TimeoutError.
        """
        encoded = self._model.encode(pairs)
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].ids))
        size = _BATCH if len(order) > 2 * _BATCH else max(1, (len(order) + 1) // 2)
        batches = [order[i : i + size] for i in range(0, len(order), size)]
        limit = None
        if self._timeout_s is not None:
            limit = max(0.0, self._timeout_s * ceil((after + len(pairs)) / _BATCH) - spent_s)
        out = np.empty(len(encoded))
        for batch, found in zip(
            batches, self._model.run([[encoded[i] for i in batch] for batch in batches], limit), strict=True
        ):
            if found is None:
                raise TimeoutError(f"the model took longer than {limit} s")
            out[batch] = found[0]
        return out


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


@dataclass(frozen=True, slots=True)
class _Model:
    """What stands in a verifier's folder."""

    folder: Path
    id: str
    cheap: Weights
    full: Trees
    worth_reading: float
    strictest: float
    calibration: Calibration
    encoder: PairReader

    @classmethod
    def load(cls, folder: Path, threads: int, timeout_s: float | None) -> "_Model":
        try:
            config = json.loads((folder / "config.json").read_text())
            scales = tuple(tuple((float(s), float(p)) for s, p in scale) for scale in config["scales"])
            return cls(
                folder,
                config["id"],
                Weights(tuple(config["cheap"]["weights"]), config["cheap"]["bias"]),
                Trees.read(config["full"]),
                config["worth_reading"],
                config["strictest"],
                Calibration(tuple(config["edges"]), scales),
                PairReader(folder, threads=threads, timeout_s=timeout_s),
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"The verifier in {folder} cannot be used: {error}") from error


class Verifier:
    def __init__(self, folder: Path, *, threads: int = 0, timeout_s: float | None = None) -> None:
        self._threads, self._timeout_s = threads, timeout_s
        self.take(folder)

    @property
    def folder(self) -> Path:
        return self._model.folder

    @property
    def id(self) -> str:
        return self._model.id

    def take(self, folder: Path) -> None:
        """Judge by this model from now on; questions that are being judged keep the one that they began with.

        Raises ConfigurationError, and then keeps the one it has.
        """
        self._model = _Model.load(folder, self._threads, self._timeout_s)

    def threshold(self, budget: float) -> float:
        """The least probability at which no more than that share of what is served is wrong.

        Below the strictest budget that was calibrated nothing but the normal form serves.
        """
        return 1 - budget if budget >= self._model.strictest else float("inf")

    def judge(self, asked: Sequence[str], near: Sequence[Sequence[Wording]]) -> list[list[float]]:
        """For each question and each wording near it the probability that they ask the same.

        The wordings of one question are judged beside each other: what stands out is likelier than what is one of many.
        A probability says how much of what is served from there on is right. Those that the cross-encoder does not read
        get none above a half. Raises VerifierFailed.
        """
        model = self._model
        rows = [(n, q, w) for n, (q, wordings) in enumerate(zip(asked, near, strict=True)) for w in wordings]
        if not rows:
            return [[] for _ in asked]
        found = np.column_stack(
            [np.array([w.cosine for _, _, w in rows]), np.array([signs(q, w.question) for _, q, w in rows])]
        )
        early = model.cheap.probability(found)
        probability = np.minimum(early, _UNREAD_AT_MOST)
        group = np.array([n for n, _, _ in rows])
        logits, read = _read(model, [(q, w.question) for _, q, w in rows], early, group)
        if read.any():
            beside = context(logits, found[:, 0], group, [w for _, _, w in rows])
            scores = model.full.probability(np.column_stack([logits, found, beside])[read])
            probability[read] = model.calibration.share(scores, beside[read, NEARNESS])
        flat = iter(probability.tolist())
        return [[next(flat) for _ in wordings] for wordings in near]


def _read(
    model: _Model, pairs: Sequence[tuple[str, str]], early: Floats, group: npt.NDArray[np.int64]
) -> tuple[Floats, Flags]:
    """(n,) logits, UNREAD of what was not read, and (n,) whether it was. Raises VerifierFailed."""
    logits = np.full(len(pairs), UNREAD)
    first, rest = worth_reading(early, group, model.worth_reading)
    begun, before = time.perf_counter(), int(first.sum())
    if before:
        logits[first] = _logits(model.encoder, _chosen(pairs, first))
    more = goes_on(early, group, rest, logits)
    if more.any():
        spent = time.perf_counter() - begun
        logits[more] = _logits(model.encoder, _chosen(pairs, more), after=before, spent_s=spent)
    return logits, first | more


def _chosen(pairs: Sequence[tuple[str, str]], chosen: Flags) -> list[tuple[str, str]]:
    return [pairs[i] for i in np.flatnonzero(chosen).tolist()]


def _logits(encoder: PairReader, pairs: Sequence[tuple[str, str]], *, after: int = 0, spent_s: float = 0.0) -> Floats:
    try:
        logits = encoder.logits(pairs, after=after, spent_s=spent_s)
    except Exception as error:  # onnxruntime raises its own; whatever it is, it is no hit
        raise VerifierFailed(str(error)) from error
    if not np.isfinite(logits).all():
        raise VerifierFailed("the model gave no number")
    return logits


def worth_reading(early: Floats, group: npt.NDArray[np.int64], least: float) -> tuple[Flags, Flags]:
    """(n,) whether the cross-encoder reads it first, and whether it may read it then: of each group the likeliest, and
    the few after them, that are likely enough.
    """
    order = np.lexsort((-early, group))
    first = np.searchsorted(group[order], group[order])
    rank = np.empty(len(early), int)
    rank[order] = np.arange(len(early)) - first
    worth = early >= least
    return worth & (rank < _READ_FIRST), worth & (rank >= _READ_FIRST) & (rank < _MOST_READ)


def goes_on(early: Floats, group: npt.NDArray[np.int64], rest: Flags, logits: Floats) -> Flags:
    """(n,) which of the rest are read, after what was read of their group first."""
    out = np.zeros(len(early), bool)
    for n in np.unique(group[rest]):
        own, left = group == n, rest & (group == n)
        out[left] = logits[own].max() >= _RULED_OUT or early[left].max() >= _LIKELY
    return out


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
