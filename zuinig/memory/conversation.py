"""Follow-ups: a turn that needs its history is given the words it lacks, and stays out of memory."""

import re
from dataclasses import dataclass

from zuinig.retrieval.words import EMPTY, words

# Words by which a turn points back, English and Dutch.
_POINTERS = frozenset(
    "it its they them their theirs he she him her his hers this that these those one ones there then same other "
    "others another else such former latter both either neither instead again also too die dat deze dit hij zij ze "
    "hem haar hun hen er daar daarvan daarmee ervoor ervan ook zelfde ander andere anders beide toen".split()
)
_OPENERS = re.compile(
    r"^\s*(?:and|or|but|so|what about|how about|what if|then|also|why not|why|how so|really|ok|okay|yes|no|"
    r"en|of|maar|dus|wat als|hoe zit het met|waarom|ook|ja|nee)\b",
    re.IGNORECASE,
)
_FEW_WORDS = 3


@dataclass(frozen=True, slots=True)
class Standalone:
    """depends: the turn points at its history. Its own words never reach memory then, as question or as answer."""

    question: str
    depends: bool


def standalone(question: str, previous: str | None) -> Standalone:
    """previous: the standalone form of the turn before, None where there is none.

    Errs towards "depends": a repeat that is answered anew costs tokens, a wrong hit costs trust.
    """
    if previous is None:
        return Standalone(question, False)
    found = words(question)
    content = [w for w in found if w not in EMPTY]
    if not (_OPENERS.match(question) or any(w in _POINTERS for w in found) or len(content) <= _FEW_WORDS - 1):
        return Standalone(question, False)
    missing = [w for w in words(previous) if w not in EMPTY and w not in found and w not in _POINTERS]
    return Standalone(f"{question.strip()} ({' '.join(dict.fromkeys(missing))})" if missing else question, True)
