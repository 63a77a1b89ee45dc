"""Fit what stands around the cross-encoder: the weights of its two stages, and the thresholds for wrong answers.

    python -m zuinig.training.fit_verifier MODEL STREAM [--verdicts FILE]

MODEL: a folder from `export_verifier`; gets config.json. STREAM: a stream file (see `streams`), with the verdicts of
whoever looked at its apparent errors again. Beside it the eighth of `written/` that no training saw: half of what is
asked there are near misses, so it weighs little and is held to its own bound. Each half of the queries is judged by
weights fitted on the other half; the thresholds are chosen on those judgements, so that with 80 % confidence no more
than the budget is wrong on the stream, and no more than twice the budget of the written near misses is accepted.
"""

import argparse
import json
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zuinig.memory.verify import CrossEncoder
from zuinig.retrieval import embed
from zuinig.training import logistic, streams
from zuinig.training.question_pairs import written_groups

BUDGETS = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)
_SHORTLIST = 8
_PENALTY = 1.0
_Z = 0.84  # one-sided 80 %
_WRITTEN_WEIGHT = 0.02  # of all written pairs together beside all of the stream
_CHEAP_KEEPS = 0.995

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """features (n, k, d), right (n, k), repeat (n,), weight of a pair."""

    name: str
    features: Floats
    right: npt.NDArray[np.bool_]
    repeat: npt.NDArray[np.bool_]
    weight: float


def fit(sets: list[Judged], halves: list[npt.NDArray[np.bool_]]) -> Floats:
    """Weights on the chosen queries of each set."""
    d = sets[0].features.shape[-1]
    x = np.concatenate([s.features[h].reshape(-1, d) for s, h in zip(sets, halves, strict=True)])
    y = np.concatenate([s.right[h].ravel() for s, h in zip(sets, halves, strict=True)]).astype(float)
    w = np.concatenate([np.full(s.right[h].size, s.weight) for s, h in zip(sets, halves, strict=True)])
    return logistic.fit(x, y, penalty=_PENALTY, weights=w)


def crossed(sets: list[Judged]) -> list[Floats]:
    """(n, k) probabilities of each set, each half by weights of the other."""
    chance = np.random.default_rng(1)
    halves = [chance.random(len(s.features)) < 0.5 for s in sets]
    out = [np.zeros(s.right.shape) for s in sets]
    for chosen in (halves, [~h for h in halves]):
        found = fit(sets, chosen)
        for s, h, p in zip(sets, chosen, out, strict=True):
            p[~h] = logistic.predict(found, s.features[~h].reshape(-1, s.features.shape[-1])).reshape(s.right[~h].shape)
    return out


def threshold(probabilities: Floats, right: npt.NDArray[np.bool_], budget: float) -> float:
    """The least probability from which on, with 80 % confidence, no more than budget is wrong."""
    best = probabilities.argmax(1)
    rows = np.arange(len(best))
    scores, hits = probabilities[rows, best], right[rows, best]
    order = np.argsort(-scores, kind="stable")
    n = np.arange(1, len(order) + 1)
    wrong = np.cumsum(~hits[order])
    share = wrong / n
    middle = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z * np.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n)) / (1 + _Z * _Z / n)
    allowed = np.flatnonzero(middle + half <= budget)
    return float(scores[order[allowed[-1]]]) if len(allowed) else 1.0


def accepting(probabilities: Floats, repeat: npt.NDArray[np.bool_], budget: float) -> float:
    """The least probability that accepts no more than twice the budget of what repeats nothing."""
    misses = np.sort(probabilities[~repeat].max(1))[::-1]
    return float(np.nextafter(misses[int(2 * budget * len(misses))], 2.0))


def report(judged: Judged, probabilities: Floats, thresholds: list[tuple[float, float]]) -> None:
    rows, best = np.arange(len(probabilities)), probabilities.argmax(1)
    scores, hits = probabilities[rows, best], judged.right[rows, best]
    for budget, least in thresholds:
        served = scores >= least
        wrong = 1 - hits[served].mean() if served.any() else 0.0
        margin = 1.96 * sqrt(wrong * (1 - wrong) / max(served.sum(), 1))
        share = hits[served].sum() / judged.repeat.sum()
        shown = f"{share:.1%} of repeats, {wrong:.2%} wrong ±{margin:.2%}"
        print(f"  {judged.name}: budget {budget:.2%}, from {least:.3f}: {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--verdicts", type=Path)
    parser.add_argument("--embedder", default="all-MiniLM-L6-v2-int8")
    args = parser.parse_args()
    embedder, encoder = embed.load(args.embedder), CrossEncoder(args.model)
    quora = streams.read(args.stream, embedder, shortlist=_SHORTLIST)
    verdicts = streams.read_verdicts(args.verdicts) if args.verdicts else {}
    groups = streams.of_groups(written_groups(held_out=True), embedder, shortlist=_SHORTLIST)
    pairs = quora.same.size / max(groups.same.size, 1)
    sets = [
        Judged("stream", streams.features(quora, encoder), streams.adjudicated(quora, verdicts), quora.repeat, 1.0),
        Judged("written", streams.features(groups, encoder), groups.same, groups.repeat, _WRITTEN_WEIGHT * pairs),
    ]
    everything = [np.ones(len(s.features), bool) for s in sets]
    cheap_sets = [Judged(s.name, s.features[..., 1:], s.right, s.repeat, s.weight) for s in sets]
    cheap, full = fit(cheap_sets, everything), fit(sets, everything)
    judged = crossed(sets)
    stream, written = judged
    thresholds = [(b, max(threshold(stream, sets[0].right, b), accepting(written, sets[1].repeat, b))) for b in BUDGETS]
    early = [logistic.predict(cheap, s.features[..., 1:].reshape(-1, s.features.shape[-1] - 1)) for s in sets]
    # What the loosest budget would serve must get past the first stage; what it would not is not worth reading.
    served = early[0][(sets[0].right & (stream >= thresholds[-1][1])).ravel()]
    worth = float(np.quantile(served, 1 - _CHEAP_KEEPS))
    for s, p, e in zip(sets, judged, early, strict=True):
        report(s, p, thresholds)
        read = (e >= worth).reshape(s.right.shape).sum(1)
        print(f"  {s.name}: the cross-encoder reads {read.mean():.2f} pairs a query, none for {(read == 0).mean():.0%}")
    config = {
        "id": args.model.name,
        "cheap": {"weights": cheap[:-1].tolist(), "bias": float(cheap[-1])},
        "full": {"weights": full[:-1].tolist(), "bias": float(full[-1])},
        "worth_reading": worth,
        "thresholds": thresholds,
    }
    (args.model / "config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()
