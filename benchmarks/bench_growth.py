"""What a lookup and the memory it takes grow to from 10,000 to 1,000,000 memories, beside the bare index.

Embedding a million texts takes long on two cores, so only the first questions are real and embedded
(--embedded). The others are halves of two of them with a number, and with a stand-in for a vector: that of a real
question, turned by seeded noise to a cosine of 0.3. So they rarely come into a shortlist, the verifier reads real
questions at every size (`real` is their share of the shortlists), and a flat index takes as long for any vector.
Until all real questions are stored the verifier gets more to read with each size; after that, the same. All but the
last 1,000 of each size are rows written in bulk, which the index follows by its change log; the last are imported as
anybody's would be, embedded too.

Half the queries are repeats of stored questions in other words, half are not stored. Each is looked up by the service
and, in turns with it, its vector sought in the bare index: the service's own snapshot, as FAISS itself reads it, on one
thread as in the service. Times are milliseconds, stages p50. `grown`: how far the p50 is above that of the first size.
`after a write`: the first lookup after one memory was added. `follows`: how long the index takes to catch up with the
rows written in bulk. `start` and `resident` are of a fresh process, from its start to the end of its first lookup.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np

from benchmarks.lookups import Stages, Traffic, alternate, made_up, of_stream, turned, watch_services, write
from zuinig.app.services import Services, build
from zuinig.core.settings import Settings
from zuinig.memory.importing import Pair
from zuinig.retrieval.embed import Vectors

_SIZES = (10_000, 50_000, 200_000, 1_000_000)
_IMPORTED = 1_000
_WRITES = 9
_SHORTLIST = 8
_AT_ONCE = 10_000
_COSINE = 0.3
_STAGES = ("embed", "index", "verifier", "rest")
_FRESH = """
import sys, time
from pathlib import Path
begun = time.perf_counter()
import psutil
from zuinig.app.services import build
from zuinig.core.settings import Settings
build(Settings(data_dir=Path(sys.argv[1]), ingest_workers=0)).recall.find(sys.argv[2])
print(time.perf_counter() - begun, psutil.Process().memory_info().rss / 1e6)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=_SIZES[-1], help="stop there; more than 1,000")
    parser.add_argument("--embedded", type=int, default=50_000, help="how many questions are real")
    parser.add_argument("--queries", type=int, default=100, help="of either kind")
    parser.add_argument("--stream", type=Path, help="a stream file, such as qqp/stream_cal.json.gz")
    args = parser.parse_args()
    size = min(args.embedded, args.most), args.queries
    traffic = of_stream(args.stream, *size) if args.stream else made_up(*size)
    with tempfile.TemporaryDirectory() as folder:
        growing = Growing(build(Settings(data_dir=Path(folder), ingest_workers=0)), traffic)
        stages = "|".join(f" {stage} " for stage in _STAGES)
        print(f"| memories | lookup p50 | p95 | grown |{stages}| bare index p50 | p95 | grown | after a write | real |")
        print("| --- " * (9 + len(_STAGES)) + "|")
        rows = [growing.to(size) for size in [s for s in _SIZES if s <= args.most] or [args.most]]
        print("\n| memories | imported/s | written/s | follows s | start s | resident MB | index MB | database MB |")
        print("| --- " * 8 + "|")
        print("\n".join(rows))
        growing.services.close()


class Growing:
    """One service, filled further and further."""

    def __init__(self, services: Services, traffic: Traffic) -> None:
        self.services, self._traffic = services, traffic
        self._vectors = services.embedder.embed(traffic.stored)
        queries = [q for pair in zip(traffic.repeats, traffic.novel, strict=False) for q in pair]
        self._queries = dict(zip(queries, services.embedder.embed(queries), strict=True))
        self._stages = Stages()
        watch_services(services, self._stages)
        self._real = set(traffic.stored)
        self._first: tuple[float, float] | None = None
        self._count = 0

    def to(self, size: int) -> str:
        """Prints the row of the lookups, and returns that of the sizes."""
        written, follow_s = self._write(size - _IMPORTED)
        imported = self._import(_IMPORTED)
        self.services.memories.catch_up()
        self.services.memories.save()
        folder = self.services.settings.data_dir
        fresh = [sys.executable, "-c", _FRESH, str(folder), next(iter(self._queries))]
        start_s, resident = map(float, subprocess.run(fresh, capture_output=True, check=True).stdout.split())
        (snapshot,) = self.services.settings.index_dir.glob("memories-*.index")
        self._look_up(size, snapshot)
        database = sum(file.stat().st_size for file in folder.glob("*.db*")) / 1e6
        return (
            f"| {size:,} | {imported:.0f} | {written:.0f} | {follow_s:.1f} | {start_s:.1f} | {resident:.0f} "
            f"| {snapshot.stat().st_size / 1e6:.0f} | {database:.0f} |"
        )

    def _write(self, size: int) -> tuple[float, float]:
        """In bulk. Returns memories a second, and the seconds in which the index followed."""
        seconds, before = 0.0, self._count
        for questions, vectors in self._batches(size):
            begun = time.perf_counter()
            write(self.services.db, questions, vectors, embedder=self.services.embedder.id)
            seconds += time.perf_counter() - begun
            self._count += len(questions)
        begun = time.perf_counter()
        self.services.memories.catch_up()
        return (self._count - before) / seconds, time.perf_counter() - begun

    def _batches(self, size: int) -> Iterator[tuple[list[str], Vectors]]:
        stored = self._traffic.stored
        for at in range(self._count, size, _AT_ONCE):
            numbers = np.arange(at, min(at + _AT_ONCE, size))
            vectors, made = self._vectors[numbers % len(stored)], numbers >= len(stored)
            vectors[made] = turned(vectors[made], cosine=_COSINE, seed=at)
            yield [self._question(n) for n in numbers.tolist()], vectors

    def _question(self, n: int) -> str:
        """The n-th: a real one, or, when there are no more, halves of two with the number."""
        stored = self._traffic.stored
        if n < len(stored):
            return stored[n]
        one, other = stored[n % len(stored)].split(), stored[n * 7919 % len(stored)].split()
        return " ".join([*one[: len(one) // 2], *other[len(other) // 2 :], str(n)])

    def _import(self, count: int) -> float:
        """Memories a second."""
        numbers = range(self._count, self._count + count)
        pairs = [Pair(question, "An answer.") for question in map(self._question, numbers)]
        begun = time.perf_counter()
        imported = self.services.importing.run(pairs, by="benchmark")
        seconds = time.perf_counter() - begun
        assert imported.added == count, imported
        self._count += count
        return count / seconds

    def _look_up(self, size: int, snapshot: Path) -> None:
        bare = faiss.read_index(str(snapshot))
        shown: list[bool] = []
        vectors = {q: v[np.newaxis] for q, v in self._queries.items()}

        def find(question: str) -> bool:
            found = self.services.recall.find(question)
            shown.extend(c.question in self._real for c in found.candidates)
            return found.hit is not None

        def search(question: str) -> bool:
            return len(bare.search(vectors[question], _SHORTLIST)[1]) == 1

        taken = alternate({"lookup": find, "bare": search}, list(self._queries), self._stages)
        lookup, index = taken["lookup"], taken["bare"]
        self._first = self._first or (lookup.at(0.5), index.at(0.5))
        stages = " | ".join(f"{lookup.at(0.5, stage):.1f}" for stage in _STAGES)
        print(
            f"| {size:,} | **{lookup.at(0.5):.1f}** | {lookup.at(0.95):.1f} | {lookup.at(0.5) - self._first[0]:.1f} "
            f"| {stages} | **{index.at(0.5):.1f}** | {index.at(0.95):.1f} | {index.at(0.5) - self._first[1]:.1f} "
            f"| {self._after_write():.1f} | {np.mean(shown):.0%} |",
            flush=True,
        )

    def _after_write(self) -> float:
        took = []
        for question in list(self._queries)[:_WRITES]:
            self._import(1)
            begun = time.perf_counter()
            self.services.recall.find(question)
            took.append((time.perf_counter() - begun) * 1000)
        return float(np.median(took))


if __name__ == "__main__":
    main()
