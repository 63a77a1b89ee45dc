"""Fit the two regressions that make a follow-up stand alone: does it depend on its history, which terms does it need.

    python -m zuinig.training.train_followup DATA [--out FOLDER]

DATA: a folder of canard_dev/canard_dev.jsonl.gz and trec_cast/cast.jsonl.gz; what is missing is left out. Conversations
of a company written for this purpose (`followups.jsonl`, English and Dutch) and standalone questions of `written/` are
taken too: people's conversations on an encyclopedia alone would make nearly every question of a company a follow-up.
Prints figures of conversations that the weights were not fitted on, then fits on all and writes weights.json.
"""

import argparse
import gzip
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from zuinig.memory.conversation import DEPENDS, TERMS, WEIGHTS, Model, Reading, Turn, standalone, with_terms
from zuinig.memory.terms import stems
from zuinig.retrieval.words import EMPTY, words
from zuinig.training import logistic

FOLLOWUPS = Path(__file__).parent / "followups.jsonl"
WRITTEN = Path(__file__).parent / "written"
FOLDS = 5
MISSED = 0.03  # share of dependent turns that may be taken for standalone
_TERMS_FROM = 0.4
_PENALTY = 3.0
# The words of the rules that the regressions are measured against.
_RULE_POINTERS = frozenset(
    "it its they them their theirs he she him her his hers this that these those one ones there then same other "
    "others another else such former latter both either neither instead again also too die dat deze dit hij zij ze "
    "hem haar hun hen er daar daarvan daarmee ervoor ervan ook zelfde ander andere anders beide toen".split()
)
_RULE_OPENERS = re.compile(
    r"^\s*(?:and|or|but|so|what about|how about|what if|then|also|why not|why|how so|really|ok|okay|yes|no|"
    r"en|of|maar|dus|wat als|hoe zit het met|waarom|ook|ja|nee)\b",
    re.IGNORECASE,
)
# What an example weighs beside a turn that people asked: a made-up standalone turn, one of `followups.jsonl`, and all
# questions of `written/` together.
_MADE_UP, _WRITTEN, _QUESTIONS = 0.1, 3.0, 1300.0
_ONE_IN = 4  # of those questions is taken
_TYPO = 0.75  # a word that is as like to one it replaces is that word, spelled right


@dataclass(frozen=True, slots=True)
class Said:
    """A turn as it was asked, as a person wrote it to stand alone, and its answer ("" where there is none)."""

    question: str
    rewrite: str
    answer: str


@dataclass(frozen=True, slots=True)
class Dialog:
    """group: conversations of one group are about the same and never stand on both sides of a split."""

    source: str
    group: str
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """needed: stems of the history that the rewrite has and the turn lacks. depends: None where nobody can say."""

    source: str
    said: Said
    history: tuple[Turn, ...]
    reading: Reading
    depends: bool | None
    needed: frozenset[str]


def read(data: Path) -> list[Dialog]:
    return [
        *_canard(_lines(data / "canard_dev" / "canard_dev.jsonl.gz")),
        *_cast(_lines(data / "trec_cast" / "cast.jsonl.gz")),
        *_followups(_lines(FOLLOWUPS)),
    ]


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return [json.loads(line) for line in file]


def _canard(rows: Sequence[dict[str, Any]]) -> Iterator[Dialog]:
    """history: title of the article, of its section, then questions and answers by turns."""
    dialogs: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        dialogs.setdefault(row["id"].split("#")[0], []).append(row)
    for found in dialogs.values():
        # The answer to a turn is the last of the history of the next.
        answers = [row["history"][-1] for row in found[1:]] + [""]
        said = [Said(r["question"], r["rewrite"], a) for r, a in zip(found, answers, strict=True)]
        yield Dialog("CANARD", found[0]["history"][0], tuple(said))


def _cast(rows: Sequence[dict[str, Any]]) -> Iterator[Dialog]:
    dialogs: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        dialogs.setdefault(f"{row['year']} {row['id'].split('_')[0]}", []).append(row)
    for topic, found in dialogs.items():
        yield Dialog("CAsT", topic, tuple(Said(r["question"], r["rewrite"], r.get("response") or "") for r in found))


def _followups(rows: Sequence[dict[str, Any]]) -> Iterator[Dialog]:
    for row in rows:
        said = tuple(Said(t["question"], t["rewrite"], t["answer"]) for t in row["turns"])
        yield Dialog("Dutch" if row["language"] == "nl" else "company", said[0].question, said)


def written_questions() -> list[str]:
    """Questions that stand alone, a fixed part of those there are."""
    found = [str(row["question"]) for path in sorted(WRITTEN.glob("*.jsonl")) for row in _lines(path)]
    return [q for q in found if crc32(q.encode()) % _ONE_IN == 0]


def label(said: Said, history: Sequence[Turn]) -> tuple[bool | None, frozenset[str]]:
    """(depends, needed), as in `Example`. The rewrite of a standalone turn has the same words."""
    own, meant = set(stems(said.question)), set(stems(said.rewrite))
    lost = own - meant
    added = {s for s in meant - own if not any(SequenceMatcher(None, s, o).ratio() >= _TYPO for o in lost)}
    there = {s for turn in history for text in (turn.question, turn.answer) for s in stems(text)}
    if words(said.question) == words(said.rewrite):
        return False, frozenset()
    return (True if added else None), frozenset(added & there)


def examples(dialogs: Sequence[Dialog], model: Model | None = None) -> Iterator[Example]:
    """Every turn but the first of each dialog.

    The turns before it have the form that the model gives them, as in the service; without a model, that of a model
    that adds what people added. The first turn of a dialog is its rewrite: no conversation begins with "When was he".
    """
    for dialog in dialogs:
        first = dialog.said[0]
        history = [Turn(first.rewrite, first.answer)]
        for said in dialog.said[1:]:
            depends, needed = label(said, history)
            reading = Reading.of(said.question, history)
            yield Example(dialog.source, said, tuple(history), reading, depends, needed)
            if model is not None:
                question = standalone(said.question, history, model=model).question
            else:
                added = [t for t, s in zip(reading.shown, reading.stems, strict=True) if _wanted(s, needed)]
                question = with_terms(said.question, added)
            history.append(Turn(question, said.answer))


def _wanted(term: Sequence[str], needed: frozenset[str]) -> bool:
    return 2 * sum(s in needed for s in term) >= len(term)


def fit(found: Sequence[Example], others: Sequence[str], *, written: Sequence[str] = ()) -> Model:
    """others: standalone questions of other conversations; written: of a company. Thresholds are left to the caller."""
    chance = random.Random(1)
    rows: list[tuple[Reading, float, float]] = []  # reading, depends, weight
    for e in found:
        weight = 1.0 if e.source in ("CANARD", "CAsT") else _WRITTEN
        if e.depends is not None:
            rows.append((e.reading, float(e.depends), weight))
        if e.depends:
            # The same turn made to stand alone, and a change of the subject.
            rows.append((Reading.of(e.said.rewrite, e.history), 0.0, weight * _MADE_UP))
            rows.append((Reading.of(chance.choice(others), e.history), 0.0, weight * _MADE_UP))
    each = _QUESTIONS / max(len(written), 1)
    rows += [(Reading.of(q, [Turn(chance.choice(written), "")]), 0.0, each) for q in written]
    depends = logistic.fit(
        np.array([r.depends for r, _, _ in rows]),
        np.array([y for _, y, _ in rows]),
        penalty=_PENALTY,
        weights=np.array([w for _, _, w in rows]),
    )
    needy = [e for e in _with_silence(found) if e.depends and e.reading.shown]
    terms = logistic.fit(
        np.concatenate([e.reading.terms for e in needy]),
        np.array([float(_wanted(s, e.needed)) for e in needy for s in e.reading.stems]),
        penalty=_PENALTY,
        weights=np.array([1.0 if e.source in ("CANARD", "CAsT") else _WRITTEN for e in needy for _ in e.reading.stems]),
    )
    return Model(_named(depends, DEPENDS), 0.5, _named(terms, TERMS), _TERMS_FROM)


def _with_silence(found: Sequence[Example]) -> Iterator[Example]:
    """Each of them, and the written ones once more without answers: some callers keep questions only."""
    for e in found:
        yield e
        if e.source in ("CANARD", "CAsT"):
            continue
        history = tuple(Turn(t.question, "") for t in e.history)
        reading = Reading.of(e.said.question, history)
        yield Example(e.source, e.said, history, reading, e.depends, e.needed)


def _named(weights: logistic.Floats, names: Sequence[str]) -> dict[str, float]:
    return {n: round(float(w), 4) for n, w in zip((*names, "bias"), weights, strict=True)}


def crossed(dialogs: Sequence[Dialog], written: Sequence[str]) -> list[tuple[Model, list[Dialog]]]:
    """A model for each fold, fitted on the others, with the conversations it has not seen; one threshold for all."""
    folds = [[d for d in dialogs if crc32(d.group.encode()) % FOLDS == n] for n in range(FOLDS)]
    models = []
    for fold in folds:
        seen = [d for other in folds if other is not fold for d in other]
        models.append(fit(list(examples(seen)), [d.said[0].rewrite for d in seen], written=written))
    held = [e for m, fold in zip(models, folds, strict=True) for e in _chances(m, fold)]
    least = threshold([p for e, p in held if e.depends])
    return [(replace(m, depends_from=least), fold) for m, fold in zip(models, folds, strict=True)]


def shipped_with(held_out: Sequence[tuple[Model, object]], dialogs: Sequence[Dialog], written: Sequence[str]) -> Model:
    """Fitted on all, with the threshold that held on what was held out."""
    model = fit(list(examples(dialogs)), [d.said[0].rewrite for d in dialogs], written=written)
    return replace(model, depends_from=held_out[0][0].depends_from)


def _chances(model: Model, dialogs: Sequence[Dialog]) -> Iterator[tuple[Example, float]]:
    for e in examples(dialogs, model):
        yield e, e.reading.dependence(model)


def threshold(probabilities: Sequence[float]) -> float:
    """The highest at which no more than MISSED of these fall below; rounded down."""
    ordered = np.sort(np.array(probabilities))
    return float(np.floor(ordered[int(MISSED * len(ordered))] * 1e4) / 1e4)


def rules(question: str, previous: str) -> tuple[bool, str]:
    """(depends, standalone form) by hand-written rules: the baseline, which adds every word of the turn before."""
    found = words(question)
    content = [w for w in found if w not in EMPTY]
    if not (_RULE_OPENERS.match(question) or any(w in _RULE_POINTERS for w in found) or len(content) <= 2):
        return False, question
    missing = [w for w in words(previous) if w not in EMPTY and w not in found and w not in _RULE_POINTERS]
    return True, with_terms(question, list(dict.fromkeys(missing)))


@dataclass(slots=True)
class Tally:
    """Counts of one way on conversations of one source."""

    dependent: int = 0
    missed: int = 0
    alone: int = 0
    taken: int = 0
    right: int = 0
    added: int = 0
    needed: int = 0

    def count(self, e: Example, depends: bool, form: str) -> None:
        if e.depends is None:
            return
        if not e.depends:
            self.alone += 1
            self.taken += depends
            return
        self.dependent += 1
        self.missed += not depends
        added = set(stems(form)) - set(stems(e.said.question))
        self.right += len(added & e.needed)
        self.added += len(added)
        self.needed += len(e.needed)

    def row(self) -> str:
        precision, recall = self.right / max(self.added, 1), self.right / max(self.needed, 1)
        f1 = 2 * self.right / max(self.added + self.needed, 1)
        return (
            f"{self.missed / max(self.dependent, 1):.1%} of {self.dependent} | "
            f"{self.taken / max(self.alone, 1):.1%} of {self.alone} | {precision:.2f} | {recall:.2f} | {f1:.2f}"
        )


def report(held_out: Sequence[tuple[Model, Sequence[Dialog]]]) -> None:
    """Each way reads a history of its own forms; terms are counted on all dependent turns, missed ones included."""
    tallies: dict[tuple[str, str], Tally] = {}
    for model, dialogs in held_out:
        for e in examples(dialogs, model):
            form = standalone(e.said.question, e.history, model=model)
            tallies.setdefault((e.source, "learned"), Tally()).count(e, form.depends, form.question)
        for e, depends, form_by_rule in ruled(dialogs):
            tallies.setdefault((e.source, "rules"), Tally()).count(e, depends, form_by_rule)
    print("| conversations | | dependent missed | standalone taken for dependent | precision | recall | F1 of terms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for (source, way), tally in tallies.items():
        print(f"| {source} | {way} | {tally.row()} |")


def ruled(dialogs: Sequence[Dialog]) -> Iterator[tuple[Example, bool, str]]:
    """Every turn but the first, by the rules: whether it depends, and its form."""
    for dialog in dialogs:
        form = dialog.said[0].rewrite
        history = [Turn(form, dialog.said[0].answer)]
        for e in examples([dialog]):
            depends, form = rules(e.said.question, form)
            _, needed = label(e.said, history)
            yield Example(e.source, e.said, tuple(history), e.reading, e.depends, needed), depends, form
            history.append(Turn(form, e.said.answer))


def save(model: Model, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(model), indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=WEIGHTS.parent)
    args = parser.parse_args()
    dialogs, written = read(args.data), written_questions()
    held_out = crossed(dialogs, written)
    report(held_out)
    save(shipped_with(held_out, dialogs, written), args.out / WEIGHTS.name)


if __name__ == "__main__":
    main()
