"""Words of a text: what full-text search asks for, and what two wordings of a question are compared by."""

import re
import unicodedata

WORD = re.compile(r"[^\W_]+(?:[.,'’-][^\W_]+)*")

# Words that carry no content in a question, English and Dutch. Negations, prepositions of direction and
# quantifiers are not among them: they change what is asked.
EMPTY = frozenset(
    "a an the this that these those i you he she it we they me him them my your his her its our their am is are was "
    "were be been being do does did have has had can could will would shall should may might must please tell explain "
    "and or of to in on at by as if so there here what which who whom whose when where why how de het een dit dat "
    "deze die ik jij je u hij zij ze wij we jullie mij me hem haar ons hen hun mijn jouw uw zijn onze ben bent is was "
    "waren wordt worden word werd doe doet deed doen heb hebt heeft had hebben kan kun kunt kunnen zal zult zullen "
    "zou zouden mag mogen moet moeten en of van te in op aan bij als er hier daar wat welk welke wie wanneer waar "
    "waarom hoe graag".split()
)


def plain(text: str) -> str:
    """Lower case, without accents, compatibility forms folded."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in folded if not unicodedata.combining(c))


def words(text: str) -> list[str]:
    """In order, folded by `plain`; a number keeps its points and commas (1.5, 3,000)."""
    return WORD.findall(plain(text))


def content_words(text: str) -> list[str]:
    """The words that search should look for; all of them where nothing but empty words is there."""
    found = words(text)
    return [w for w in found if w not in EMPTY] or found


def stem(word: str) -> str:
    """A light suffix cut, for comparing words and never for showing them: plural, -ing and -ed."""
    for suffix in ("ies", "ing", "ed", "es", "en", "s"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            return word[: -len(suffix)] + ("y" if suffix == "ies" else "")
    return word


_DUTCH = frozenset(
    "de het een wat welke hoe waar wanneer wie waarom ik mijn je jij mag kan moet zijn wordt niet geen voor met naar "
    "en of op aan bij hoeveel krijg heb is".split()
)
_ENGLISH = frozenset(
    "the a an what which how where when who why i my you may can must are does do not for with to and or on at by "
    "much many get have is".split()
)


def is_dutch(question: str) -> bool:
    found = words(question)
    return sum(w in _DUTCH for w in found) > sum(w in _ENGLISH for w in found)
