"""A lookup in the memory beside one in GPTCache: in one process, in turns, on the same questions and the same vectors.

GPTCache runs with SQLite, FAISS and its distance evaluation, at its defaults but for room for all questions, and with
Zuinig's embedder. It is filled by its own bulk import with the vectors that Zuinig made: saving one at a time takes far
longer. By itself its FAISS uses all cores, Zuinig's one; it is measured with either. It commits to disk at each lookup;
with TMPDIR on a RAM disk that costs next to nothing.

Stages: of GPTCache, `index` is its search and `rows` the reading of what was found, with that commit; of Zuinig,
`index` follows the change log too, and `verifier` reads the shortlist. `rest` is SQL and plain code, of GPTCache also
the report that it writes of a hit. Asked are repeats of stored questions in other words, and questions that are not
stored. Then the same over HTTP, of Zuinig alone: a whole request, with the answer recorded.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import faiss
import numpy as np
import sqlalchemy as sa
from gptcache import Cache
from gptcache.adapter import api

from benchmarks.gptcaches import open_cache
from benchmarks.lookups import Stages, Taken, Traffic, alternate, made_up, of_stream, watch_services, write
from benchmarks.served import fire, served
from zuinig.app.services import Services, build
from zuinig.core.db import Database
from zuinig.core.settings import Settings
from zuinig.core.tables import Memory
from zuinig.memory.importing import Pair
from zuinig.retrieval.embed import Vectors

_STAGES = ("embed", "index", "rows", "verifier", "rest")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=300, help="of either kind")
    parser.add_argument("--stream", type=Path, help="a stream file, such as qqp/stream_cal.json.gz")
    args = parser.parse_args()
    size = args.memories, args.queries
    traffic = of_stream(args.stream, *size) if args.stream else made_up(*size)
    print(f"{len(traffic.stored)} memories, on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        services = build(Settings(data_dir=Path(folder, "zuinig"), ingest_workers=0))
        vectors = _fill(services, traffic)
        _in_process(services, _gptcache(services, Path(folder), traffic, vectors), traffic)
        services.close()
    _over_http(traffic, vectors, services.embedder.id)


def _in_process(services: Services, gptcache: Cache, traffic: Traffic) -> None:
    stages = Stages()
    watch_services(services, stages)
    stages.watch(gptcache.data_manager, "search", "index")
    stages.watch(gptcache.data_manager, "get_scalar_data", "rows")
    finders: dict[str, Callable[[str], bool]] = {
        "Zuinig": lambda question: services.recall.find(question).hit is not None,
        "GPTCache, FAISS on all cores": partial(_gptcache_find, gptcache, os.cpu_count() or 1),
        "GPTCache, FAISS on one core": partial(_gptcache_find, gptcache, 1),
    }
    print(f"\n| ms a lookup | asked | served | p50 | p95 |{'|'.join(f' {s} p50 ' for s in _STAGES)}|")
    print("| --- " * (5 + len(_STAGES)) + "|")
    for kind, questions in (("repeats", traffic.repeats), ("not stored", traffic.novel)):
        for name, taken in alternate(finders, questions, stages).items():
            print(_row(name, kind, taken))


def _fill(services: Services, traffic: Traffic) -> Vectors:
    """Through the importer. Returns the vectors it made, in the order of the questions."""
    begun = time.perf_counter()
    pairs = [Pair(question, f"This is the answer to: {question}") for question in traffic.stored]
    services.importing.run(pairs, by="benchmark")
    imported = time.perf_counter()
    assert services.memories.count() == len(pairs)
    followed = time.perf_counter()
    rate = len(pairs) / (imported - begun)
    print(f"Zuinig: {rate:.0f} memories/s imported; the index followed in {followed - imported:.1f} s")
    with services.db.read() as session:
        rows = session.scalars(sa.select(Memory.vector).order_by(Memory.id)).all()
    return np.frombuffer(b"".join(rows), np.float32).reshape(len(rows), -1)


def _gptcache(services: Services, folder: Path, traffic: Traffic, vectors: Vectors) -> Cache:
    embedder = services.embedder
    cache = open_cache(
        folder, lambda question: embedder.embed([question])[0], embedder.dimension, room=2 * len(traffic.stored)
    )
    begun = time.perf_counter()
    answers = [f"This is the answer to: {question}" for question in traffic.stored]
    cache.data_manager.import_data(traffic.stored, answers, list(vectors), [None] * len(answers))
    rate = len(answers) / (time.perf_counter() - begun)
    print(f"GPTCache: {rate:.0f} memories/s imported in bulk, vectors given")
    return cache


def _gptcache_find(cache: Cache, threads: int, question: str) -> bool:
    faiss.omp_set_num_threads(threads)
    found = api.get(question, cache_obj=cache) is not None
    faiss.omp_set_num_threads(1)
    return found


def _row(name: str, kind: str, taken: Taken) -> str:
    stages = " | ".join(f"{taken.at(0.5, stage):.1f}" for stage in _STAGES)
    count = len(taken.total)
    return (
        f"| {name} | {count} {kind} | {taken.served / count:.0%} | **{taken.at(0.5):.1f}** | {taken.at(0.95):.1f} "
        f"| {stages} |"
    )


def _over_http(traffic: Traffic, vectors: Vectors, embedder: str) -> None:
    with served() as service:
        db = Database(Settings(data_dir=service.data).url)
        write(db, traffic.stored, vectors, embedder=embedder)
        db.close()

        stages: dict[str, list[float]] = {}

        def send(questions: Sequence[str], n: int) -> float:
            begun = time.perf_counter()
            answer = service.client.post("/v1/chat", json={"question": questions[n], "memory": "only"}).json()
            seconds = time.perf_counter() - begun
            assert answer["source"] in ("memory", "none"), answer
            for stage, ms in answer["timing_ms"].items():
                stages.setdefault(stage, []).append(ms)
            return seconds

        print()
        send(traffic.repeats, 0)  # the index follows
        for kind, questions in (("repeats", traffic.repeats), ("not stored", traffic.novel)):
            stages.clear()
            print(f"Zuinig over HTTP, {kind}, {fire(partial(send, questions), len(questions), 1)}")
            print("of which p50", ", ".join(f"{name} {np.median(ms):.1f} ms" for name, ms in stages.items()))


if __name__ == "__main__":
    main()
