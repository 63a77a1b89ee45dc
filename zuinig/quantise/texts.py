"""An ONNX model read beside its small form: vectors of texts, or scores of pairs of texts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from zuinig.core.errors import Unprocessable
from zuinig.quantise import agreement
from zuinig.quantise.report import Agreement, Progress, Speed
from zuinig.retrieval.embed import open_session

_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
_MOST_TOKENS = 256
_LABELS_AT_MOST = 8  # wider than that an output is a vector
_NEIGHBOURS = 10

Text = str | tuple[str, str]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outputs:
    """By name, in the order of the texts. vectors: rows of each; pooled: those with one row for each text."""

    vectors: dict[str, Floats]
    pooled: frozenset[str]
    scores: dict[str, Floats]
    texts_per_s: float


class Model:
    """Runs on one thread and text by text, as a question is read. Raises Unprocessable for what reads no texts."""

    def __init__(self, path: Path, tokenizer: Path) -> None:
        if not tokenizer.is_file():
            raise Unprocessable(f"There is no tokenizer.json beside {path.name}, so that it cannot be given texts.")
        self._session = open_session(path)
        self._inputs = {i.name for i in self._session.get_inputs()}
        if not {"input_ids"} <= self._inputs <= _INPUTS:
            raise Unprocessable(f"{path.name} wants {', '.join(sorted(self._inputs))}, which texts do not give.")
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        self._tokenizer.no_padding()
        self._outputs = {o.name: o.shape for o in self._session.get_outputs() if o.type == "tensor(float)"}
        self._vectors = {n for n, s in self._outputs.items() if isinstance(s[-1], int) and s[-1] > _LABELS_AT_MOST}
        self._pooled = frozenset(n for n in self._vectors if len(self._outputs[n]) == 2)

    @property
    def reads_pairs(self) -> bool:
        return "token_type_ids" in self._inputs and not self._pooled

    def read(self, texts: Sequence[Text], progress: Progress) -> Outputs:
        found: dict[str, list[Floats]] = {name: [] for name in self._outputs}
        seconds = 0.0
        for number, text in enumerate(texts, 1):
            encoded = self._tokenizer.encode(*text) if isinstance(text, tuple) else self._tokenizer.encode(text)
            given = {
                "input_ids": encoded.ids,
                "attention_mask": encoded.attention_mask,
                "token_type_ids": encoded.type_ids,
            }
            begun = time.perf_counter()
            results = self._session.run(list(found), {n: np.array([given[n]], np.int64) for n in self._inputs})
            seconds += time.perf_counter() - begun
            for name, result in zip(found, results, strict=True):
                width = result.shape[-1] if name in self._vectors else 1
                found[name].append(result.astype(np.float64).reshape(-1, width))
            progress(number, len(texts))
        whole = {name: np.concatenate(rows) for name, rows in found.items()}
        return Outputs(
            vectors={n: x for n, x in whole.items() if n in self._vectors},
            pooled=self._pooled,
            scores={n: x[:, 0] for n, x in whole.items() if n not in self._vectors},
            texts_per_s=len(texts) / seconds,
        )


def compared(before: Outputs, after: Outputs) -> tuple[list[Agreement], Speed]:
    found = []
    for name, rows in before.vectors.items():
        found.append(Agreement(f"{name}: mean cosine", agreement.mean_cosine(rows, after.vectors[name]), len(rows)))
        k = min(_NEIGHBOURS, len(rows) - 1)
        if name in before.pooled and k > 0:
            kept = agreement.neighbours_kept(rows, after.vectors[name], k)
            found.append(Agreement(f"{name}: the {k} nearest kept", kept, len(rows), share=True))
    for name, values in before.scores.items():
        rank = agreement.rank_correlation(values, after.scores[name])
        found.append(Agreement(f"{name}: rank correlation", rank, len(values)))
    return found, Speed("texts/s, one thread", before.texts_per_s, after.texts_per_s)
