"""What two questions differ in, as numbers: the explicit signs that stand beside the verifier's judgement.

A cross-encoder reads meaning and overlooks a digit; these count digits, negations, opposites, names, order and what is
asked. They decide nothing alone: `verify` weighs them, and `training/fit_verifier` fits the weights.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from zuinig.memory.questions import normal_form
from zuinig.retrieval.words import EMPTY, stem, words

_OPPOSITES = Path(__file__).parent.parent / "data" / "opposites.txt"

NAMES = (
    "numbers differ",
    "number missing",
    "negation differs",
    "opposites",
    "names differ",
    "name missing",
    "order",
    "asked differs",
    "person differs",
    "alike words",
    "covered least",
    "covered most",
    "alike letters",
    "length",
    "shorter words",
    "own words",
    "direction differs",
    "replaced words",
    "tense differs",
)

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SPELLED = {
    word: str(n)
    for n, words_ in enumerate(
        "zero/nul one two/twee three/drie four/vier five/vijf six/zes seven/zeven eight/acht nine/negen ten/tien "
        "eleven/elf twelve/twaalf".split()
    )
    for word in words_.split("/")
}
_SHARE = re.compile(r"%|\bper ?cent\b|\bprocent\b")
_TENSES = (
    re.compile(r"\b(?:was|were|did|had|been|ago|used to|waren|had(?:den)?|werd(?:en)?|geleden)\b|n't have\b"),
    re.compile(r"\b(?:will|shall|going to|zal|zullen|gaat|gaan)\b|'ll\b"),
)
_NEGATION = re.compile(
    r"\b(?:(?:ca|do|does|did|is|are|was|were|wo|have|has|should|could|would)nt|not|no|never|none|nothing|nobody|neither|nor|without|cannot|niet|geen|nooit|niets|niemand|zonder)\b|n't\b"
)
# Words that say what a thing is to what is done: "from Spain to Belgium" is not "from Belgium to Spain".
_RELATIONS = frozenset(
    """from to into onto out in off on with without before after until since by for at over under above below between
    van naar uit in op af met zonder voor na door over onder boven tot sinds tussen""".split()
)
_PREFIXES = ("un", "dis", "in", "im", "ir", "non", "mis", "de", "on")
_CAPITAL = re.compile(r"(?<=[\w,;:)] )[A-Z][\w&.+#-]*\w|\b(?:[A-Z]{2,}|[A-Za-z]+\d|\d+[A-Za-z])[\w+#-]*")
_ASKED = re.compile(
    r"\b(how (?:much|many|long|often|old|far|big|high|do|can|to|should|would|does|is)|what|when|where|who|whom|whose"
    r"|why|which|how|hoe|wat|wanneer|waar|wie|waarom|welke?|hoeveel|hoelang|can|may|should|must|do|does|is|are|kan|mag|moet)\b"
)
_KIND_OF_HOW = {"how do", "how can", "how to", "how should", "how would", "how does", "how is", "hoe"}
_PERSONS = {
    "i": 1, "me": 1, "my": 1, "mine": 1, "we": 1, "our": 1, "us": 1, "ik": 1, "mijn": 1, "wij": 1, "onze": 1,
    "you": 2, "your": 2, "je": 2, "jouw": 2, "u": 2, "uw": 2, "he": 3, "his": 3, "she": 3, "her": 3, "they": 3,
    "their": 3, "someone": 3, "somebody": 3, "zij": 3, "hij": 3, "zijn": 3, "hun": 3,
}  # fmt: skip


@cache
def opposites() -> tuple[tuple[str, str], ...]:
    """Pairs of words whose exchange makes another question."""
    lines = _OPPOSITES.read_text().splitlines()
    return tuple((a, b) for a, b in (line.split("/") for line in lines if line))


@cache
def _opposite_of() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for a, b in opposites():
        found.setdefault(a, set()).add(b)
        found.setdefault(b, set()).add(a)
    return {word: frozenset(others) for word, others in found.items()}


@dataclass(frozen=True, slots=True)
class Form:
    """What is counted of one question."""

    words: tuple[str, ...]
    stems: tuple[str, ...]  # of the words with content
    numbers: Counter[str]
    negations: int
    names: frozenset[str]
    asked: str
    persons: frozenset[int]
    trigrams: frozenset[str]
    tense: tuple[bool, ...]
    related: dict[str, frozenset[str]]  # the relations that each word with content stands in


@lru_cache(maxsize=4096)
def form(question: str) -> Form:
    normal, found = normal_form(question), words(question)
    return Form(
        words=tuple(found),
        stems=tuple(stem(w) for w in found if w not in EMPTY),
        # Ten is not ten per cent.
        numbers=_numbers(found) + Counter({"%": len(_SHARE.findall(normal))}),
        negations=len(_NEGATION.findall(normal)),
        names=frozenset(_names(question)),
        asked=_asked(normal),
        persons=frozenset(_PERSONS[w] for w in found if w in _PERSONS),
        trigrams=frozenset(f" {normal} "[i : i + 3] for i in range(len(normal))),
        tense=tuple(bool(mark.search(normal)) for mark in _TENSES),
        related=_related(found),
    )


def signs(a: str, b: str) -> list[float]:
    """A number for each of NAMES, the same for (b, a)."""
    p, q = form(a), form(b)
    left, right = set(p.words), set(q.words)
    x, y = set(p.stems), set(q.stems)
    shared = len(x & y)
    cover = shared / max(len(x), 1), shared / max(len(y), 1)
    lost = len(p.names - right), len(q.names - left)
    lengths = len(p.words), len(q.words)
    return [
        float(bool(p.numbers - q.numbers) and bool(q.numbers - p.numbers)),
        float(p.numbers != q.numbers),
        float(abs(p.negations - q.negations)),
        float(_opposed(left - right, right - left)),
        float(all(lost)),
        float(min(sum(lost), 4)),
        _disorder(p.stems, q.stems),
        float(p.asked != q.asked),
        float(p.persons != q.persons),
        shared / max(len(x | y), 1),
        min(cover),
        max(cover),
        2 * len(p.trigrams & q.trigrams) / max(len(p.trigrams) + len(q.trigrams), 1),
        abs(lengths[0] - lengths[1]) / max(*lengths, 1),
        min(*lengths, 20) / 20,
        min(len(x ^ y), 10) / 10,
        float(min(sum(p.related[w] != q.related[w] for w in p.related.keys() & q.related.keys()), 4)),
        min(len(x - y), len(y - x), 5) / 5,
        float(p.tense != q.tense),
    ]


def _numbers(found: Sequence[str]) -> Counter[str]:
    return Counter(n for w in found for n in _NUMBER.findall(_SPELLED.get(w, w)))


def _opposed(only_a: set[str], only_b: set[str]) -> bool:
    table = _opposite_of()
    return any(
        table.get(word, frozenset()) & only_b or any(prefix + word in only_b for prefix in _PREFIXES) for word in only_a
    ) or any(prefix + word in only_a for word in only_b for prefix in _PREFIXES)


def _related(found: Sequence[str]) -> dict[str, frozenset[str]]:
    """stem -> the relations in front of it, up to the word with content before it."""
    related: dict[str, frozenset[str]] = {}
    open_ones: set[str] = set()
    for w in found:
        if w in _RELATIONS:
            open_ones.add(w)
        elif w not in EMPTY:
            name = stem(w)
            related[name] = related.get(name, frozenset()) | open_ones
            open_ones = set()
    return related


def _names(text: str) -> set[str]:
    """Words that look like names, lower case; none where the writer capitalises everything."""
    found = _CAPITAL.findall(text)
    tokens = text.split()
    if len(found) > 0.6 * len(tokens):
        return set()
    return {part for name in found for part in words(name)} - EMPTY


def _disorder(x: Sequence[str], y: Sequence[str]) -> float:
    """Share of the pairs of shared words that stand in the other order."""
    at = {w: i for i, w in reversed(tuple(enumerate(y)))}
    places = [at[w] for w in dict.fromkeys(x) if w in at]
    pairs = len(places) * (len(places) - 1) / 2
    turned = sum(p > q for i, p in enumerate(places) for q in places[i + 1 :])
    return turned / pairs if pairs else 0.0


def _asked(normal: str) -> str:
    found = _ASKED.search(normal)
    if found is None:
        return ""
    return "how" if found[1] in _KIND_OF_HOW else found[1]
