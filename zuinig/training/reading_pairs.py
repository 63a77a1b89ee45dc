"""Training paragraphs for the reader, with their questions, answers and paragraphs that are near but hold no answer.

    python -m zuinig.training.reading_pairs DATA reading.jsonl [--embedder all-MiniLM-L6-v2-int8]

DATA: a folder of squad2_bt_en and squad_dev. Of squad_dev the articles of `held_out` are left for the benchmarks. A
line is a paragraph: text, title, spans [[start, end], ...], questions, gold (for each question the numbers of its
spans, none where it cannot be answered, null where that is not known) and near (for each question the lines of the
paragraphs that look most like its own).

The back-translated part tells which spans answer some question of the paragraph, not which question: `train_reader`
shares them out. It names no titles either; the most frequent name of an article stands in.
"""

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from zuinig.core.types import Codec
from zuinig.retrieval import embed
from zuinig.retrieval.stores import faiss
from zuinig.retrieval.words import content_words, stem, words
from zuinig.training.question_pairs import lines

_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w'’-]+(?: (?:of |the |and )?[A-Z][\w'’-]+)*")
_NEAREST = 30
_KEPT = 4


def held_out(title: str) -> bool:
    """Whether an article of squad_dev is kept for the benchmarks."""
    return crc32(title.encode()) % 3 == 0


def for_fit(title: str) -> bool:
    """Whether an article that is held out serves for fitting what is made of the reader, rather than for figures."""
    return crc32(title.encode()) // 128 % 2 == 0


def back_translated(data: Path) -> list[dict[str, Any]]:
    rows = [r for r in lines(data / "squad2_bt_en/squad2_backtranslated.jsonl.gz") if r["split"] == "train"]
    articles: defaultdict[int, list[str]] = defaultdict(list)
    for row in rows:
        articles[row["doc"]].append(row["context"])
    titles = {doc: _most_frequent_name(texts) for doc, texts in articles.items()}
    return [
        {
            "text": row["context"],
            "title": titles[row["doc"]],
            "spans": row["spans"],
            "questions": row["questions"],
            "gold": [None] * len(row["questions"]),
        }
        for row in rows
        if row["questions"]
    ]


def _most_frequent_name(texts: Sequence[str]) -> str:
    names = Counter(name for text in texts for name in _NAME.findall(text))
    return names.most_common(1)[0][0] if names else ""


def by_people(data: Path) -> list[dict[str, Any]]:
    """Both versions of squad_dev together: those who wrote 2.0 dropped some of the questions of 1.1."""
    paragraphs: dict[str, dict[str, Any]] = {}
    asked: set[str] = set()
    for version in ("v2.0", "v1.1"):
        contexts = {c["pid"]: c for c in lines(data / f"squad_dev/dev-{version}.contexts.jsonl.gz")}
        for question in lines(data / f"squad_dev/dev-{version}.questions.jsonl.gz"):
            context = contexts[question["pid"]]
            if held_out(context["title"]) or question["id"] in asked:
                continue
            asked.add(question["id"])
            title = context["title"].replace("_", " ")
            row = paragraphs.setdefault(
                context["context"],
                {"text": context["context"], "title": title, "spans": [], "questions": [], "gold": []},
            )
            gold = []
            for answer in [] if question["is_impossible"] else question["answers"]:
                span = [answer["answer_start"], answer["answer_start"] + len(answer["text"])]
                if span not in row["spans"]:
                    row["spans"].append(span)
                gold.append(row["spans"].index(span))
            row["questions"].append(question["question"])
            row["gold"].append(sorted(set(gold)))
    return list(paragraphs.values())


def add_near(rows: Sequence[dict[str, Any]], embedder: embed.Embedder) -> None:
    """Give each row its near lists: by cosine and shared words together, as the service's search does."""
    vectors = embedder.embed([f"{row['title']}\n{row['text']}" for row in rows])
    index = faiss.create(vectors.shape[1], Codec.FLOAT32)
    index.add(np.arange(len(rows)), vectors)
    stems = [{stem(w) for w in words(row["text"])} for row in rows]
    seen = Counter(s for of_row in stems for s in of_row)
    weight = {s: float(np.log(1 + len(rows) / n)) for s, n in seen.items()}
    asked = [(n, question) for n, row in enumerate(rows) for question in row["questions"]]
    for row in rows:
        row["near"] = []
    for at in range(0, len(asked), 1024):
        batch = asked[at : at + 1024]
        ids, cosines = index.search(embedder.embed([question for _, question in batch]), _NEAREST)
        for (own, question), found, cosine in zip(batch, ids.tolist(), cosines.tolist(), strict=True):
            terms = {stem(w) for w in content_words(question)}
            total = sum(weight.get(t, 10.0) for t in terms) or 1.0
            scored = {
                i: c + sum(weight[t] for t in terms & stems[i]) / total
                for i, c in zip(found, cosine, strict=True)
                if i != own
            }
            rows[own]["near"].append(sorted(scored, key=lambda i: -scored[i])[:_KEPT])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--embedder", default="all-MiniLM-L6-v2-int8")
    args = parser.parse_args()
    rows = by_people(args.data) + back_translated(args.data)
    add_near(rows, embed.load(args.embedder))
    with args.target.open("w") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    known = sum(gold is not None for row in rows for gold in row["gold"])
    print(f"{len(rows)} paragraphs, {sum(len(r['questions']) for r in rows)} questions, {known} with known answers")


if __name__ == "__main__":
    main()
