"""Fit what stands around the cross-encoder: its two stages, and the thresholds for wrong answers.

    python -m zuinig.training.fit_verifier MODEL STREAM [--verdicts FILE] [--cache FOLDER]

MODEL: a folder from `export_verifier`; gets config.json. STREAM: a stream file (see `streams`), with the verdicts of
whoever looked at its apparent errors again. Beside it the eighth of `written/` that no training saw: its questions are
stored, and its rewordings, near misses, and near misses made by rule are asked. Each half of the queries is judged by
trees grown on the other half. On those judgements each score is given its worth, apart for bands of how near the rest
of the store is: with 80 % confidence (Wilson)

- no more than the budget is wrong of what both together are served, where one asker in five asks a near miss;
- no more than twice the budget of the near misses made by rule (numbers, negation, names, direction) are accepted.
"""

import argparse
import json
import random
from dataclasses import dataclass, replace
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zuinig.core.logistic import Weights
from zuinig.core.trees import Trees
from zuinig.memory.verify import NEARNESS, UNREAD, Calibration, PairReader, context, goes_on, worth_reading
from zuinig.retrieval import embed
from zuinig.training import boost, logistic, streams
from zuinig.training.near_misses import near_misses
from zuinig.training.question_pairs import written_groups
from zuinig.training.shares import threshold

BUDGETS = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)
EDGES = (0.4, 0.55)  # of nearness: a store of few matters; of many; of many that are much alike
_LOOSEST = 0.3  # the score below which nothing would be served at any sensible budget
_SHORTLIST = 8
_PENALTY = 1.0
_NEAR_MISS_TRAFFIC = 0.2
_CHEAP_KEEPS = 0.975
_MADE_KINDS = ("number", "negation", "opposite", "direction", "person", "condition")

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """features (n, k, d) of `streams.features`, right (n, k), of what kind each query is."""

    name: str
    stream: streams.Stream
    features: Floats
    right: Flags
    kinds: list[str]

    @property
    def cheap(self) -> Floats:
        """(n * k, d - 1)"""
        return self.features[..., 1:].reshape(-1, self.features.shape[-1] - 1)

    @property
    def group(self) -> npt.NDArray[np.int64]:
        """(n * k,) to which query each row of `cheap` belongs"""
        return np.repeat(np.arange(len(self.right)), self.right.shape[1])

    def rows(self) -> Floats:
        """(n, k, d + context)"""
        n, k, d = self.features.shape
        flat = self.features.reshape(n * k, d)
        near = [w for row in streams.wordings(self.stream) for w in row]
        return np.column_stack([flat, context(flat[:, 0], flat[:, 1], self.group, near)]).reshape(n, k, -1)

    def read(self, encoder: PairReader, early: Floats, cache: Path | None) -> "Judged":
        """With the logits of what the service might read, early being the first stage's (n * k,) probabilities."""
        file = cache / f"{self.name}.npy" if cache else None
        if file and file.exists():
            logits = np.load(file)
        else:
            first, rest = worth_reading(early, self.group, 0.0)
            logits = streams.logits(self.stream, encoder, first | rest)
            if file:
                np.save(file, logits)
        return replace(self, features=np.concatenate([logits[..., None], self.features[..., 1:]], axis=2))

    def read_only(self, worth: Flags) -> "Judged":
        """As the service sees it: what the first stage leaves out (n * k,) is not read."""
        features = self.features.copy()
        features[..., 0] = np.where(worth.reshape(self.right.shape), features[..., 0], UNREAD)
        return replace(self, features=features)


def read_of(judged: Judged, early: Floats, least: float) -> Flags:
    """(n * k,) what the service reads."""
    first, rest = worth_reading(early, judged.group, least)
    logits = np.where(first, judged.features[..., 0].ravel(), UNREAD)
    return first | goes_on(early, judged.group, rest, logits)


def grow(rows: list[Floats], right: list[Flags], chosen: list[Flags]) -> dict[str, Any]:
    """Trees on the chosen queries of each set, as they stand in config.json; every set weighs the same."""
    x = np.concatenate([r[c].reshape(-1, r.shape[-1]) for r, c in zip(rows, chosen, strict=True)])
    y = np.concatenate([r[c].ravel() for r, c in zip(right, chosen, strict=True)])
    weight = np.concatenate([np.full(r[c].size, 1 / max(r[c].size, 1)) for r, c in zip(right, chosen, strict=True)])
    return boost.grow(x, y, weight)


def crossed(rows: list[Floats], right: list[Flags]) -> list[Floats]:
    """(n, k) probabilities of each set, each half by trees grown on the other."""
    chance = np.random.default_rng(1)
    halves = [chance.random(len(r)) < 0.5 for r in right]
    out = [np.zeros(r.shape) for r in right]
    for chosen in (halves, [~h for h in halves]):
        trees = Trees.read(grow(rows, right, chosen))
        for x, h, p in zip(rows, chosen, out, strict=True):
            p[~h] = trees.probability(x[~h].reshape(-1, x.shape[-1])).reshape(p[~h].shape)
    return out


def accepting(scores: Floats, budget: float) -> float:
    """The least score that accepts no more than twice the budget of what repeats nothing."""
    misses = np.sort(scores)[::-1]
    return float(np.nextafter(misses[int(2 * budget * len(misses))], 2.0))


def best(probabilities: Floats, right: Flags) -> tuple[Floats, Flags]:
    """(n,) of the likeliest candidate: its probability, and whether serving it is right."""
    rows, n = np.arange(len(probabilities)), probabilities.argmax(1)
    return probabilities[rows, n], right[rows, n]


@dataclass(frozen=True)
class Served:
    """What would be served to each query: its score, whether it is right, how near the rest is, the query's weight."""

    score: Floats
    wrong: Flags
    nearness: Floats
    weight: Floats

    def inside(self, low: float, high: float) -> "Served":
        chosen = (self.nearness >= low) & (self.nearness < high)
        return Served(self.score[chosen], self.wrong[chosen], self.nearness[chosen], self.weight[chosen])


def served(judged: Judged, probabilities: Floats) -> Served:
    """Near misses weigh so much that one asker in five asks one; those made by rule are counted apart, and weigh 0."""
    score, right = best(probabilities, judged.right)
    kinds = np.array(judged.kinds)
    misses, repeats = (kinds == "near miss").sum(), (kinds == "repeat").sum()
    share = _NEAR_MISS_TRAFFIC / (1 - _NEAR_MISS_TRAFFIC) * repeats / max(misses, 1)
    weight = np.select([kinds == "near miss", kinds == "made"], [share, 0.0], 1.0)
    rows, n = np.arange(len(probabilities)), probabilities.argmax(1)
    return Served(score, ~right, judged.rows()[rows, n, judged.features.shape[-1] + NEARNESS], weight)


def scales(found: list[Served], made: Floats) -> list[list[tuple[float, float]]]:
    """For each band of nearness (score, share that is right from there on). made: scores of near misses by rule."""
    out = []
    bounds = [-1.0, *EDGES, 2.0]
    for low, high in pairwise(bounds):
        parts = [s.inside(low, high) for s in found]
        score, wrong, weight = (np.concatenate([getattr(p, f) for p in parts]) for f in ("score", "wrong", "weight"))
        counted = weight > 0
        least, scale = 0.0, [(0.0, 0.0)]
        for budget in reversed(BUDGETS):
            bound = max(threshold(score[counted], wrong[counted], budget, weight[counted]), accepting(made, budget))
            least = max(least + 1e-6, bound)
            if least >= 1 - 1e-6:
                # Not shown to hold: what scores higher still ranks higher, and stays below this budget.
                scale.append((1.0, 1 - budget - 1e-4))
                break
            scale.append((least, 1 - budget))
        else:
            scale.append((1.0, 1.0))
        print(f"  nearness from {low:.2f} to {high:.2f}, {counted.sum()} asked: {scale}")
        out.append(scale)
    return out


def report(judged: Judged, found: Served, calibration: Calibration) -> None:
    share = calibration.share(found.score, found.nearness)
    kinds = np.array(judged.kinds)
    repeats = judged.stream.repeat.sum()
    for budget in BUDGETS:
        taken = share >= 1 - budget
        plain = taken & (kinds != "near miss") & (kinds != "made")
        wrong = found.wrong[plain].mean() if plain.any() else 0.0
        margin = 1.96 * sqrt(wrong * (1 - wrong) / max(plain.sum(), 1))
        shown = f"{(~found.wrong[plain]).sum() / repeats:.1%} of repeats, {wrong:.2%} wrong ±{margin:.2%}"
        accepted = {k: f"{taken[kinds == k].mean():.1%}" for k in ("near miss", "made") if (kinds == k).any()}
        print(f"  {judged.name}: budget {budget:.2%}: {shown}; accepted: {accepted}")


def sets(
    stream: Path, verdicts: Path | None, embedder: embed.Embedder
) -> list[tuple[str, streams.Stream, Flags, list[str]]]:
    """(name, stream, right (n, k), kind of each query) of the stream and of what was written."""
    quora = streams.read(stream, embedder, shortlist=_SHORTLIST)
    right = streams.adjudicated(quora, streams.read_verdicts(verdicts) if verdicts else {})
    groups, chance = written_groups(held_out=True), random.Random(1)
    store = [(row["question"], n) for n, row in enumerate(groups)]
    asked = [(q, n, "repeat") for n, row in enumerate(groups) for q in row["repeats"]]
    asked += [(q, -1, "near miss") for row in groups for q in row["near_misses"]]
    for row in groups:
        asked += [(q, -1, "made") for kind, q in near_misses(row["question"], chance) if kind in _MADE_KINDS]
    written = streams.make(store, asked, embedder, shortlist=_SHORTLIST)
    return [
        ("stream", quora, right, ["asked"] * len(quora.queries)),
        ("written", written, written.same, [kind for *_, kind in asked]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--verdicts", type=Path)
    parser.add_argument("--embedder", default="all-MiniLM-L6-v2-int8")
    parser.add_argument("--cache", type=Path, help="keep what the model says of the pairs here, to fit again sooner")
    args = parser.parse_args()
    embedder, encoder = embed.load(args.embedder), PairReader(args.model)
    judged = [
        Judged(name, stream, streams.features(stream), right, kinds)
        for name, stream, right, kinds in sets(args.stream, args.verdicts, embedder)
    ]
    same = np.concatenate([j.right.ravel() for j in judged]).astype(float)
    weight = np.concatenate([np.full(j.right.size, 1 / j.right.size) for j in judged]) * len(same) / len(judged)
    cheap = logistic.fit(np.concatenate([j.cheap for j in judged]), same, penalty=_PENALTY, weights=weight)
    early = [logistic.predict(cheap, j.cheap) for j in judged]
    judged = [j.read(encoder, e, args.cache) for j, e in zip(judged, early, strict=True)]
    # What the loosest budget would serve must get past the first stage; what it would not is not worth reading.
    first = crossed([j.rows() for j in judged], [j.right for j in judged])
    kept = [e[(j.right & (p >= _LOOSEST)).ravel()] for e, j, p in zip(early, judged, first, strict=True)]
    worth = float(np.quantile(np.concatenate(kept), 1 - _CHEAP_KEEPS))
    masks = [read_of(j, e, worth) for j, e in zip(judged, early, strict=True)]
    seen = [j.read_only(m) for j, m in zip(judged, masks, strict=True)]
    rows, right = [j.rows() for j in seen], [j.right for j in seen]
    probabilities = crossed(rows, right)
    found = [served(j, p) for j, p in zip(seen, probabilities, strict=True)]
    made = np.array(seen[1].kinds) == "made"
    bands = scales(found, found[1].score[made])
    calibration = Calibration(EDGES, tuple(map(tuple, bands)))
    for j, f, m in zip(seen, found, masks, strict=True):
        report(j, f, calibration)
        read = m.reshape(j.right.shape).sum(1)
        print(f"  {j.name}: the cross-encoder reads {read.mean():.2f} pairs a query, none for {(read == 0).mean():.0%}")
    stage = Weights(tuple(cheap[:-1].tolist()), float(cheap[-1]))
    config = {
        "id": args.model.name,
        "cheap": {"weights": stage.weights, "bias": stage.bias},
        "full": grow(rows, right, [np.ones(len(r), bool) for r in right]),
        "worth_reading": worth,
        "strictest": BUDGETS[0],
        "edges": EDGES,
        "scales": bands,
    }
    (args.model / "config.json").write_text(json.dumps(config) + "\n")


if __name__ == "__main__":
    main()
