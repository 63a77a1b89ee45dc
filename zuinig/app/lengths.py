"""How long an answer may become, by what is asked: a date takes a line, the steps of a procedure take many."""

import re
from enum import StrEnum

from zuinig.retrieval.words import words


class Kind(StrEnum):
    FACT = "fact"  # yes or no, who, when, where, how many
    PLAIN = "plain"
    LONG = "long"  # why, how, a list, a comparison


# In tokens. Three sentences with their citations take about 90 in English and 130 in Dutch.
_MOST = {Kind.FACT: 128, Kind.PLAIN: 256}

_LONG = re.compile(
    r"\b(?:why|how (?:to|do|does|did|can|could|should|would|is|are|was|were|must|may)|compare|comparison|differ\w*|"
    r"explain|describe|list|steps?|procedure|summari[sz]e|overview|pros and cons|"
    r"waarom|hoe (?:ik|je|we|men|kan|kun|moet|mag|doe|doet|werkt|gaat|wordt|worden|zit|is|zijn)|"
    r"vergelijk\w*|verschil\w*|leg \w+ uit|uitleg|beschrijf|opsom\w*|som \w+ op|noem|stappen|stappenplan|procedure|"
    r"samenvat\w*|vat \w+ samen|overzicht|voor- en nadelen)\b"
)
_FACT = re.compile(
    r"\b(?:who|whose|when|where|how (?:many|much|long|often|old|far|big|large|high|late|soon)|"
    r"wie|wiens|wanneer|waar|hoeveel|hoe (?:lang|vaak|oud|ver|groot|hoog|laat|snel))\b"
    r"|^(?:is|are|was|were|am|do|does|did|can|could|may|might|must|should|will|would|has|have|had|"
    r"ben|bent|zijn|waren|heb|hebt|heeft|hebben|kan|kun|kunt|kunnen|mag|mogen|moet|moeten|zal|zullen|wordt|worden|"
    r"doe|doet|geldt|krijg|krijgt)\b"
)


def kind(question: str) -> Kind:
    """By its words, English and Dutch; of another language, or unsure: PLAIN."""
    asked = " ".join(words(question))
    if _LONG.search(asked):
        return Kind.LONG
    return Kind.FACT if _FACT.search(asked) else Kind.PLAIN


def output_tokens(question: str, most: int) -> int:
    """The limit for the answer, in tokens, never above most."""
    return min(most, _MOST.get(kind(question), most))
