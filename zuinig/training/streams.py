"""Streams of questions against a store of remembered ones: what a lookup meets, with what is known to be right.

A stream file: JSON of `store` [[question, group], ...] and `queries` [[question, group, kind], ...], plain or gzipped;
equal groups ask the same. Labels of people are never complete: `adjudicated` names pairs that somebody looked at again.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zuinig.core.types import Codec
from zuinig.memory.signs import signs
from zuinig.memory.verify import UNREAD, PairReader, Wording
from zuinig.retrieval.embed import Embedder
from zuinig.retrieval.stores import faiss

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Stream:
    """n queries with their k nearest of the store. same: by the labels, (n, k); repeat: (n,) has one in the store."""

    queries: list[str]
    near: list[list[str]]
    cosines: Floats
    same: Flags
    repeat: Flags


def pair_id(query: str, stored: str) -> str:
    """How an adjudicated pair is named without its text, which may not be ours to publish."""
    return hashlib.sha256(f"{query}\n{stored}".encode()).hexdigest()[:16]


def read(path: Path, embedder: Embedder, *, shortlist: int, every: int = 1) -> Stream:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        data = json.load(file)
    return make(data["store"], data["queries"][::every], embedder, shortlist=shortlist)


def of_groups(groups: Sequence[dict[str, Any]], embedder: Embedder, *, shortlist: int) -> Stream:
    """Of `written` groups: each question stored, its repeats and its near misses asked."""
    store = [(row["question"], n) for n, row in enumerate(groups)]
    queries = [(q, n) for n, row in enumerate(groups) for q in row["repeats"]]
    queries += [(q if isinstance(q, str) else q["question"], -1) for row in groups for q in row["near_misses"]]
    return make(store, queries, embedder, shortlist=shortlist)


def make(store: Sequence[Any], queries: Sequence[Any], embedder: Embedder, *, shortlist: int) -> Stream:
    """Both of (question, group, ...)."""
    index = faiss.create(embedder.dimension, Codec.FLOAT32)
    index.add(np.arange(len(store)), embedder.embed([question for question, *_ in store]))
    ids, cosines = index.search(embedder.embed([question for question, *_ in queries]), shortlist)
    groups = np.array([group for _, group, *_ in store])
    own = np.array([group for _, group, *_ in queries])
    return Stream(
        queries=[question for question, *_ in queries],
        near=[[store[i][0] for i in row] for row in ids],
        cosines=cosines.astype(float),
        same=groups[ids] == own[:, None],
        repeat=np.isin(own, groups),
    )


def adjudicated(stream: Stream, verdicts: Mapping[str, bool | None]) -> Flags:
    """same, with the pairs that were looked at again."""
    found = stream.same.copy()
    for n, (query, near) in enumerate(zip(stream.queries, stream.near, strict=True)):
        for k, stored in enumerate(near):
            said = verdicts.get(pair_id(query, stored))
            found[n, k] = found[n, k] if said is None else said
    return found


def read_verdicts(path: Path) -> dict[str, bool | None]:
    """JSON lines of `pair` and `same`, which is null where nobody could tell."""
    return {r["pair"]: r["same"] for r in map(json.loads, path.read_text().splitlines())} if path.exists() else {}


def wordings(stream: Stream) -> list[list[Wording]]:
    """As the verifier takes them; each stored question is answered by itself alone."""
    return [
        [Wording(stored, float(cosine)) for stored, cosine in zip(near, cosines, strict=True)]
        for near, cosines in zip(stream.near, stream.cosines, strict=True)
    ]


def features(stream: Stream) -> Floats:
    """(n, k, 2 + signs): logit, cosine, signs. No logit is known yet."""
    n, k = stream.cosines.shape
    found = [signs(query, stored) for query, stored in _pairs(stream)]
    rows = np.column_stack([np.full(n * k, UNREAD), stream.cosines.ravel(), np.array(found)])
    return rows.reshape(n, k, -1)


def logits(stream: Stream, encoder: PairReader, chosen: Flags) -> Floats:
    """(n, k), of the chosen (n * k,); UNREAD of the others."""
    pairs, found = _pairs(stream), np.full(len(chosen), UNREAD)
    found[chosen] = encoder.logits([pairs[i] for i in np.flatnonzero(chosen)])
    return found.reshape(stream.cosines.shape)


def _pairs(stream: Stream) -> list[tuple[str, str]]:
    return [(query, stored) for query, near in zip(stream.queries, stream.near, strict=True) for stored in near]


def served_at(scores: Floats, right: Flags, repeats: int, budget: float) -> tuple[float, float]:
    """(share of the repeats served, least score) at the most that can be served with that share of wrong answers."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    wrong = 1 - hits / np.arange(1, len(order) + 1)
    allowed = np.flatnonzero(wrong <= budget)
    if not len(allowed):
        return 0.0, float("inf")
    last = allowed[-1]
    return float(hits[last] / repeats), float(scores[order[last]])
