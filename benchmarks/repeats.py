"""A stream of questions as colleagues ask them: again and again, hardly ever in the same words."""

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zuinig.training.document_sets import Asked

Kind = Literal["new", "same words", "typed otherwise", "in a sentence", "reworded"]

# Of the repeats, by hand: nothing stands behind them but judgement. Colleagues do not know each other's words.
SHARES: dict[Kind, float] = {"same words": 0.25, "typed otherwise": 0.2, "in a sentence": 0.2, "reworded": 0.35}
UNANSWERABLE = 0.1  # of the distinct questions

_SENTENCES = (
    "Could you tell me: {}",
    "Hi, quick question. {}",
    "Please help me with this: {}",
    "I would like to know: {}",
    "{} Thanks!",
)


@dataclass(frozen=True, slots=True)
class Asking:
    """asked: the question as it stands in the set, with what answers it. text: as it is put now."""

    text: str
    asked: Asked
    kind: Kind


def key(question: str) -> str:
    """How the original of a rewording is named without its text, which is not ours to publish."""
    return hashlib.sha256(question.encode()).hexdigest()[:16]


def rewordings(path: Path) -> dict[str, list[str]]:
    """Key of the question -> the same in other words."""
    rows = [json.loads(line) for line in path.open()]
    return {row["question"]: row["rewordings"] for row in rows}


def pool(asked: Sequence[Asked], written: Mapping[str, Sequence[str]], seed: int = 1) -> Iterator[Asked]:
    """Distinct questions in the order in which they come up, those that have rewordings first: the first are asked
    most. Ends where the questions without an answer, or those with, do.
    """
    chance = random.Random(seed)
    distinct = list({a.question.strip().casefold(): a for a in asked}.values())
    chance.shuffle(distinct)
    distinct.sort(key=lambda a: key(a.question) not in written)
    kinds = {answerable: iter([a for a in distinct if bool(a.answers) is answerable]) for answerable in (True, False)}
    while (found := next(kinds[chance.random() >= UNANSWERABLE], None)) is not None:
        yield found


def stream(
    distinct: Iterator[Asked], written: Mapping[str, Sequence[str]], count: int, *, repeats: float, seed: int = 1
) -> list[Asking]:
    """So many questions, of which this share was asked before. Which, is drawn by how often each was: popularity then
    falls off as a power law, as Zipf's (Simon, 1955). Raises ValueError where distinct holds too few.
    """
    chance = random.Random(seed)
    made: list[Asking] = []
    for _ in range(count):
        if made and chance.random() < repeats:
            asked = chance.choice(made).asked
            (kind,) = chance.choices(list(SHARES), list(SHARES.values()))
            made.append(_again(asked, kind, written.get(key(asked.question), ()), chance))
            continue
        found = next(distinct, None)
        if found is None:
            raise ValueError(f"There are too few questions for a stream of {count}; ask for fewer.")
        made.append(Asking(found.question.strip(), found, "new"))
    return made


def _again(asked: Asked, kind: Kind, written: Sequence[str], chance: random.Random) -> Asking:
    """One without rewordings is put into a sentence instead."""
    question = asked.question.strip()
    if kind == "reworded" and written:
        return Asking(chance.choice(written), asked, kind)
    if kind == "same words":
        return Asking(question, asked, kind)
    bare = question.rstrip("?. ")
    if kind == "typed otherwise":
        return Asking(chance.choice([bare, bare.lower(), bare.upper() + "?", f"{bare.lower()} ??"]), asked, kind)
    return Asking(chance.choice(_SENTENCES).format(bare + "?"), asked, "in a sentence")
