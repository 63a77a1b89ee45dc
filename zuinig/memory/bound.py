"""Questions whose answer holds only for now, or only for the asker: they are answered and not remembered."""

import re
from typing import Literal

Bound = Literal["time", "asker"]

_NOW = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|currently|nowadays|recently|lately|right now|at the moment|at present"
    r"|as of now|so far|these days|just now|any news|most recent|newest|up to date|still (?:open|down|on|available)"
    r"|(?:this|next|last|past|coming|previous) (?:hour|morning|afternoon|evening|night|weekend|week|month|quarter|year"
    r"|season|monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
    r"|latest|upcoming|(?:is|are) now|now open|open now|now\?|until now"
    r"|vandaag|vanavond|vanmiddag|vanochtend|morgen|gisteren|momenteel|op dit moment|tegenwoordig|onlangs|huidige?"
    r"|laatste nieuws|meest recente|(?:deze|volgende?|komende?|vorige?|afgelopen|dit) (?:uur|week|weekend|maand"
    r"|kwartaal|jaar|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag)|nu (?:open|geldig)|tot nu toe)\b"
)
# Current accounts and currents of electricity have nothing to do with the time.
_CURRENT = re.compile(r"(?<!alternating )(?<!direct )(?<!electric )(?<!electrical )\bcurrent\b(?! accounts?\b)")
_OWN_THING = re.compile(
    r"\b(?:what|who|where|when|which|how (?:much|many|long|old|high|far))\b[^.?!]{0,30}?(?:'s|\b(?:is|are|was|were|does"
    r"|did|has|have|will)) (?:the [\w ]{1,25} (?:of|on|for) )?(?:my|our)\b"
    r"|\b(?:is|are|was|were|has|have|who \w+ed) (?:my|our)\b"
    r"|\b(?:do|did|have|had) (?:i|we) [^.?!]{0,40}?\b(?:left|remaining|used|booked|owe|taken|ordered|earned|paid)\b"
    r"|\bam i (?:enrolled|registered|signed up|subscribed|booked|scheduled|on the list|logged in|paid|over|behind)\b"
    r"|\b(?:wat|wie|waar|wanneer|welke?|hoe(?:veel| lang| oud| hoog)?)\b[^.?!]{0,30}?\b(?:is|zijn|was|waren|wordt"
    r"|worden|komt|staat|verloopt|eindigt) (?:de [\w ]{1,25} van |het [\w ]{1,25} van )?(?:mijn|onze|ons)\b"
    r"|\b(?:is|zijn|was|wordt|heeft) (?:mijn|onze|ons)\b|\bheb ik (?:nog|al)\b|\bheb ik [\w -]{0,30}over\b"
)
_HOW_TO = re.compile(r"\bhow (?:do|can|should|to|would)\b|\bhoe (?:kan|moet|doe)\b")


def bound(question: str) -> Bound | None:
    """What the answer is bound to, or None where it holds for everybody until the documents change.

    Errs towards bound: a question taken for bound costs tokens when it is asked again, one that is missed tells
    somebody of another's leave balance, or of last week's menu.
    """
    text = question.casefold().replace("’", "'")
    if _NOW.search(text) or _CURRENT.search(text):
        return "time"
    if not _HOW_TO.search(text) and _OWN_THING.search(text):
        return "asker"
    return None
