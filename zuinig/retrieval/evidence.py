"""How likely each sentence of the passages found is to hold the answer: what the reader saw beside words and ranks."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from zuinig.core.types import Hit
from zuinig.retrieval.reader import PassageRead
from zuinig.retrieval.sentences import Sentence, coverage, term_weights
from zuinig.retrieval.words import is_dutch

Floats = npt.NDArray[np.float64]

NAMES = (
    "coverage",
    "hit score",
    "similarity",
    "rank",
    "keep",
    "span",
    "relevant",
    "answerable",
    "keep over the rest",
    "span over the rest",
    "answerable over the rest",
    "words",
    "place",
    "tokens a word of the question",
    "Dutch",
)
_UNREAD = -15.0
_TOKENS_A_WORD = 1.3  # of English
_KEEP, _SPAN, _ANSWERABLE = 4, 5, 7


def features(
    question: str, sentences: Sequence[Sentence], hits: Sequence[Hit], read: Sequence[PassageRead | None]
) -> Floats:
    """(n, len(NAMES)), a row for each sentence. read: one for each hit; what was not read says -15 throughout.

    The reader learnt English: that its tokenizer cuts the question's words to pieces says how little it knows of them.
    """
    weights = term_weights(question, hits)
    dutch = float(is_dutch(question))
    of_hit = {hit.passage_id: (rank, passage) for rank, (hit, passage) in enumerate(zip(hits, read, strict=True))}
    rows = np.empty((len(sentences), len(NAMES)))
    for i, sentence in enumerate(sentences):
        rank, passage = of_hit[sentence.hit.passage_id]
        seen = _seen(sentence, passage)
        words = len(sentence.text.split())
        asked = passage.asked_tokens / max(1, len(question.split())) if passage is not None else _TOKENS_A_WORD
        covered = coverage(weights, sentence.text, around=sentence.hit.context)
        first = (covered, sentence.hit.score, sentence.hit.similarity, rank)
        rows[i] = (*first, *seen, 0, 0, 0, words, sentence.start - sentence.hit.start, asked, dutch)
    for to, of in ((8, _KEEP), (9, _SPAN), (10, _ANSWERABLE)):
        rows[:, to] = _over_the_rest(rows[:, of], [s.hit.passage_id for s in sentences] if of == _ANSWERABLE else None)
    return rows


def unread(rows: Floats) -> Floats:
    """As they would be had the reader read nothing."""
    out = rows.copy()
    out[:, 4:8] = _UNREAD
    out[:, 8:11] = 0.0
    out[:, NAMES.index("tokens a word of the question")] = _TOKENS_A_WORD
    return out


def _seen(sentence: Sentence, passage: PassageRead | None) -> tuple[float, float, float, float]:
    if passage is None:
        return _UNREAD, _UNREAD, _UNREAD, _UNREAD
    start, end = sentence.start - sentence.hit.start, sentence.end - sentence.hit.start
    return passage.kept(start, end), passage.best_span(start, end).score, passage.relevant, passage.answerable


def _over_the_rest(values: Floats, groups: Sequence[int] | None) -> Floats:
    """By how much each value is above the best of the others: of other groups, where there are groups."""
    names = range(len(values)) if groups is None else groups
    best: dict[int, float] = {}
    for name, value in zip(names, values.tolist(), strict=True):
        best[name] = max(value, best.get(name, value))
    top, *others = sorted(best, key=best.__getitem__, reverse=True)
    if not others:
        # Alone in a store of a few lines nothing stands out.
        return np.zeros(len(values))
    rest: Floats = np.array([best[others[0] if name == top else top] for name in names])
    return values - rest
