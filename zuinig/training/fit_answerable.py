"""Fit `retrieval.read`: whether the documents cover a question.

    python -m zuinig.training.fit_answerable DATA [--questions 450]

DATA: a folder of squad_dev and policyqa, and of insuranceqa_questions, banking77 and clinc150 for questions of other
fields. Each collection is ingested as a company's documents are; its own questions stand against the questions of the
other fields and of the other collection. Prints the weights and, fitted on one collection and tested on the other, the
shares answered.
"""

import argparse
import io
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zuinig.app.services import Services, build, parser
from zuinig.core.settings import Settings
from zuinig.ingestion.pipeline import work_one
from zuinig.retrieval import sentences
from zuinig.retrieval.read import ANSWERS_FROM, features
from zuinig.training import logistic
from zuinig.training.question_pairs import lines

_PASSAGES = 10


def squad(data: Path) -> tuple[dict[str, str], list[str]]:
    """(title -> text, questions)"""
    texts: dict[str, str] = {}
    for row in lines(data / "squad_dev/dev-v1.1.contexts.jsonl.gz"):
        title = row["title"].replace("_", " ")
        texts[title] = texts.get(title, f"# {title}") + "\n\n" + row["context"]
    return texts, [row["question"] for row in lines(data / "squad_dev/dev-v1.1.questions.jsonl.gz")]


def policies(data: Path) -> tuple[dict[str, str], list[str]]:
    texts: dict[str, str] = {}
    for row in lines(data / "policyqa/contexts.jsonl"):
        title = row["pid"].split("#")[0]
        texts[title] = texts.get(title, f"# {title}") + "\n\n" + row["context"]
    return texts, sorted({row["question"] for row in lines(data / "policyqa/questions.jsonl.gz")})


def foreign(data: Path) -> list[str]:
    found = [row["question"] for row in lines(data / "insuranceqa_questions/questions.jsonl.gz")]
    found += [row["text"] for row in lines(data / "banking77/banking77.jsonl.gz") if row["text"].endswith("?")]
    found += [row["text"] for row in lines(data / "clinc150/clinc150.jsonl.gz") if row["intent"] == "oos"]
    return found


def ingest(texts: dict[str, str], folder: Path) -> Services:
    services = build(Settings(data_dir=folder, ingest_workers=0))
    for title, text in texts.items():
        services.uploads.accept(f"{title[:80].replace('/', ' ')}.md", io.BytesIO(text.encode()), "default")
    with parser(services.settings) as reading:
        while work_one(services.pipeline, services.queue, reading):
            pass
    return services


def measure(services: Services, questions: Sequence[str]) -> np.ndarray:
    """(n, 4) features as the service sees them."""
    rows = []
    for question in questions:
        vector = services.embedder.embed([question])
        hits = services.search.search(question, _PASSAGES, vector=vector)
        ranked = sentences.score(question, vector, hits, services.embedder)
        rows.append(features(question, ranked, hits) if ranked else (0.0, 0.0, 0.0, 0.0))
    return np.array(rows)


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("data", type=Path)
    parse.add_argument("--questions", type=int, default=450)
    args = parse.parse_args()
    chance = random.Random(1)
    collections = {"squad": squad(args.data), "policyqa": policies(args.data)}
    own = {name: chance.sample(asked, args.questions) for name, (_, asked) in collections.items()}
    others = chance.sample(foreign(args.data), args.questions)
    sets = {}
    for name, (texts, _) in collections.items():
        with tempfile.TemporaryDirectory() as folder:
            services = ingest(texts, Path(folder))
            mine = measure(services, own[name])
            theirs = measure(services, [*others, *next(q for other, q in own.items() if other != name)])
            services.close()
        labels = np.concatenate([np.ones(len(mine)), np.zeros(len(theirs))])
        sets[name] = np.concatenate([mine, theirs]), labels
    both = np.concatenate([s[0] for s in sets.values()]), np.concatenate([s[1] for s in sets.values()])
    for fitted, tested, on, over in (
        ("squad", "policyqa", sets["squad"], sets["policyqa"]),
        ("policyqa", "squad", sets["policyqa"], sets["squad"]),
        ("both", "both, not held out", both, both),
    ):
        found = logistic.fit(*on)
        answered = logistic.predict(found, over[0]) >= ANSWERS_FROM
        own_share, foreign_share = answered[over[1] == 1].mean(), answered[over[1] == 0].mean()
        print(f"fitted on {fitted}, tested on {tested}: own {own_share:.1%}, foreign {foreign_share:.1%} answered")
        print("   weights", np.round(found[:-1], 2).tolist(), "bias", round(float(found[-1]), 2))


if __name__ == "__main__":
    main()
