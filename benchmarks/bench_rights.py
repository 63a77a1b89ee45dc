"""What somebody finds who may read a part of the passages only, beside who may read all.

Passages are questions of people (Quora's, then SQuAD's), a hundred in a document; each document stands on a shelf that
a reader of 1, 10 or 50 % of the documents may read, or on another. Queries are other questions of the stream. The truth
is NumPy: all float32 vectors of what may be read times the query, the ten best. `recall@10`: of the nearest passages
that search takes into account; `first 50, then filtered`: of what is left of the fifty nearest of all, which is how a
filter behind the index works. `ms`: the whole of a search (words and meaning, ten hits), CPU milliseconds of its
thread, median.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from benchmarks.bench_vectors import questions
from zuinig.core.db import Database, migrate
from zuinig.core.tables import Collection, Document, DocumentVersion, Passage, Shelf
from zuinig.core.types import Codec, DocumentStatus
from zuinig.retrieval import embed, lexical
from zuinig.retrieval.embed import Vectors
from zuinig.retrieval.index import VectorIndex, changed
from zuinig.retrieval.search import Search
from zuinig.retrieval.stores import faiss

_IN_A_DOCUMENT = 100
_K = 10
_SHARES = {"1 %": 0.01, "10 %": 0.1, "50 %": 0.5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds qqp and squad2_bt_en")
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=200)
    args = parser.parse_args()
    texts, asked = questions(args.data, args.count, args.queries)
    embedder = embed.load("all-MiniLM-L6-v2-int8")
    vectors, queries = embedder.embed(texts), embedder.embed(asked)
    with tempfile.TemporaryDirectory() as folder:
        migrate(f"sqlite:///{folder}/zuinig.db")
        db = Database(f"sqlite:///{folder}/zuinig.db")
        shelf_of = _fill(db, texts, vectors, embedder.id)
        index = VectorIndex(
            db, "passages", faiss, Path(folder), codec=Codec.SQ8, embedder=embedder.id, dimension=embedder.dimension
        )
        search = Search(db, embedder, index)
        print(f"{len(texts):,} passages, {len(asked)} queries")
        print("| reads | passages | recall@10 | first 50, then filtered | ms |\n| --- | --- | --- | --- | --- |")
        for name, shelves in (("all", None), *((n, [i]) for i, n in enumerate(_SHARES, 1))):
            allowed = np.ones(len(texts), bool) if shelves is None else np.isin(shelf_of, shelves)
            _row(search, index, db, name, shelves, allowed, vectors, asked, queries)


def _fill(db: Database, texts: list[str], vectors: Vectors, embedder: str) -> np.ndarray:
    """The shelf of each passage; its id is its place from 1 on."""
    chance = np.random.default_rng(1)
    shares = [*_SHARES.values(), 1 - sum(_SHARES.values())]
    documents = -(-len(texts) // _IN_A_DOCUMENT)
    counts = [round(share * documents) for share in shares[:-1]]
    on = np.repeat([1, 2, 3, 4], [*counts, documents - sum(counts)])
    chance.shuffle(on)
    with db.write() as session:
        session.add(Collection(id=1, name="all"))
        session.add_all(Shelf(id=n, collection_id=1, main=n == 4, readers=[f"grp_{n}"]) for n in (1, 2, 3, 4))
        session.flush()
        for d in range(documents):
            here = range(d * _IN_A_DOCUMENT, min((d + 1) * _IN_A_DOCUMENT, len(texts)))
            name, hash_ = f"doc_{d:05}", f"{d:064}"
            shelf = int(on[d])
            session.execute(
                sa.insert(Document).values(
                    id=name, collection_id=1, shelf_id=shelf, path=name, filename=name, title=name, sha256=hash_
                )
            )
            session.execute(
                sa.insert(DocumentVersion).values(
                    id=d + 1,
                    document_id=name,
                    number=1,
                    filename=name,
                    sha256=hash_,
                    bytes=1,
                    embedder=embedder,
                    live=True,
                    status=DocumentStatus.READY,
                )
            )
            rows = [
                {
                    "id": i + 1,
                    "version_id": d + 1,
                    "ordinal": n,
                    "text": texts[i],
                    "context": "",
                    "start": 0,
                    "end": len(texts[i]),
                    "tokens": 1,
                    "content_hash": hash_,
                    "embed_hash": hash_,
                    "vector": vectors[i].tobytes(),
                }
                for n, i in enumerate(here)
            ]
            session.execute(sa.insert(Passage), rows)
            lexical.add(session, [(i + 1, shelf, "", texts[i]) for i in here])
            changed(session, "passages", [i + 1 for i in here], added=True)
    return np.repeat(on, _IN_A_DOCUMENT)[: len(texts)]


def _row(
    search: Search,
    index: VectorIndex,
    db: Database,
    name: str,
    shelves: list[int] | None,
    allowed: np.ndarray,
    vectors: Vectors,
    asked: list[str],
    queries: Vectors,
) -> None:
    ids = np.flatnonzero(allowed)
    ours = behind = 0
    times = []
    for question, query in zip(asked, queries, strict=True):
        best = set((ids[np.argsort(-(vectors[ids] @ query))[:_K]] + 1).tolist())
        with db.read() as session:
            near, _ = search._nearest(session, query[np.newaxis], 50, shelves)
            first, _, _ = index.search(session, query[np.newaxis], 50)
        ours += len(best & set(list(near)[:_K]))
        left = [i for i in first[0].tolist() if allowed[i - 1]]
        behind += len(best & set(left[:_K]))
        begun = time.thread_time()
        search.search(question, _K, shelves=shelves, vector=query[np.newaxis])
        times.append((time.thread_time() - begun) * 1000)
    whole = _K * len(asked)
    print(f"| {name} | {len(ids):,} | {ours / whole:.2%} | {behind / whole:.2%} | {np.median(times):.1f} |", flush=True)


if __name__ == "__main__":
    main()
