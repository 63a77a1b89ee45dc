"""Characters that are read by a machine and not by a person, and colours and sizes that nobody can read."""

import re
from collections.abc import Iterable

from zuinig.core.types import Hidden

TINY = 2.0  # points: letters below this are dust
_POINTS = {"px": 0.75, "pt": 1.0, "em": 12.0, "rem": 12.0, "%": 0.12}

# Tags spell ASCII unseen; after a flag they name a region, as in the flag of Scotland, and are left alone.
_TAGS = re.compile("(?P<flag>\U0001f3f4[\U000e0020-\U000e007e]{2,7}\U000e007f)|[\U000e0001-\U000e007f]+")
# One variation selector says how the sign before it is drawn; a row of them carries bytes.
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")
# Joiners belong into Arabic, Indic scripts and emoji, and a single zero-width space into a word that may be broken.
_ZERO_WIDTH = re.compile(
    "(?<=[A-Za-z])[\u200b-\u200d\u2060-\u2064\u180e]+(?=[A-Za-z])|[\u200b-\u200f\u2060-\u2064]{4,}"
)
# What is written one way round and shown the other; embeddings and isolates are part of Arabic and Hebrew.
_OVERRIDES = re.compile("[\u202d\u202e]")
_WHITE = re.compile(
    r"(?i)(?:^|;)\s*color\s*:\s*(?:white|#fff(?:fff)?|rgba?\(\s*255\s*,\s*255\s*,\s*255\s*(?:,[^)]*)?\)|transparent|"
    r"rgba\([^)]*,\s*0(?:\.0+)?\s*\))"
)
_UNSEEN = re.compile(
    r"(?i)display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|"
    r"(?:^|;)\s*opacity\s*:\s*0(?:\.0+)?\s*(?:;|$|!)|font-size\s*:\s*(?P<size>\d*\.?\d+)\s*(?P<unit>px|pt|em|rem|%)?\s*(?:;|$|!)"
)


def uncovered(text: str) -> tuple[str, list[str]]:
    """The text without what nobody sees, and what that said; "" where it said nothing that can be told."""
    found: list[str] = []

    def take(match: re.Match[str], said: str) -> str:
        found.append(said)
        return ""

    text = _TAGS.sub(lambda m: m[0] if m["flag"] else take(m, _of_tags(m[0])), text)
    text = _SELECTORS.sub(lambda m: take(m, _of_selectors(m[0])), text)
    text = _ZERO_WIDTH.sub(lambda m: take(m, ""), text)
    text = _OVERRIDES.sub(lambda m: take(m, ""), text)
    return text, found


def told(pieces: Iterable[str]) -> tuple[Hidden, ...]:
    """What characters hid: each that said something, and one for all those that did not."""
    found = list(pieces)
    said = [Hidden("characters", text) for text in found if text.strip()]
    silent = len(found) - len(said)
    return (*said, Hidden("characters", f"{silent} places with characters that are not shown")) if silent else (*said,)


def unseen(style: str) -> bool:
    """Whether a style attribute hides its element altogether."""
    return any(
        m["size"] is None or float(m["size"]) * _POINTS[(m["unit"] or "px").lower()] < TINY
        for m in _UNSEEN.finditer(style)
    )


def white(style: str) -> bool:
    """Whether its letters have the colour of paper."""
    return bool(_WHITE.search(style))


def _of_tags(tags: str) -> str:
    return "".join(chr(ord(c) - 0xE0000) for c in tags if 0xE0020 <= ord(c) <= 0xE007E)


def _of_selectors(row: str) -> str:
    values = bytes(ord(c) - 0xFE00 if ord(c) < 0xE0000 else ord(c) - 0xE0100 + 16 for c in row)
    text = values.decode(errors="ignore")
    return text if text.isprintable() else ""
