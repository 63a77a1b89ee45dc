"""When two wordings are one question: the normal form that a repeat is found by, and the guard for other wordings."""

import hashlib
import re
import unicodedata

from zuinig.retrieval.words import stem

# Marks at the edge of a word carry no meaning; those inside (v1.2, C++, 10%) do.
_EDGE = "?!.,;:\"'`“”‘’„«»¿¡()[]"
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NEGATIONS = frozenset(
    "not no never none nothing nobody neither nor without cannot isn't aren't wasn't weren't don't doesn't didn't "
    "can't couldn't won't wouldn't shouldn't mustn't haven't hasn't hadn't niet geen nooit niets niemand zonder noch "
    "nergens".split()
)
# The only words two wordings may differ by. Pronouns, tenses, question words and prepositions change the question.
_FILLERS = frozenset("a an the please is are am do does de het een graag alsjeblieft alstublieft".split())


def normal_form(question: str) -> str:
    """Case, white space, and marks at the edges of words folded; nothing else: `C++` and `C#` stay apart."""
    text = unicodedata.normalize("NFKC", question).casefold().replace("’", "'")
    tokens = (t.strip(_EDGE) for t in text.split())
    return " ".join(t for t in tokens if t)


def question_key(question: str) -> str:
    """sha256 of the normal form."""
    return hashlib.sha256(normal_form(question).encode()).hexdigest()


def difference(a: str, b: str) -> str | None:
    """Why the two are different questions whatever their vectors say; None where they are the same words in order.

    A first, strict rule: numbers, negation and every other word must agree, in the same order. It leaves out many true
    repeats and lets no "from A to B" pass for "from B to A".
    """
    left, right = normal_form(a), normal_form(b)
    if left == right:
        return None
    if _NUMBER.findall(left) != _NUMBER.findall(right):
        return "numbers differ"
    if _negated(left) != _negated(right):
        return "one is negated"
    x, y = _significant(left), _significant(right)
    if x == y:
        return None
    return "same words in another order" if sorted(x) == sorted(y) else "other words"


def _negated(normal: str) -> int:
    return sum(w in _NEGATIONS or w.endswith("n't") for w in normal.split())


def _significant(normal: str) -> list[str]:
    return [stem(w) for w in normal.split() if w not in _FILLERS]
