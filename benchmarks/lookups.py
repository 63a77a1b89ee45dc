"""Questions to look up, memories written without embedding them, and the time that each stage of a lookup takes."""

import gzip
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from zuinig.app.services import Services
from zuinig.core.db import Database
from zuinig.core.tables import Memory
from zuinig.memory.questions import normal_form, question_key
from zuinig.retrieval.embed import Vectors
from zuinig.retrieval.index import changed

_VERBS = "book borrow clean extend move open pay repair replace return sell test".split()
_THINGS = "badge camera car chair desk door heater key lamp laptop phone printer projector screen table window".split()


@dataclass(frozen=True)
class Traffic:
    """stored: distinct in their normal form. repeats: of stored questions, in other words; novel: not stored."""

    stored: list[str]
    repeats: list[str]
    novel: list[str]


def of_stream(path: Path, stored: int, queries: int) -> Traffic:
    """Of a stream file (see `zuinig.training.streams`): its first questions, and so many queries of either kind."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        data = json.load(file)
    rows = list({normal_form(row[0]): row for row in data["store"]}.values())[:stored]
    words, groups = {normal_form(question) for question, _ in rows}, {group for _, group in rows}
    asked = [(q, group in groups) for q, group, _ in data["queries"] if normal_form(q) not in words]
    random.Random(1).shuffle(asked)
    kinds = [[q for q, repeat in asked if repeat is wanted][:queries] for wanted in (True, False)]
    return Traffic([question for question, _ in rows], *kinds)


def made_up(stored: int, queries: int) -> Traffic:
    things = [(verb, thing) for verb in _VERBS for thing in _THINGS]
    parts = [(*things[n % len(things)], n // len(things)) for n in range(stored)]
    asked = random.Random(1).sample(parts, min(queries, stored))
    return Traffic(
        [f"How do I {verb} the {thing} of room {room}?" for verb, thing, room in parts],
        [f"In what way can I {verb} the {thing} in room {room}?" for verb, thing, room in asked],
        [f"Who was the last to {verb} a {thing} in building {room}?" for verb, thing, room in asked],
    )


def write(db: Database, questions: Sequence[str], vectors: Vectors, *, embedder: str) -> None:
    """Memories as an import would make them, in bulk and with vectors (n, d) that are there already; one transaction.

    The questions must not be there yet.
    """
    with db.write() as session:
        first = (session.scalar(sa.select(sa.func.max(Memory.id))) or 0) + 1
        rows: list[dict[str, Any]] = [
            {
                "id": first + n,
                "question": question,
                "question_key": question_key(question),
                "answer": f"This is the answer to: {question}",
                "origin": "import",
                "confidence": 1.0,
                "verified_by": "benchmark",
                "created_by": "benchmark",
                "vector": vector.tobytes(),
                "embedder": embedder,
            }
            for n, (question, vector) in enumerate(zip(questions, vectors, strict=True))
        ]
        session.execute(sa.insert(Memory), rows)
        changed(session, "memories", range(first, first + len(rows)), added=True)


def turned(vectors: Vectors, *, cosine: float, seed: int) -> Vectors:
    """Unit rows at that cosine to those given, (n, d), by seeded noise: stand-ins for questions never embedded."""
    noise = np.random.default_rng(seed).standard_normal(vectors.shape, np.float32)
    noise -= (noise * vectors).sum(1, keepdims=True) * vectors
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    result: Vectors = cosine * vectors + np.float32((1 - cosine**2) ** 0.5) * noise
    return result


class Stages:
    """Seconds spent in methods of live objects, by the stage they stand for, since `begin`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self, thing: object, method: str, stage: str) -> None:
        inner = getattr(thing, method)

        def timed(*args: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return inner(*args, **named)
            finally:
                self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - begun

        setattr(thing, method, timed)

    def begin(self) -> None:
        self.seconds = {}


def watch_services(services: Services, stages: Stages) -> None:
    """`index` follows the change log, too."""
    stages.watch(services.embedder, "embed", "embed")
    stages.watch(services.memories, "search", "index")
    stages.watch(services.wordings, "search", "index")
    stages.watch(services.verifier, "judge", "verifier")


@dataclass
class Taken:
    """Milliseconds of each lookup, and of each stage in it; served: how many were answered."""

    total: list[float] = field(default_factory=list)
    stages: list[dict[str, float]] = field(default_factory=list)
    served: int = 0

    def at(self, share: float, stage: str | None = None) -> float:
        """The percentile; of `rest`: what no stage accounts for."""
        if stage == "rest":
            values = [t - sum(s.values()) for t, s in zip(self.total, self.stages, strict=True)]
        else:
            values = self.total if stage is None else [s.get(stage, 0.0) for s in self.stages]
        return float(np.percentile(values, share * 100))


def alternate(
    finders: Mapping[str, Callable[[str], bool]], queries: Sequence[str], stages: Stages, *, warm_up: int = 10
) -> dict[str, Taken]:
    """Each question to each finder in turn, in an order that rotates. A finder says whether it had an answer."""
    taken, names = {name: Taken() for name in finders}, list(finders)
    for n, question in enumerate([*queries[:warm_up], *queries]):
        for name in names[n % len(names) :] + names[: n % len(names)]:
            # Threads of the one before may still spin in wait for more work.
            time.sleep(0.01)
            stages.begin()
            begun = time.perf_counter()
            served = finders[name](question)
            seconds = time.perf_counter() - begun
            if n >= warm_up:
                taken[name].total.append(seconds * 1000)
                taken[name].stages.append({stage: s * 1000 for stage, s in stages.seconds.items()})
                taken[name].served += served
    return taken
