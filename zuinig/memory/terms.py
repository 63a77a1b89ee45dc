"""The terms of a text: words with content, and names of several words as one. For follow-ups, English and Dutch."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zuinig.retrieval.words import EMPTY, WORD, plain, stem

# Words by which a turn points back.
PERSON = frozenset("he she him her his hers hij ze zij hem haar".split())
THING = frozenset("it its ervan daarvan".split())
PLURAL = frozenset("they them their theirs these those hun hen deze die ze".split())
THIS = frozenset("this that dit dat die deze one ones such former latter zulke".split())
PLACE = frozenset("there then er daar toen daarmee daarvoor daarna ervoor ermee hier".split())
OTHER = frozenset(
    "other others another else besides instead again also too same either neither both ander andere anders anderen ook "
    "zelfde dezelfde hetzelfde beide nog verder weer".split()
)
POINTERS = PERSON | THING | PLURAL | THIS | PLACE | OTHER

# Words that are no term, beside those and EMPTY.
_IDLE = POINTERS | frozenset(
    "for from with without about into than not no any some more most all just during after before between while "
    "because ever become became get got make made many much besides aside yes don't know like often long thing things "
    "voor met zonder over uit naar dan niet geen meer meest alle alleen tijdens na tussen omdat maken gemaakt veel "
    "vaak lang ding dingen iets wel om tot per".split()
)
_JOINS = frozenset("of the de van der den la le du von al het voor".split())  # inside a name, never at its ends
_SENTENCE_END = re.compile(r"[.?!:;\n\"“”(]")
_SHORTENED = frozenset("st mr mrs ms dr jr prof no".split())  # a full stop after these or an initial ends nothing


@dataclass(frozen=True, slots=True)
class Token:
    """word: folded, without a genitive. opens: a sentence, where a capital says nothing. apart: more than a space."""

    word: str
    stem: str
    shown: str
    capital: bool
    opens: bool
    apart: bool

    @property
    def is_term(self) -> bool:
        long = len(self.word) > 1 or self.capital or self.word.isdigit()
        return long and self.word not in EMPTY and self.word not in _IDLE


@dataclass(frozen=True, slots=True)
class Term:
    """stems: of its words, without those that join. shown: as it stood. name: by its capitals."""

    stems: tuple[str, ...]
    shown: str
    name: bool


def tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    text = unicodedata.normalize("NFC", text)
    for match in WORD.finditer(text):
        shown = match.group().removesuffix("'s").removesuffix("’s")
        between = text[at : match.start()]
        if found and between[:1] == "." and (len(found[-1].word) == 1 or found[-1].word in _SHORTENED):
            between = between[1:]
        opens = not found or _SENTENCE_END.search(between) is not None
        word = plain(shown)
        found.append(Token(word, stem(word), shown, shown[:1].isupper(), opens, opens or not between.isspace()))
        at = match.end()
    return found


def terms(found: Sequence[Token]) -> Iterator[Term]:
    """In order."""
    at = 0
    while at < len(found):
        if not found[at].is_term:
            at += 1
            continue
        last = _end_of_name(found, at) if found[at].capital else at
        run = found[at : last + 1]
        stems = tuple(t.stem for t in run if t.word not in EMPTY and t.word not in _JOINS)
        name = last > at or (run[0].capital and not run[0].opens)
        yield Term(stems or (run[0].stem,), " ".join(t.shown for t in run), name)
        at = last + 1


def stems(text: str) -> list[str]:
    """Of the words that can be terms, in order."""
    return [t.stem for t in tokens(text) if t.is_term]


def _end_of_name(found: Sequence[Token], at: int) -> int:
    """Index of the last word of the name that begins at a capital: capitals side by side, small joins between them."""
    last, ahead = at, at + 1
    while ahead < len(found) and not found[ahead].apart:
        if found[ahead].capital or found[ahead].word.isdigit():
            if not found[ahead].is_term:
                break
            last = ahead
        elif found[ahead].word not in _JOINS:
            break
        ahead += 1
    return last
