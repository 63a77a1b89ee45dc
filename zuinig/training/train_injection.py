"""Fit the detector of instructions to a model (`ingestion/suspicion`).

    python -m zuinig.training.train_injection DATA [--out FOLDER]

DATA: a folder of deepset_prompt_injections, giskard_injection, docs_handbook_18f, docs_haystack, docs_nl_algoritmekader
and squad_dev; what is missing is left out. Attacks and harmless look-alikes written for this purpose, English and
Dutch, stand in `injections.jsonl`, parts that more attacks are put together of in `injection_parts.toml`. Of each
source one part is fitted on and the other is for figures: deepset's own split, every second prompt of Giskard's, half
of the documents by their name. The threshold is the lowest at which no more than so many of the passages fitted on are
flagged by weights that were fitted on other documents.
"""

import argparse
import gzip
import json
import random
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

from zuinig.core.errors import DocumentError
from zuinig.core.types import Parsed
from zuinig.ingestion.formats import markdown
from zuinig.ingestion.split import split
from zuinig.ingestion.suspicion import BUCKETS, NAMED, WEIGHTS, Detector, Features, windows
from zuinig.retrieval import embed

WRITTEN = Path(__file__).parent / "injections.jsonl"
PARTS = Path(__file__).parent / "injection_parts.toml"
DOCUMENTS = ("docs_handbook_18f", "docs_haystack", "docs_nl_algoritmekader")
FALSE_ALARMS = 0.005  # of passages
FOLDS = 4
_SIZE, _OVERLAP = 180, 24  # tokens of a passage: the service's defaults
# What the rows of a source weigh together. Deepset's are questions put to a chat bot, half of which give no order.
_WEIGHT = {"deepset": 60.0, "giskard": 60.0, "written": 160.0, "put together": 160.0}
_WEIGHT |= {"look-alikes": 200.0, "deepset's questions": 100.0}
_PASSAGES_WEIGHT = 15_000.0
_PUT_TOGETHER = 200  # of each language
_PENALTY_NAMED, _PENALTY_HASHED = 0.3, 0.6
_FEW_NAMED = 2  # features that one class of words alone has at most
_OTHERS_ONE_IN = 6
_STEPS = 200

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a source. fit: whether it is fitted on, or kept for figures. group: documents' names, for folds."""

    source: str
    text: str
    attack: bool
    fit: bool
    group: str = ""


def read(data: Path) -> list[Text]:
    """Every text there is, passages of documents among them."""
    return [*_written(), *_put_together(), *_deepset(data), *_giskard(data), *passages(data)]


def _lines(path: Path) -> Iterator[dict[str, object]]:
    if path.exists():
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            yield from map(json.loads, file)


def _written() -> Iterator[Text]:
    for row in _lines(WRITTEN):
        source = f"{'written' if row['attack'] else 'look-alikes'}, {row['language']}"
        yield Text(source, str(row["text"]), bool(row["attack"]), row["part"] == "fit", str(row["text"]))


def _put_together() -> Iterator[Text]:
    """All to be fitted on."""
    draw = random.Random(1)
    for parts in tomllib.loads(PARTS.read_text()).values():
        for _ in range(_PUT_TOGETHER):
            text = " ".join(part for part in map(draw.choice, parts.values()) if part)
            yield Text("put together", text[0].upper() + text[1:], True, True, text)


def _deepset(data: Path) -> Iterator[Text]:
    for row in _lines(data / "deepset_prompt_injections" / "deepset.jsonl"):
        source = "deepset" if row["label"] else "deepset's questions"
        yield Text(source, str(row["text"]), bool(row["label"]), row["split"] == "train", str(row["text"]))


def _giskard(data: Path) -> Iterator[Text]:
    for n, row in enumerate(_lines(data / "giskard_injection" / "prompt_injections.jsonl")):
        yield Text(f"giskard, {str(row['group']).lower()}", str(row["prompt"]), True, n % 2 == 0, str(row["prompt"]))


def passages(data: Path) -> Iterator[Text]:
    """Passages as the service cuts them, with the titles above them left out."""
    count = embed.load("all-MiniLM-L6-v2-int8").count_tokens
    for name in DOCUMENTS:
        for group, parsed in _documents(data / name):
            fit = crc32(group.encode()) % 2 == 0
            for draft in split(parsed, "", count, size=_SIZE, overlap=_OVERLAP).passages:
                yield Text(name, draft.text, False, fit, group)
    for row in _lines(data / "squad_dev" / "dev-v1.1.contexts.jsonl.gz"):
        title = str(row["title"])
        yield Text("squad_dev", str(row["context"]), False, crc32(title.encode()) % 2 == 0, title)


def _documents(folder: Path) -> Iterator[tuple[str, Parsed]]:
    for path in sorted(folder.glob("*.tar.gz")):
        with tempfile.TemporaryDirectory() as unpacked, tarfile.open(path) as archive:
            archive.extractall(unpacked, filter="data")
            for file in sorted(p for p in Path(unpacked).rglob("*") if p.suffix in (".md", ".mdx")):
                try:
                    yield file.name, markdown.read(file)
                except DocumentError:
                    continue


class _Rows:
    """Windows as sparse rows, so that all of them fit into memory."""

    def __init__(self, found: Sequence[Features], labels: Floats, share: Floats) -> None:
        self.labels, self.share, self.count = labels, share, len(found)
        # (row, column, value) of all that is not zero; the n-grams stand after the named ones.
        triples = [
            (np.full(len(f.named) + len(f.hashed), n), np.array([*f.named, *(len(NAMED) + h for h in f.hashed)]), f)
            for n, f in enumerate(found)
        ]
        self.row = np.concatenate([r for r, _, _ in triples])
        self.column = np.concatenate([c for _, c, _ in triples]).astype(np.int64)
        self.value = np.concatenate(
            [[1.0] * len(f.named) + [max(len(f.hashed), 1) ** -0.5] * len(f.hashed) for _, _, f in triples]
        )

    def scores(self, weights: Floats, bias: float) -> Floats:
        scores = np.bincount(self.row, self.value * weights[self.column], self.count) + bias
        return np.asarray(scores, np.float64)

    def gradient(self, error: Floats) -> Floats:
        slope = np.bincount(self.column, self.value * error[self.row], len(NAMED) + BUCKETS)
        return np.asarray(slope, np.float64)


def fit(found: Sequence[Features], labels: Floats, share: Floats) -> Detector:
    """Gradient descent with Adam's steps on the ridge-penalised likelihood; the threshold is left at one half."""
    rows = _Rows(found, labels, share)
    penalty = np.r_[np.full(len(NAMED), _PENALTY_NAMED), np.full(BUCKETS, _PENALTY_HASHED)]
    weights, bias = np.zeros(len(penalty)), -3.0
    mean, spread = np.zeros(len(penalty) + 1), np.zeros(len(penalty) + 1)
    for step in range(1, _STEPS + 1):
        error = share * (1 / (1 + np.exp(-np.clip(rows.scores(weights, bias), -30, 30))) - labels)
        slope = np.append(rows.gradient(error) + penalty * weights, error.sum())
        mean, spread = 0.9 * mean + 0.1 * slope, 0.999 * spread + 0.001 * slope**2
        rate = 0.05 * min(1.0, 4 * (1 - step / (_STEPS + 1)))
        move = rate * (mean / (1 - 0.9**step)) / (np.sqrt(spread / (1 - 0.999**step)) + 1e-8)
        weights, bias = weights - move[:-1], bias - move[-1]
    return Detector(weights[: len(NAMED)], weights[len(NAMED) :], float(bias), 0.5)


@dataclass(frozen=True, slots=True)
class Windowed:
    """A text with its windows' features."""

    text: Text
    found: tuple[Features, ...]


def windowed(texts: Sequence[Text]) -> list[Windowed]:
    return [Windowed(t, tuple(w.features for w in windows(t.text))) for t in texts]


def trained(texts: Sequence[Windowed], *, rounds: int = 2) -> Detector:
    """An attack teaches by the window that most looks like one, as far as is known; all of a harmless text's teach."""
    model: Detector | None = None
    for _ in range(rounds):
        found: list[Features] = []
        labels, share = [], []
        weights = _shares(texts)
        for each in texts:
            taught = _telling(each)
            if each.text.attack and model is not None and taught:
                taught = sorted(taught, key=lambda f, m=model: -m.chance(f))[: max(1, len(taught) // 3)]  # type: ignore[misc]
            for f in taught:
                found.append(f)
                labels.append(float(each.text.attack))
                share.append(weights[_kind(each.text)] / len(taught))
        model = fit(found, np.array(labels), np.array(share))
    assert model is not None
    return model


def _telling(each: Windowed) -> list[Features]:
    """Of a passage the windows in which classes of words meet, and a few of the others: they teach much the same."""
    if _kind(each.text) in _WEIGHT:
        return list(each.found)
    return [f for n, f in enumerate(each.found) if len(f.named) > _FEW_NAMED or n % _OTHERS_ONE_IN == 0]


def _kind(text: Text) -> str:
    return text.source.split(",")[0]


def _shares(texts: Sequence[Windowed]) -> dict[str, float]:
    """What one text of each kind weighs."""
    counts: dict[str, int] = {}
    for each in texts:
        counts[_kind(each.text)] = counts.get(_kind(each.text), 0) + 1
    documents = sum(n for kind, n in counts.items() if kind not in _WEIGHT)
    return {kind: _WEIGHT[kind] / n if kind in _WEIGHT else _PASSAGES_WEIGHT / documents for kind, n in counts.items()}


def chance(model: Detector, each: Windowed) -> float:
    """Of the window that most looks like an attack."""
    return max((model.chance(f) for f in each.found), default=0.0)


def threshold(texts: Sequence[Windowed], false_alarms: float = FALSE_ALARMS) -> float:
    """Each passage judged by weights that were not fitted on its document."""
    fold = [crc32(each.text.group.encode()) // 2 % FOLDS for each in texts]
    harmless: list[float] = []
    for n in range(FOLDS):
        model = trained([e for e, f in zip(texts, fold, strict=True) if f != n])
        held_out = [e for e, f in zip(texts, fold, strict=True) if f == n]
        harmless += [chance(model, e) for e in held_out if _kind(e.text) not in _WEIGHT]
    return float(np.quantile(harmless, 1 - false_alarms)) if harmless else 0.5


def made(texts: Sequence[Windowed]) -> Detector:
    """Fitted on the part that is for fitting, with its threshold."""
    fitted_on = [e for e in texts if e.text.fit]
    return replace(trained(fitted_on), threshold=threshold(fitted_on))


def report(model: Detector, texts: Sequence[Windowed]) -> None:
    """Of what was kept for figures, the share that is flagged, by source."""
    by_source: dict[str, list[bool]] = {}
    for each in texts:
        if not each.text.fit:
            by_source.setdefault(each.text.source, []).append(chance(model, each) >= model.threshold)
    for source, found in sorted(by_source.items()):
        print(f"{source}: {sum(found)} of {len(found)} flagged ({sum(found) / len(found):.2%})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=WEIGHTS.parent)
    args = parser.parse_args()
    texts = windowed(read(args.data))
    model = made(texts)
    print(f"threshold {model.threshold:.4f}")
    report(model, texts)
    model.save(args.out / WEIGHTS.name)


if __name__ == "__main__":
    main()
