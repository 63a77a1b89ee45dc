"""How far a small model agrees with the large one that it was made of."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Of a distribution over tokens; what is beyond is taken together, so that of a large vocabulary little has to be kept.
_TOP = 1024


@dataclass(frozen=True, slots=True)
class Step:
    """same: both would say the same token; divergence: Kullback-Leibler, of the small from the large, in nats."""

    same: bool
    divergence: float


@dataclass(frozen=True, slots=True)
class Reference:
    """The likeliest tokens of a distribution. tokens: (k,), best first; logs: (k,) natural logs of their shares."""

    tokens: npt.NDArray[np.intp]
    logs: npt.NDArray[np.float32]

    @classmethod
    def of(cls, logits: npt.NDArray[np.float32]) -> "Reference":
        logs = _log_softmax(logits)
        top = np.argpartition(-logs, _TOP)[:_TOP] if len(logs) > _TOP else np.arange(len(logs))
        top = top[np.argsort(-logs[top], kind="stable")]
        return cls(top, logs[top].astype(np.float32))

    def beside(self, logits: npt.NDArray[np.float32]) -> Step:
        """Over the kept tokens and the rest as one: exact for a vocabulary of no more than is kept, else at most a
        little too small (Cover and Thomas, Elements of Information Theory, data processing inequality)."""
        logs = _log_softmax(logits)
        shares = np.exp(self.logs.astype(np.float64))
        divergence = float(shares @ (self.logs - logs[self.tokens]))
        rest = 1 - shares.sum()
        if len(logs) > len(self.tokens) and rest > 0:
            others = max(1 - float(np.exp(logs[self.tokens]).sum()), np.finfo(np.float64).tiny)
            divergence += float(rest * np.log(rest / others))
        return Step(int(logits.argmax()) == int(self.tokens[0]), max(0.0, divergence))


def _log_softmax(logits: npt.NDArray[np.float32]) -> Floats:
    shifted = logits.astype(np.float64) - float(logits.max())
    logs: Floats = shifted - np.log(np.exp(shifted).sum())
    return logs


def mean_cosine(before: Floats, after: Floats) -> float:
    """Of rows, both (n, d)."""
    return float((_unit(before) * _unit(after)).sum(1).mean())


def neighbours_kept(before: Floats, after: Floats, k: int) -> float:
    """Share of the k nearest other rows that stay among the k nearest; both (n, d), k < n."""
    sets = [np.argpartition(-_nearness(x), k - 1)[:, :k] for x in (before, after)]
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(*sets, strict=True)]))


def rank_correlation(before: Floats, after: Floats) -> float:
    """Spearman's, ties sharing their mean rank; both (n,). 0 where all values of one are the same."""
    a, b = (_ranks(x) for x in (before, after))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm else 0.0


def _nearness(rows: Floats) -> Floats:
    unit = _unit(rows)
    cosines: Floats = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    return cosines


def _unit(rows: Floats) -> Floats:
    unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


def _ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks
