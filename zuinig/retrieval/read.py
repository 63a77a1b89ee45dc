"""The reader without a language model: quotes the sentences that answer, or says that nothing fits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from zuinig.core.types import Citation, Hit
from zuinig.retrieval.sentences import Sentence, coverage, term_weights

# Logistic regression over (best sentence's cosine, its coverage, best passage's cosine, best passage's coverage),
# fitted by training/fit_answerable.py on questions whose passage is in the collection against questions of other
# fields asked of the same collection. Held-out figures: docs/benchmarks.md.
_WEIGHTS = (6.44, 0.78, 23.48, 3.76)
_BIAS = -14.73
ANSWERS_FROM = 0.5

_MOST_QUOTES = 3
_NEAR_BEST = 0.8
_LINES_ANNOUNCED = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """confidence: calibrated chance that the documents cover the question. quotes: best first, maybe none."""

    confidence: float
    quotes: tuple[Sentence, ...]


def read(question: str, sentences: Sequence[Sentence], hits: Sequence[Hit], *, least: float = ANSWERS_FROM) -> Reading:
    """sentences: best first, of these hits. Quotes only from the confidence `least` on."""
    if not sentences:
        return Reading(0.0, ())
    confidence = answerable(features(question, sentences, hits))
    if confidence < least:
        return Reading(confidence, ())
    best = sentences[0]
    quotes: list[Sentence] = []
    for sentence in sentences:
        if sentence.score < _NEAR_BEST * best.score or len(quotes) == _MOST_QUOTES:
            break
        # The same text out of another document adds nothing.
        if all(sentence.text not in q.text for q in quotes):
            quotes.append(_with_what_follows(sentence))
    return Reading(confidence, tuple(quotes))


def _with_what_follows(sentence: Sentence) -> Sentence:
    """A sentence that announces a list or a table says nothing without it."""
    if not sentence.text.endswith(":"):
        return sentence
    hit = sentence.hit
    lines = hit.text[sentence.end - hit.start :].splitlines(keepends=True)[: _LINES_ANNOUNCED + 1]
    end = sentence.end + len("".join(lines).rstrip())
    text = hit.text[sentence.start - hit.start : end - hit.start]
    return replace(sentence, text=text, shown=text, end=end)


def features(question: str, sentences: Sequence[Sentence], hits: Sequence[Hit]) -> tuple[float, float, float, float]:
    """Each in 0..1."""
    weights = term_weights(question, hits)
    best = sentences[0]
    return (
        best.cosine,
        best.coverage,
        max(h.similarity for h in hits),
        max(coverage(weights, f"{h.context} {h.text}") for h in hits),
    )


def answerable(values: Sequence[float]) -> float:
    return float(1 / (1 + np.exp(-(np.dot(_WEIGHTS, values) + _BIAS))))


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
