"""What each codec of a vector index takes and finds, through `VectorIndex.search` on a database that holds the rows.

The vectors are of questions of people: Quora's (the stream, then the pairs) and then SQuAD 2.0's, translated there and
back. Where --count or --real asks for fewer than there are, the first; beyond them stand-ins: the vectors of real
questions turned to a cosine of 0.8, as hard to tell apart but the same for every codec. Queries are questions of the
stream. The truth and the baseline are NumPy: all float32 vectors times the query, and the ten best of it.

Times are CPU milliseconds of the thread that searches, which is one, so that other work on the machine counts little;
queries/s is of these. `raw`: recall@10 of the codec alone; `recall@10`: of the index, with the vectors in SQL compared.
`ms, 8`: as memory looks up; `ms, 50`: as documents are searched. `+100`, `-100`: how long the index takes to follow
a hundred rows that were added or deleted. `file`: the snapshot, in bytes a vector; `resident`: what a fresh process
grows by reading it, likewise. --bare: the stores alone, without rows, to see how their time grows.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from benchmarks.lookups import turned, write
from zuinig.core.db import Database, migrate
from zuinig.core.tables import Memory
from zuinig.core.types import Codec
from zuinig.retrieval import embed
from zuinig.retrieval.embed import Embedder
from zuinig.retrieval.index import VectorIndex, changed
from zuinig.retrieval.stores import Ids, Vectors, faiss

_K = 10
_LIMITS = (8, _K, 50)
_CHANGED = 100
_AT_ONCE = 5_000
_COSINE = 0.8
_FRESH = """
import sys
from pathlib import Path
import psutil
from zuinig.retrieval.stores import faiss
before = psutil.Process().memory_info().rss
store = faiss.read(Path(sys.argv[1]), int(sys.argv[2]))
print((psutil.Process().memory_info().rss - before) / len(store))
"""


@dataclass(frozen=True)
class Asked:
    """vectors: (m, d); best: (m, 10), the ids that NumPy finds."""

    vectors: Vectors
    best: Ids

    def recall(self, found: Ids) -> float:
        pairs = zip(found.tolist(), self.best.tolist(), strict=True)
        return sum(len(set(a) & set(b)) for a, b in pairs) / self.best.size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds qqp and squad2_bt_en")
    parser.add_argument("--count", type=int, nargs="+", default=[50_000], help="how many vectors; ascending if several")
    parser.add_argument("--real", type=int, help="how many of them may be of real questions; default: all there are")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--cache", type=Path, help="folder that keeps the embedded questions for the next run")
    parser.add_argument("--bare", type=int, help="only the stores, with so many vectors, the real ones repeated")
    args = parser.parse_args()
    stored, asked = questions(args.data, min(max(args.count), args.real or max(args.count)), args.queries)
    embedder = embed.load("all-MiniLM-L6-v2-int8")
    real, queries = _embedded(embedder, stored, args.cache), embedder.embed(asked)
    if args.bare:
        _bare(args.bare, real, queries)
        return
    with tempfile.TemporaryDirectory() as folder:
        measured = Measured(Path(folder), real, queries, embedder.id)
        for count in args.count:
            measured.at(count)


class Measured:
    """One database, filled further and further."""

    def __init__(self, folder: Path, real: Vectors, queries: Vectors, embedder: str) -> None:
        self._folder, self._queries, self._embedder = folder, queries, embedder
        self._real, self._vectors = real, real[:0]
        url = f"sqlite:///{folder}/zuinig.db"
        migrate(url)
        self._db = Database(url)

    def at(self, count: int) -> None:
        self._fill(count)
        cosines = (self._cosines(q) for q in self._queries)
        asked = Asked(self._queries, np.array([_ten_best(c) for c in cosines]) + 1)
        print(f"\n{count:,} vectors, {min(count, len(self._real)):,} of them of real questions")
        times = " | ".join(f"ms, {n}" for n in _LIMITS)
        print(f"| codec | file | resident | raw | recall@10 | queries/s | {times} | +100 | -100 | made anew s |")
        print("| --- " * (9 + len(_LIMITS)) + "|")
        numpy_ms = _mean_ms(lambda q: _ten_best(self._cosines(q[0])), self._queries[:100])
        print(f"| NumPy | {self._real[0].nbytes} | {self._real[0].nbytes} | | 100.00 % | {1000 / numpy_ms:.0f} |")
        for codec in Codec:
            print(self._row(codec, asked), flush=True)

    def _fill(self, count: int) -> None:
        parts = [self._vectors]
        for at in range(len(self._vectors), count, _AT_ONCE):
            numbers = np.arange(at, min(at + _AT_ONCE, count))
            vectors, made = self._real[numbers % len(self._real)], numbers >= len(self._real)
            vectors[made] = turned(vectors[made], cosine=_COSINE, seed=at)
            write(self._db, [f"Question {n}?" for n in numbers.tolist()], vectors, embedder=self._embedder)
            parts.append(vectors)
        self._vectors = np.concatenate(parts)

    def _cosines(self, query: Vectors) -> Vectors:
        cosines: Vectors = self._vectors @ query
        return cosines

    def _row(self, codec: Codec, asked: Asked) -> str:
        folder = self._folder / codec
        begun = time.thread_time()
        index = VectorIndex(
            self._db,
            "memories",
            faiss,
            folder,
            codec=codec,
            embedder=self._embedder,
            dimension=self._queries.shape[1],
        )
        index.rebuild()
        anew_s = time.thread_time() - begun
        (file,) = folder.glob("*.index")
        fresh = [sys.executable, "-c", _FRESH, str(file), str(self._queries.shape[1])]
        resident = float(subprocess.run(fresh, capture_output=True, check=True, text=True).stdout)
        raw = asked.recall(faiss.read(file, self._queries.shape[1]).search(asked.vectors, _K)[0])
        with self._db.read() as session:
            found = np.concatenate([index.search(session, q[np.newaxis], _K)[0] for q in asked.vectors])
            took = {n: _mean_ms(lambda q, n=n: index.search(session, q, n), asked.vectors) for n in _LIMITS}
        cells = [
            codec.value,
            f"{file.stat().st_size / len(self._vectors):.0f}",
            f"{resident:.0f}",
            f"{raw:.2%}",
            f"{asked.recall(found):.2%}",
            f"{1000 / took[_K]:.0f}",
            *(f"{ms:.2f}" for ms in took.values()),
            *(f"{ms:.1f}" for ms in self._follow(index)),
            f"{anew_s:.1f}",
        ]
        return f"| {' | '.join(cells)} |"

    def _follow(self, index: VectorIndex) -> Iterator[float]:
        """CPU milliseconds for rows added, then for the same rows deleted."""
        vectors = turned(self._real[:_CHANGED], cosine=_COSINE, seed=7)
        write(self._db, [f"New question {n}?" for n in range(_CHANGED)], vectors, embedder=self._embedder)
        yield _ms(index.catch_up)
        with self._db.write() as session:
            ids = session.scalars(sa.select(Memory.id).where(Memory.id > len(self._vectors))).all()
            session.execute(sa.delete(Memory).where(Memory.id.in_(ids)))
            changed(session, "memories", ids, added=False)
        yield _ms(index.catch_up)


def _bare(count: int, real: Vectors, queries: Vectors) -> None:
    """A scan takes as long for any vectors, so that these need not differ."""
    print(f"\n{count:,} vectors, without rows\n| codec | ms, {_LIMITS[0]} | add s |\n| --- | --- | --- |")
    for codec in Codec:
        store, seconds = faiss.create(real.shape[1], codec), 0.0
        for at in range(0, count, len(real)):
            ids = np.arange(at, min(at + len(real), count))
            seconds += _ms(partial(store.add, ids, real[: len(ids)])) / 1000
        took = _mean_ms(lambda q, store=store: store.search(q, _LIMITS[0]), queries)
        print(f"| {codec.value} | {took:.1f} | {seconds:.1f} |", flush=True)


def _ten_best(cosines: Vectors) -> Ids:
    best: Ids = np.argpartition(-cosines, _K)[:_K]
    return best


def _ms(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return (time.thread_time() - begun) * 1000


def _mean_ms(search: Callable[[Vectors], object], queries: Vectors) -> float:
    return float(np.mean([_ms(lambda q=q: search(q[np.newaxis])) for q in queries]))


def questions(data: Path, count: int, queries: int) -> tuple[list[str], list[str]]:
    """Distinct ones to be stored, at most count, and those to be asked."""
    with gzip.open(data / "qqp" / "stream_cal.json.gz", "rt") as file:
        stream = json.load(file)
    stored = dict.fromkeys(question.strip() for question, _ in stream["store"])
    for name in ("pairs_train", "pairs_cal"):
        stored |= dict.fromkeys(r[side].strip() for r in _rows(data / "qqp" / f"{name}.jsonl.gz") for side in "ab")
    for row in _rows(data / "squad2_bt_en" / "squad2_backtranslated.jsonl.gz"):
        stored |= dict.fromkeys(question.strip() for question in row["questions"])
    asked = [question for question, *_ in stream["queries"]]
    chosen = np.random.default_rng(1).permutation(len(asked))[:queries]
    return list(stored)[:count], [asked[n] for n in chosen]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt") as file:
        yield from map(json.loads, file)


def _embedded(embedder: Embedder, questions: list[str], cache: Path | None) -> Vectors:
    """(n, d). The cache holds the vectors of the first questions, which are always the same."""
    kept = np.empty((0, embedder.dimension), np.float32)
    file = cache / "vectors.npy" if cache else None
    if file and file.exists():
        kept = np.load(file)[: len(questions)]
    for at in range(len(kept), len(questions), _AT_ONCE):
        kept = np.concatenate([kept, embedder.embed(questions[at : at + _AT_ONCE])])
        print(f"embedded {len(kept):,} of {len(questions):,}", file=sys.stderr, flush=True)
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, kept)
    return kept


if __name__ == "__main__":
    main()
