"""Reading without a language model: ranks passages and sentences, and quotes the answer where it is sure of one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zuinig.core.errors import ConfigurationError
from zuinig.core.logistic import Weights
from zuinig.core.trees import Trees
from zuinig.core.types import Citation, Hit
from zuinig.retrieval import evidence, sentences
from zuinig.retrieval.reader import Reader
from zuinig.retrieval.sentences import Sentence

Floats = npt.NDArray[np.float64]

# From this confidence on the documents are taken to cover the question; below the other nothing is even near, and an
# LLM need not be asked.
COVERED_FROM = 0.3
_NEAR_FROM = 0.05

# An answer that is told again is wrong again: remembered is only what is right so often. Nor is a language model that
# could be asked passed over for less (docs/decisions/0010).
_LASTING = 0.97

_MOST_QUOTES = 3
_LINES_ANNOUNCED = 8
# Sentences are quoted until so much of the chance that any of them holds the answer lies in those quoted.
_QUOTED = 0.8


@dataclass(frozen=True, slots=True)
class Reading:
    """What the passages say. hits and sentences: best first; a sentence's score: the chance that it holds the answer.

    confidence: the chance that what comes closest says the answer. near: whether an LLM may make something of the
    passages. sure: whether the specialist may answer with what comes closest. lasting: whether it is sure enough for
    that to be remembered, and not to ask an LLM. unread: whether the time ran out before all of them were read.
    """

    hits: tuple[Hit, ...]
    sentences: tuple[Sentence, ...]
    closest: tuple[Sentence, ...]
    confidence: float
    near: bool
    sure: bool
    lasting: bool
    unread: bool

    @property
    def quotes(self) -> tuple[Sentence, ...]:
        """What the specialist answers."""
        return self.closest if self.sure else ()

    @property
    def covered(self) -> bool:
        """Whether the documents seem to cover the question at all."""
        return self.confidence >= COVERED_FROM


NOTHING = Reading((), (), (), 0.0, near=False, sure=False, lasting=False, unread=False)


@dataclass(frozen=True, slots=True)
class _Calibrated:
    """A reader with what its config.json makes of it. Raises ConfigurationError."""

    reader: Reader
    sentence: Trees
    sure: Weights
    scale: list[tuple[float, float]]

    @classmethod
    def of(cls, reader: Reader) -> "_Calibrated":
        try:
            sentence = Trees.read(reader.config["sentence"])
            sure = Weights(tuple(reader.config["sure"]["weights"]), float(reader.config["sure"]["bias"]))
            scale = [(float(score), float(share)) for score, share in reader.config["scale"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"The reader {reader.id} has no calibration that can be used: {error}") from error
        return cls(reader, sentence, sure, scale)


class Specialist:
    """wrong_budget: share of what it answers alone that may be wrong; with 0 it never does. passages: how many it reads
    for a question.

    Passages that the reader did not get to are judged by their words alone; nothing read at all is nothing sure.
    """

    def __init__(self, reader: Reader, *, wrong_budget: float, passages: int) -> None:
        self._model, self.passages = _Calibrated.of(reader), passages
        self._least = 1 - wrong_budget if wrong_budget else float("inf")

    @property
    def reader(self) -> Reader:
        return self._model.reader

    def take(self, reader: Reader) -> None:
        """Read with this one from now on; a question that is being read keeps the one that it began with.

        Raises ConfigurationError, and then keeps the one it has.
        """
        self._model = _Calibrated.of(reader)

    def read(self, question: str, hits: Sequence[Hit]) -> Reading:
        """hits: best first, as search ranks them; those past what is read follow the others.

        A copy in another document is not read: beside it nothing would stand out, as if the documents were at odds.
        """
        first: dict[tuple[str, str], Hit] = {}
        for hit in hits:
            first.setdefault((hit.context, hit.text), hit)
        chosen = list(first.values())[: self.passages]
        ids = {hit.passage_id for hit in chosen}
        reading = self._read(question, chosen)
        return replace(reading, hits=(*reading.hits, *(hit for hit in hits if hit.passage_id not in ids)))

    def _read(self, question: str, hits: Sequence[Hit]) -> Reading:
        split = [s for hit in hits for s in sentences.of_hit(hit)]
        if not split:
            return replace(NOTHING, hits=tuple(hits))
        model = self._model
        read = model.reader.read(question, hits)
        features = evidence.features(question, split, hits, read)
        chances = model.sentence.probability(features)
        is_read = any(read)
        confidence = self._confidence(model, chances, features) if is_read else 0.0
        right_from_there_on = float(rises(np.array([confidence]), model.scale)[0])
        ranked = _ranked(split, chances)
        return Reading(
            _reranked(hits, ranked),
            tuple(ranked),
            _quotes(ranked),
            confidence,
            near=confidence >= _NEAR_FROM or not is_read,
            sure=right_from_there_on >= self._least,
            lasting=right_from_there_on >= _LASTING,
            unread=None in read,
        )

    def _confidence(self, model: _Calibrated, chances: Floats, features: Floats) -> float:
        return float(model.sure.probability(beside(chances, features)[None])[0])


def _ranked(split: Sequence[Sentence], chances: Floats) -> list[Sentence]:
    order = np.argsort(-chances, kind="stable").tolist()
    return [replace(split[i], score=float(chances[i])) for i in order]


def _reranked(hits: Sequence[Hit], ranked: Sequence[Sentence]) -> tuple[Hit, ...]:
    """By the likeliest sentence of each; those without any keep their order at the end."""
    first: dict[int, int] = {}
    for place, sentence in enumerate(ranked):
        first.setdefault(sentence.hit.passage_id, place)
    return tuple(sorted(hits, key=lambda hit: first.get(hit.passage_id, len(ranked))))


_LEAST_SECOND = 0.02
_STANDS_BY = [
    evidence.NAMES.index(name)
    for name in ("coverage", "similarity", "span", "relevant", "answerable", "answerable over the rest", "Dutch")
]


def beside(chances: Floats, features: Floats) -> Floats:
    """(k,) what stands out among the sentences (n,) of one question: what the confidence is judged by."""
    order = np.argsort(-chances, kind="stable")
    best = order[0]
    # That nothing else is there, in a store of a few lines, is no sign that what is there answers.
    second = max(chances[order[1]] if len(order) > 1 else 0.0, _LEAST_SECOND)
    return np.concatenate([[_log_odds(chances[best]), _log_odds(second), chances.sum()], features[best, _STANDS_BY]])


def _log_odds(chance: float) -> float:
    kept = min(max(chance, 1e-6), 1 - 1e-6)
    return float(np.log(kept / (1 - kept)))


def rises(scores: Floats, scale: Sequence[tuple[float, float]]) -> Floats:
    """(n,) the share that is right from each score on."""
    share: Floats = np.interp(scores, [s for s, _ in scale], [p for _, p in scale])
    return share


def quoted(chances: Floats) -> list[int]:
    """Which of the sentences (n,) are quoted, best first."""
    order = np.argsort(-chances, kind="stable")[:_MOST_QUOTES]
    before = np.cumsum(chances[order]) - chances[order]
    chosen: list[int] = order[before < _QUOTED * chances.sum()].tolist()
    return chosen


def _quotes(ranked: Sequence[Sentence]) -> tuple[Sentence, ...]:
    quotes: list[Sentence] = []
    for place in quoted(np.array([s.score for s in ranked])):
        # The same text out of another document adds nothing.
        if all(ranked[place].text not in q.text for q in quotes):
            quotes.append(_with_what_follows(ranked[place]))
    return tuple(quotes)


def _with_what_follows(sentence: Sentence) -> Sentence:
    """A sentence that announces a list or a table says nothing without it."""
    if not sentence.text.endswith(":"):
        return sentence
    hit = sentence.hit
    lines = hit.text[sentence.end - hit.start :].splitlines(keepends=True)[: _LINES_ANNOUNCED + 1]
    end = sentence.end + len("".join(lines).rstrip())
    text = hit.text[sentence.start - hit.start : end - hit.start]
    return replace(sentence, text=text, shown=text, end=end)


def cite(sentence: Sentence) -> Citation:
    hit = sentence.hit
    return Citation(
        document_id=hit.document_id,
        version_id=hit.version_id,
        title=hit.title,
        version=hit.version,
        page=hit.page,
        start=sentence.start,
        end=sentence.end,
        quote=sentence.text,
        passage_id=hit.passage_id,
        content_hash=hit.content_hash,
    )
