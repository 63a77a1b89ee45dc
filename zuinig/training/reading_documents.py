"""Training paragraphs for the reader out of documents and the questions that were written about them.

    python -m zuinig.training.reading_documents FOLDER NAME... reading.jsonl

FOLDER holds, for each NAME, a folder of documents and NAME.jsonl with the questions (see `document_sets.written`).
Those that a language model wrote for this purpose stand in `asked/` beside this file; their documents are the unpacked
files of docs_handbook_18f, docs_haystack (3.0) and docs_nl_algoritmekader, under the names 18f, haystack and nl. The
documents are ingested, and a question stands beside the passages that the service finds for it. Lines are added to
reading.jsonl in the form of `reading_pairs`. Documents that `for_fit` are left out.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zuinig.core.types import Hit
from zuinig.retrieval import sentences
from zuinig.training import document_sets
from zuinig.training.document_sets import Asked, DocumentSet
from zuinig.training.fit_reader import holds
from zuinig.training.reading_pairs import for_fit

_PASSAGES = 5


def rows(found: DocumentSet, first: int) -> Iterator[dict[str, Any]]:
    """first: the number of the first of these lines in the file."""
    with tempfile.TemporaryDirectory() as folder:
        services = document_sets.ingest(found.texts, Path(folder))
        for asked in found.asked:
            if for_fit(asked.document):
                continue
            hits = services.search.search(asked.question, 2 * _PASSAGES)
            own = next((hit for hit in hits if _span(hit, asked)), None) if asked.answers else hits[0]
            if own is None:
                continue
            others = [hit for hit in hits if not _span(hit, asked) and hit is not own][: _PASSAGES - 1]
            span = _span(own, asked)
            yield {
                **_paragraph(own),
                "written": True,
                "spans": [span] if span else [],
                "questions": [asked.question],
                "gold": [[0] if span else []],
                "near": [[first + 1 + n for n in range(len(others))]],
            }
            first += 1 + len(others)
            for hit in others:
                yield {**_paragraph(hit), "spans": [], "questions": [], "gold": [], "near": []}
        services.close()


def _paragraph(hit: Hit) -> dict[str, Any]:
    return {"text": hit.text, "title": hit.context}


def _span(hit: Hit, asked: Asked) -> list[int] | None:
    """Where the answer stands in the passage's text."""
    for sentence in sentences.of_hit(hit):
        if asked.answers and holds(sentence, asked):
            at = sentence.text.find(asked.answers[0])
            start = sentence.start - hit.start
            if at >= 0:
                return [start + at, start + at + len(asked.answers[0])]
            return [start, start + len(sentence.text)]
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    with args.target.open() as file:
        count = sum(1 for _ in file)
    with args.target.open("a") as file:
        for name in args.names:
            made = list(rows(document_sets.written(args.folder, name), count))
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in made)
            count += len(made)
            answered = sum(bool(row["spans"]) for row in made)
            print(
                f"{name}: {answered} questions with an answer, {sum(map(bool, (r['questions'] for r in made)))} in all"
            )


if __name__ == "__main__":
    main()
