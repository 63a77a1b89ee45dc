"""Questions that a passage looks as if it answered, and does not: made by rule out of those that it does.

People who wrote such questions for SQuAD 2.0 (Rajpurkar et al. 2018) exchanged a name, a number, or a word for its
opposite, turned something round, or negated it; so do these rules. What a rule puts in looks no different from what
people ask, so that the reader cannot tell by the question alone.
"""

import random
import re
from collections.abc import Sequence

from zuinig.training.near_misses import NEAR_MISSES

_NAME = re.compile(r"(?<=[\w,] )[A-Z][\w'’-]*[a-z][\w'’-]*(?: (?:of |the )*[A-Z][\w'’-]+)*")
_KINDS = ("number", "opposite", "direction", "negation")
# Many questions can be negated, and those that people negate are often answerable.
_NEGATED = 0.2


def altered(question: str, passage: str, near: Sequence[str], chance: random.Random) -> str | None:
    """The question with one thing changed, or None where no rule applies. near: passages about about the same."""
    made = []
    renamed = _renamed(question, passage, near, chance)
    if renamed is not None:
        # Half of them exchange a name, as people do most.
        made = [renamed] * 2
    for kind in _KINDS:
        if kind != "negation" or chance.random() < _NEGATED:
            other = NEAR_MISSES[kind](question, chance)
            if other is not None and _likely(question, other, passage):
                made.append(other)
    return chance.choice(made) if made else None


def _renamed(question: str, passage: str, near: Sequence[str], chance: random.Random) -> str | None:
    names = list(_NAME.finditer(question))
    others = sorted({m[0] for text in near for m in _NAME.finditer(text)} - {m[0] for m in names})
    others = [name for name in others if name not in passage]
    if not names or not others:
        return None
    name = chance.choice(names)
    return question[: name.start()] + chance.choice(others) + question[name.end() :]


def _likely(question: str, made: str, passage: str) -> bool:
    """Whether people might ask it (no small word was exchanged), of something that the passage does not say."""
    put_in = set(made.split()) - set(question.split())
    numbers = {number for word in put_in for number in re.findall(r"\d+", word)}
    long = all(len(word.strip("?.,")) > 3 or re.search(r"\d", word) for word in put_in)
    return long and not any(number in passage for number in numbers)
