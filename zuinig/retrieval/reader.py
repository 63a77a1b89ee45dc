"""The specialist reader: what a small cross-encoder of our own finds in passages that it reads for a question."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import structlog
from tokenizers import Encoding

from zuinig.core.errors import ConfigurationError
from zuinig.core.types import Hit
from zuinig.retrieval.cross_encoder import CrossEncoder

log = structlog.get_logger()

Floats = npt.NDArray[np.float64]

_MAX_TOKENS = 384
_BATCH = 2  # passages on one thread: more no longer fit its cache, and the limit of time is kept more finely
_LONGEST_SPAN = 30  # tokens
_NOWHERE = -20.0


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a passage, by characters of its text. score: log chance of its start plus that of its end."""

    start: int
    end: int
    score: float


class PassageRead:
    """One passage as the reader sees it. relevant, answerable: logits. asked_tokens: how many the question took."""

    def __init__(self, offset: int, encoding: Encoding, passage: npt.NDArray[np.float32], tokens: Floats) -> None:
        """offset: where the passage's own text begins in what was read, after its headings."""
        inside = np.array([kind == 1 and end > start for kind, (start, end) in _places(encoding)])
        places = np.array(encoding.offsets)[inside] - offset
        self.relevant, self.answerable = float(passage[0]), float(passage[1])
        self.asked_tokens = encoding.type_ids.count(0) - 2
        self._first, self._last = places[:, 0], places[:, 1]
        chosen = tokens[: len(inside)][inside].astype(np.float64)
        self._start, self._end = _log_softmax(chosen[:, 0]), _log_softmax(chosen[:, 1])
        self._keep = chosen[:, 2]

    def kept(self, start: int, end: int) -> float:
        """Logit that the sentence from start to end is worth keeping: the mean over its tokens."""
        tokens = self._within(start, end)
        return float(self._keep[tokens].mean()) if len(tokens) else _NOWHERE

    def best_span(self, start: int, end: int) -> Span:
        """The likeliest answer between start and end."""
        tokens = self._within(start, end)
        if not len(tokens):
            return Span(start, start, 2 * _NOWHERE)
        scores = self._start[tokens][:, None] + self._end[tokens][None]
        length = np.arange(len(tokens))[None] - np.arange(len(tokens))[:, None]
        scores = np.where((length >= 0) & (length < _LONGEST_SPAN), scores, 2 * _NOWHERE)
        first, last = divmod(int(scores.argmax()), len(tokens))
        score = max(float(scores[first, last]), 2 * _NOWHERE)
        return Span(int(self._first[tokens[first]]), int(self._last[tokens[last]]), score)

    def _within(self, start: int, end: int) -> npt.NDArray[np.int64]:
        return np.flatnonzero((self._first >= start) & (self._last <= end))


def _places(encoding: Encoding) -> list[tuple[int, tuple[int, int]]]:
    return list(zip(encoding.type_ids, encoding.offsets, strict=True))


def _log_softmax(logits: Floats) -> Floats:
    if not len(logits):
        return logits
    shifted = logits - logits.max()
    result: Floats = shifted - np.log(np.exp(shifted).sum())
    return result


class Reader:
    """limit_s: how long the passages of one question may take; those not read by then count as not read."""

    def __init__(self, folder: Path, *, threads: int = 0, limit_s: float | None = None) -> None:
        try:
            self.folder = folder
            self.config = json.loads((folder / "config.json").read_text())
            self.id: str = self.config["id"]
            self._model = CrossEncoder(folder, max_tokens=_MAX_TOKENS, threads=threads)
        except (OSError, KeyError, ValueError) as error:
            raise ConfigurationError(f"The reader in {folder} cannot be used: {error}") from error
        self._limit_s = limit_s

    def read(self, question: str, hits: Sequence[Hit]) -> list[PassageRead | None]:
        """One for each hit; None where time ran out or the model failed: what was not read is no evidence."""
        heads = [f"{hit.context}\n" if hit.context else "" for hit in hits]
        encoded = self._model.encode([(question, head + hit.text) for head, hit in zip(heads, hits, strict=True)])
        order = list(range(len(hits)))
        batches = [order[i : i + _BATCH] for i in range(0, len(order), _BATCH)]
        found: list[PassageRead | None] = [None] * len(hits)
        try:
            ran = self._model.run([[encoded[i] for i in batch] for batch in batches], self._limit_s)
        except Exception as error:  # noqa: BLE001  # onnxruntime raises its own; whatever it is, nothing was read
            log.warning("reader.failed", error=type(error).__name__, detail=str(error)[:300])
            return found
        for batch, outputs in zip(batches, ran, strict=True):
            if outputs is None:
                continue
            passages, tokens = outputs
            for row, i in enumerate(batch):
                if np.isfinite(passages[row]).all() and np.isfinite(tokens[row]).all():
                    found[i] = PassageRead(len(heads[i]), encoded[i], passages[row], tokens[row].astype(np.float64))
        return found
