"""Fit what `retrieval.read` makes of the reader: which sentence holds the answer, and from when on to answer alone.

    python -m zuinig.training.fit_reader MODEL DATA [--written FOLDER] [--questions 500] [--cache FOLDER]

MODEL: a folder from `export_reader`, which gets its config.json. DATA: a folder of squad_dev and covid_qa. Each set of
documents is ingested as a company's are, and its questions are asked of the service's own search. Of SQuAD only
articles that the reader was not trained on are asked about, and the other it has never seen. (The questions of
policyqa are categories with one of many sentences marked: they do not say which answers are wrong.)

First trees weigh what the reader, words and ranks say of each sentence; then a logistic regression weighs what stands
out among the sentences; then a scale says how much of what is answered from a score on is right. Each is fitted on what
the others say crosswise: of a question's document, by trees that have not seen it.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

from zuinig.core.trees import as_config
from zuinig.core.types import Hit
from zuinig.retrieval import evidence, sentences
from zuinig.retrieval.read import beside, quoted, rises
from zuinig.retrieval.reader import Reader
from zuinig.retrieval.sentences import Sentence
from zuinig.retrieval.words import words
from zuinig.training import boost, document_sets, logistic
from zuinig.training.document_sets import Asked, DocumentSet
from zuinig.training.reading_pairs import for_fit
from zuinig.training.shares import threshold

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_PASSAGES = 10
_FOLDS = 5
_FROM_AROUND = 0.7  # of a sentence's words stand in the paragraph that it is of
_UNREAD_SHARE = 0.2
_PENALTY = 3.0
# The share of the questions asked that no document answers. SQuAD's, written to deceive readers, are reported alone.
_UNANSWERABLE = 0.2
# Of what its papers say in several places one is marked: they teach what an answer looks like, and not how sure it is.
_LABELS_ONE_OF_MANY = "covid_qa"
SHARES = (0.5, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99)


@dataclass(frozen=True)
class Collected:
    """Of one set. features (n, d) of sentences, holds (n,) whether each holds the answer, says (n,) whether it says it
    somewhere else in the document at least, group (n,) its question.

    fold, answerable: of each question.
    """

    name: str
    features: Floats
    holds: Flags
    says: Flags
    group: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    answerable: Flags


def holds(sentence: Sentence, asked: Asked) -> bool:
    """Whether it says the answer, out of the document and the paragraph that the question was asked of."""
    if sentence.hit.filename != document_sets.filename(asked.document):
        return False
    said = words(sentence.text)
    around = set(words(asked.around))
    if not said or sum(w in around for w in said) < _FROM_AROUND * len(said):
        return False
    text = _joined(said)
    # An answer may go over the end of a sentence.
    return any(
        answer in text or (text in answer and len(text) > len(answer) / 2)
        for answer in (_joined(words(a)) for a in asked.answers)
    )


def says(sentence: Sentence, asked: Asked) -> bool:
    """Whether it holds the answer, or the same words stand in it elsewhere in the document: who reads that is told."""
    if sentence.hit.filename != document_sets.filename(asked.document):
        return False
    text = _joined(words(sentence.text))
    return holds(sentence, asked) or any(_joined(words(a)) in text for a in asked.answers)


def _joined(folded: Sequence[str]) -> str:
    return f" {' '.join(folded)} "


def collect(found: DocumentSet, model: Path, asked: Sequence[Asked]) -> Collected:
    reader = Reader(model)
    rows, groups = [], []
    holding, saying = [], []
    with tempfile.TemporaryDirectory() as folder:
        services = document_sets.ingest(found.texts, Path(folder), reader=model)
        for n, question in enumerate(asked):
            hits: list[Hit] = services.search.search(question.question, _PASSAGES)
            split = [s for hit in hits for s in sentences.of_hit(hit)]
            rows.append(evidence.features(question.question, split, hits, reader.read(question.question, hits)))
            holding += [holds(s, question) for s in split]
            saying += [says(s, question) for s in split]
            groups += [n] * len(split)
            if n % 50 == 0:
                print(f"  {found.name}: {n} of {len(asked)} read", flush=True)
        services.close()
    return Collected(
        found.name,
        np.concatenate(rows),
        np.array(holding),
        np.array(saying),
        np.array(groups),
        np.array([crc32(a.document.encode()) % _FOLDS for a in asked]),
        np.array([bool(a.answers) for a in asked]),
    )


def cached(file: Path | None, found: DocumentSet, model: Path, asked: Sequence[Asked]) -> Collected:
    if file is not None and file.exists():
        with np.load(file) as kept:
            return Collected(found.name, **{name: kept[name] for name in kept.files})
    collected = collect(found, model, asked)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **{k: v for k, v in vars(collected).items() if k != "name"})
    return collected


def scale(scores: Floats, right: Flags, weight: Floats) -> list[tuple[float, float]]:
    """(score, share that is right from there on), both rising."""
    points, least = [(0.0, 0.0)], 0.0
    for share in SHARES:
        least = max(least + 1e-6, threshold(scores, ~right, 1 - share, weight))
        if least >= 1 - 1e-6:
            points.append((1.0, share - 1e-3))
            return points
        points.append((least, share))
    return [*points, (1.0, 1.0)]


@dataclass(frozen=True)
class Judged:
    """What stands out for each question (n, k), whether what is quoted says the answer, and its weight."""

    stands: Floats
    right: Flags
    answerable: Flags
    fold: npt.NDArray[np.int64]
    weight: Floats
    name: npt.NDArray[np.str_]


def sentence_rows(sets: Sequence[Collected]) -> tuple[Floats, Floats, Floats, npt.NDArray[np.int64]]:
    """Features, labels, weights and folds; every set weighs the same. Some questions come once more, as if unread."""
    x = np.concatenate([s.features for s in sets])
    y = np.concatenate([s.holds for s in sets]).astype(float)
    weight = np.concatenate([np.full(len(s.holds), 1 / len(s.holds)) for s in sets])
    fold = np.concatenate([s.fold[s.group] for s in sets])
    chance = np.random.default_rng(1)
    again = np.concatenate([(chance.random(len(s.fold)) < _UNREAD_SHARE)[s.group] for s in sets])
    return (
        np.concatenate([x, evidence.unread(x[again])]),
        np.concatenate([y, y[again]]),
        np.concatenate([weight, weight[again]]),
        np.concatenate([fold, fold[again]]),
    )


def judged(sets: Sequence[Collected], chances: Floats) -> Judged:
    """chances: (n,) of all sentences of all sets."""
    rows: list[tuple[Floats, bool, bool, int, str]] = []
    at = 0
    for s in sets:
        mine = chances[at : at + len(s.holds)]
        at += len(s.holds)
        for n in np.unique(s.group).tolist():
            own = np.flatnonzero(s.group == n)
            said = bool(s.says[own[quoted(mine[own])]].any())
            rows.append((beside(mine[own], s.features[own]), said, s.answerable[n], s.fold[n], s.name))
    stands, right, answerable, fold, name = (np.array(column) for column in zip(*rows, strict=True))
    weight = np.zeros(len(rows))
    for s in (s for s in sets if s.name != _LABELS_ONE_OF_MANY):
        without = 0.0 if s.name == "squad" else _UNANSWERABLE
        for kind, share in ((True, 1 - without), (False, without)):
            chosen = (name == s.name) & (answerable == kind)
            weight[chosen] = share / max(chosen.sum(), 1)
    return Judged(stands, right, answerable, fold, weight, name)


def _weigh(found: Judged, chosen: Flags) -> Floats:
    """(k + 1,) of a logistic regression, the bias last."""
    counted = chosen & (found.weight > 0)
    x, middle = found.stands[counted], found.stands[counted].mean(0)
    spread = found.stands[counted].std(0) + 1e-9
    share = found.weight[counted] / found.weight[counted].mean()
    weights = logistic.fit((x - middle) / spread, found.right[counted].astype(float), penalty=_PENALTY, weights=share)
    plain = weights[:-1] / spread
    return np.append(plain, weights[-1] - plain @ middle)


def _sure(found: Judged) -> Floats:
    """(n,) how sure each answer is, by weights from the documents of the other folds."""
    out = np.zeros(len(found.right))
    for n in np.unique(found.fold):
        own = found.fold == n
        out[own] = logistic.predict(_weigh(found, ~own), found.stands[own])
    return out


def report(found: Judged, share: Floats) -> None:
    for name in np.unique(found.name):
        own = found.name == name
        can, right = found.answerable[own], found.right[own]
        print(f"{name}: what would be quoted says the answer of {right[can].mean():.1%}")
        for least in (0.9, 0.95, 0.97):
            answered = share[own] >= least
            wrong = (~right[answered]).mean() if answered.any() else 0.0
            of_those = (~right[answered & can]).mean() if (answered & can).any() else 0.0
            print(f"  from {least:.0%} on {answered[can].mean():.1%} of the answerable are answered, {of_those:.1%} of "
                  f"them wrong; {answered[~can].mean():.1%} of the unanswerable; {wrong:.1%} wrong of all")  # fmt: skip


def document_sets_of(data: Path, writings: Path | None) -> list[DocumentSet]:
    sets = [document_sets.squad(data, kept_for="fit"), document_sets.papers(data, kept_for="fit")]
    for file in sorted(writings.glob("*.jsonl")) if writings is not None else []:
        found = document_sets.written(file.parent, file.stem)
        sets.append(replace(found, asked=[a for a in found.asked if for_fit(a.document)]))
    return sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--written", type=Path, help="folder of documents and of questions written about them")
    parser.add_argument("--questions", type=int, default=500, help="of each set, and as many that have no answer")
    parser.add_argument("--cache", type=Path, help="keep what the reader says here, to fit again sooner")
    args = parser.parse_args()
    if not (args.model / "config.json").exists():
        # The service does not start without one.
        blank = as_config(0.0, [[(-1, 0.0, 0, 0, 0.0)]])
        config = {
            "id": args.model.name,
            "sentence": blank,
            "sure": {"weights": [0.0] * 10, "bias": 0.0},
            "scale": [(0.0, 0.0), (1.0, 1.0)],
        }
        (args.model / "config.json").write_text(json.dumps(config) + "\n")
    sets = [
        cached(args.cache and args.cache / f"{found.name}.npz", found, args.model,
               found.sample(args.questions, args.questions))
        for found in document_sets_of(args.data, args.written)
    ]  # fmt: skip
    x, y, weight, fold = sentence_rows(sets)
    chances = boost.crossed(x, y, weight, fold)[: sum(len(s.holds) for s in sets)]
    found = judged(sets, chances)
    sure, counted = _sure(found), found.weight > 0
    steps = scale(sure[counted], found.right[counted], found.weight[counted] / found.weight[counted].mean())
    print("scale", [(round(a, 3), b) for a, b in steps])
    report(found, rises(sure, steps))
    weights = _weigh(found, np.ones(len(found.right), bool))
    config = {
        "id": args.model.name,
        "sentence": boost.grow(x, y, weight),
        "sure": {"weights": weights[:-1].tolist(), "bias": float(weights[-1])},
        "scale": steps,
    }
    (args.model / "config.json").write_text(json.dumps(config) + "\n")


if __name__ == "__main__":
    main()
