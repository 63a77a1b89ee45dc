"""Which passage comes first: BM25, vectors, reciprocal rank fusion, summed scores; on SQuAD v1.1 dev, side by side."""

import argparse
import gzip
import json
import random
import tempfile
from pathlib import Path

from zuinig.core.db import Database, migrate
from zuinig.retrieval import embed, lexical
from zuinig.retrieval.search import fuse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds squad_dev")
    parser.add_argument("--questions", type=int, default=1000)
    args = parser.parse_args()
    contexts = _read(args.data / "squad_dev" / "dev-v1.1.contexts.jsonl.gz")
    questions = random.Random(1).sample(_read(args.data / "squad_dev" / "dev-v1.1.questions.jsonl.gz"), args.questions)
    place = {c["pid"]: n for n, c in enumerate(contexts)}
    embedder = embed.load("all-MiniLM-L6-v2-int8")
    vectors = embedder.embed([f"{c['title']}\n{c['context']}" for c in contexts])
    asked = embedder.embed([q["question"] for q in questions])
    hits: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        migrate(url)
        db = Database(url)
        with db.write() as session:
            lexical.add(
                session, [(n, 1, c["title"].replace("_", " "), c["context"]) for n, c in enumerate(contexts, 1)]
            )
        with db.read() as session:
            for question, vector in zip(questions, asked, strict=True):
                bm25 = {n - 1: s for n, s in lexical.search(session, question["question"], 50, None).items()}
                cosines = vectors @ vector
                near = [int(n) for n in (-cosines).argsort()[:50]]
                union = [*bm25, *(n for n in near if n not in bm25)]
                summed = fuse([float(cosines[n]) for n in union], [bm25.get(n, 0.0) for n in union])
                by_rank = dict.fromkeys(union, 0.0)
                for ranking in (list(bm25), near):
                    for rank, n in enumerate(ranking):
                        by_rank[n] += 1 / (60 + rank + 1)
                orders = {
                    "BM25": list(bm25),
                    "vectors": near,
                    "reciprocal rank fusion": sorted(union, key=lambda n: -by_rank[n]),
                    "sum of z-scores": [n for _, n in sorted(zip(summed, union, strict=True), reverse=True)],
                }
                gold = place[question["pid"]]
                for name, order in orders.items():
                    hits.setdefault(name, []).append(order.index(gold) if gold in order else 999)
        db.close()
    for name, ranks in hits.items():
        at = [sum(r < k for r in ranks) / len(ranks) * 100 for k in (1, 5, 10)]
        print(f"{name}: recall@1 {at[0]:.1f} %, @5 {at[1]:.1f} %, @10 {at[2]:.1f} %")


def _read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


if __name__ == "__main__":
    main()
