"""Questions made out of questions: near misses that ask something else, and rewordings that ask the same.

A cross-encoder that has only seen people's pairs takes "enable" for "disable" and error 504 for 404, since such pairs
are rare among them. Here each kind of difference is made by rule, out of any question that carries its mark; the
other half are rewordings by rule, so that the model learns that words may differ as well as that they matter.
"""

import random
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from zuinig.memory.signs import opposites

_LISTS: dict[str, list[str]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
_CLOSERS = [" Thanks!", " Thank you.", " Please help.", " Thanks in advance", " Bedankt!"]
_AUXILIARY = re.compile(r"\b(can|could|should|would|do|does|did|is|are|was|were|will)\b(?! not|n't)", re.IGNORECASE)
_NUMBER = re.compile(r"\b\d+(?:[.,]\d+)?\b")
_FROM_TO = re.compile(
    r"\bfrom ((?:[\w'-]+ ){1,3}?)to ((?:[\w'-]+ ?){1,3}?)(?=[?.,]|$| in | on | by | for )", re.IGNORECASE
)
_CONVERT = re.compile(
    r"\b(convert|change|transfer|migrate|translate|switch|upgrade|move)(?: from)? ((?:[\w'-]+ ){1,3}?)(into|to) "
    r"((?:[\w'-]+ ?){1,3}?)(?=[?.,]|$| in | on | by | for )",
    re.IGNORECASE,
)
_ORDERED = re.compile(r"\b(\w+) (than|before|after|instead of|without|over) (\w+)\b", re.IGNORECASE)
_EITHER = re.compile(r"\b([\w-]+) (or|vs\.?|versus) ([\w-]+)\b", re.IGNORECASE)
_BETWEEN = re.compile(r"\bbetween ((?:an? )?[\w-]+) and ((?:an? )?[\w-]+)(?=[?.,]|$)", re.IGNORECASE)
_NAME = re.compile(r"\b[A-Z][a-z]{2,}\b")
_JOINED = re.compile(r"[A-Z][a-z]+,? [A-Z]|\b(and|or|vs|versus|between|both|,)\b")

Edit = Callable[[str, random.Random], str | None]


def _replace_word(text: str, old: str, new: str) -> str:
    def cased(match: re.Match[str]) -> str:
        return new[0].upper() + new[1:] if match[0][0].isupper() else new

    return re.sub(rf"(?<![\w-]){re.escape(old)}(?![\w-])", cased, text, count=1, flags=re.IGNORECASE)


def _rows(name: str) -> list[list[str]]:
    return [line.split("/") for line in _LISTS[name]]


def _table(rows: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        for word in row:
            found.setdefault(word, []).extend(w for w in row if w != word)
    return found


def _exchange(table: dict[str, list[str]]) -> Edit:
    pattern = re.compile(
        r"(?<![\w-])(?:" + "|".join(map(re.escape, sorted(table, key=len, reverse=True))) + r")(?![\w-])", re.IGNORECASE
    )

    def edit(text: str, chance: random.Random) -> str | None:
        found = [m[0].lower() for m in pattern.finditer(text)]
        if not found:
            return None
        word = chance.choice(found)
        return _replace_word(text, word, chance.choice(table[word]))

    return edit


def _openings(rows: Sequence[Sequence[str]], *, first_only: bool) -> Edit:
    """Exchange the opening. first_only: rows are not symmetric, only their first entry may be replaced."""
    table: dict[str, list[str]] = {}
    for row in rows:
        parts = [part.strip() + " " for part in row]
        for part in parts[:1] if first_only else parts:
            table.setdefault(part, []).extend(p for p in parts if p != part)
    starts = sorted(table, key=len, reverse=True)

    def edit(text: str, chance: random.Random) -> str | None:
        lowered = text.lower()
        start = next((s for s in starts if lowered.startswith(s)), None)
        if start is None:
            return None
        new = chance.choice(table[start])
        return new[0].upper() + new[1:] + text[len(start) :]

    return edit


def _negate(text: str, chance: random.Random) -> str | None:
    found = list(_AUXILIARY.finditer(text))
    if not found:
        return None
    match = chance.choice(found[:2])
    word = match[0].lower()
    short = {"can": "can't", "will": "won't"}.get(word, word + "n't")
    rest = text[match.end() :]
    if chance.random() < 0.5:
        made = text[: match.start()] + (short.capitalize() if match.start() == 0 else short) + rest
    else:
        subject = re.match(r" (?:the |a |an |my |your )?[\w'-]+", rest)
        if subject is None:
            return None
        made = text[: match.end()] + subject[0] + " not" + rest[subject.end() :]
    return made


def _renumber(text: str, chance: random.Random) -> str | None:
    found = list(_NUMBER.finditer(text))
    if not found:
        return None
    match = chance.choice(found)
    old = match[0]
    if "." in old or "," in old:
        new = old[:-1] + str((int(old[-1]) + chance.randint(1, 8)) % 10)
    elif len(old) == 4 and old[:2] in ("19", "20"):
        new = str(int(old) + chance.choice((-10, -3, -2, -1, 1, 2, 3)))
    elif len(old) > 12:
        return None
    else:
        new = str(max(1, int(old) + chance.choice((-100, -10, -5, -2, -1, 1, 2, 5, 10, 100))))
    return None if new == old else text[: match.start()] + new + text[match.end() :]


def _turn_round(text: str, _: random.Random) -> str | None:
    match = _FROM_TO.search(text)
    if match:
        a, b = match[1].strip(), match[2].strip()
        return f"{text[: match.start()]}from {b} to {a}{text[match.end() :]}"
    match = _CONVERT.search(text)
    if match:
        return (
            f"{text[: match.start()]}{match[1]} {match[4].strip()} {match[3]} {match[2].strip()}{text[match.end() :]}"
        )
    match = _ORDERED.search(text)
    if match:
        return f"{text[: match.start()]}{match[3]} {match[2]} {match[1]}{text[match.end() :]}"
    names = [m for m in _NAME.finditer(text) if m.start()]
    if len(names) == 2 and names[0][0] != names[1][0] and not _JOINED.search(text):
        a, b = names
        return text[: a.start()] + b[0] + text[a.end() : b.start()] + a[0] + text[b.end() :]
    return None


def _turn_same(text: str, _: random.Random) -> str | None:
    """What may be turned round: "to B from A", "B or A", "between B and A"."""
    match = _FROM_TO.search(text)
    if match:
        return f"{text[: match.start()]}to {match[2].strip()} from {match[1].strip()}{text[match.end() :]}"
    match = _BETWEEN.search(text)
    if match:
        return f"{text[: match.start()]}between {match[2]} and {match[1]}{text[match.end() :]}"
    match = _EITHER.search(text)
    if match:
        return f"{text[: match.start()]}{match[3]} {match[2]} {match[1]}{text[match.end() :]}"
    return None


def _condition(text: str, chance: random.Random) -> str | None:
    bare = text.rstrip("?. ")
    if len(bare.split()) > 25:
        return None
    condition = chance.choice(_LISTS["conditions"])
    if chance.random() < 0.8:
        return f"{bare} {condition}?"
    return f"{condition[0].upper()}{condition[1:]}, {text[0].lower()}{text[1:]}"


def _other_person(text: str, chance: random.Random) -> str | None:
    someone = chance.choice(["my manager", "my colleague", "a customer", "my wife", "my son", "an intern", "my friend"])
    made = re.sub(r"\bmy\b", f"{someone}'s", text, count=1, flags=re.IGNORECASE)
    if made == text:
        made = re.sub(r"\b(can|may|should|must|will) I\b", rf"\1 {someone}", text, count=1)
    return None if made == text else made[0].upper() + made[1:]


def _polite(text: str, chance: random.Random) -> str | None:
    made = text
    if chance.random() < 0.4:
        first = text.split(" ", 1)[0].lower()
        if first in ("how", "what", "where", "when", "who", "why", "which"):
            made = f"{chance.choice(_LISTS['indirect'])} {text[0].lower()}{text[1:]}"
            made = made[0].upper() + made[1:]
    if made == text or chance.random() < 0.3:
        opener = chance.choice(_LISTS["openers"])
        made = opener + made[0].lower() + made[1:]
    return made + chance.choice(_CLOSERS) if chance.random() < 0.3 else made


def _sloppy(text: str, chance: random.Random) -> str | None:
    """Typing as people type: lower case, no mark, one letter lost, doubled or swapped in a long word."""
    made = text
    if chance.random() < 0.7:
        words = made.split(" ")
        long = [i for i, w in enumerate(words) if len(w) >= 6 and w.isalpha()]
        if long:
            i = chance.choice(long)
            w, at = words[i], chance.randint(1, len(words[i]) - 3)
            words[i] = chance.choice(
                [w[:at] + w[at + 1 :], w[:at] + w[at] + w[at:], w[:at] + w[at + 1] + w[at] + w[at + 2 :]]
            )
        made = " ".join(words)
    if chance.random() < 0.5:
        made = made.lower()
    if chance.random() < 0.6:
        made = made.rstrip("?")
    return made


NEAR_MISSES: dict[str, Edit] = {
    "opposite": _exchange(_table(opposites())),
    "kind": _exchange(_table(_rows("kinds"))),
    "negation": _negate,
    "number": _renumber,
    "direction": _turn_round,
    "condition": _condition,
    "asked": _openings(_rows("asks"), first_only=False),
    "person": _other_person,
}
REWORDINGS: dict[str, Edit] = {
    "synonym": _exchange(_table(_rows("synonyms"))),
    "frame": _openings(_rows("frames"), first_only=True),
    "order": _turn_same,
    "polite": _polite,
    "sloppy": _sloppy,
}


def near_misses(question: str, chance: random.Random) -> Iterator[tuple[str, str]]:
    """(kind, another question) for each kind of difference that the question has a place for."""
    yield from _made(NEAR_MISSES, question, chance)


def rewordings(question: str, chance: random.Random) -> Iterator[tuple[str, str]]:
    """(kind, the same question in other words)."""
    yield from _made(REWORDINGS, question, chance)


def _made(edits: dict[str, Edit], question: str, chance: random.Random) -> Iterator[tuple[str, str]]:
    for kind, edit in edits.items():
        made = edit(question, chance)
        if made is not None and made.lower().strip() != question.lower().strip():
            yield kind, made
