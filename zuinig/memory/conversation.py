"""Follow-ups: a turn that needs its history is given the terms it lacks, and stays out of memory.

Two logistic regressions over explicit features: does the turn depend on its history, and which of the history's terms
does it need (term classification after QuReTeC, Voskarides et al. 2020, arXiv:2005.11723). Their weights stand by name
in models/follow-up/weights.json; `training/train_followup` makes them.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from zuinig.core.errors import ConfigurationError
from zuinig.memory.terms import OTHER, PERSON, PLACE, PLURAL, POINTERS, THING, THIS, Term, Token, terms, tokens

Floats = npt.NDArray[np.float64]

WEIGHTS = Path(__file__).parent.parent / "models" / "follow-up" / "weights.json"
MOST_TURNS = 5
_MOST_CHARS = 1200  # of one question or answer that are read
_MOST_TERMS = 8  # that are added
_NEARLY = 0.65  # of the best probability

# How a turn begins that goes on from the one before; English and Dutch.
_OPENERS = re.compile(
    r"^\W*(?:and|or|but|so|then|also|why not|how so|really|ok|okay|yes|no|oh|interesting|thanks|thank you|"
    r"en|of|maar|dus|waarom niet|ook|ja|nee|oké|interessant|bedankt|dank je|dank u)\b|"
    r"(?:^|[.!?])\W*(?:what about|how about|hoe zit het met)\b",
    re.IGNORECASE,
)
_WHAT_IS = re.compile(
    r"^\W*(?:what(?:'s|’s| is| are| was)|who (?:is|are|was)|tell me about|describe|wat (?:is|zijn)|wie (?:is|zijn))\b",
    re.IGNORECASE,
)
_DEFINITE = frozenset("the de het his her their its hun haar".split())
_INDEFINITE = frozenset("a an een any some".split())
_PREPOSITIONS = frozenset("of for in on with about between from at van voor in op met over tussen uit".split())
_BE = frozenset("is are was were be been isn't aren't wasn't weren't".split())
_ANIMATE = PERSON | {"they", "them", "their", "hun", "hen"}
_FIRST_PERSON = frozenset("i my me we our us you your ik mijn mij we wij ons onze je jij jouw u uw".split())

# What a turn may lack, by the words that point at it; then by its form.
_POINTING = {"person": PERSON, "thing": THING, "plural": PLURAL, "this": THIS, "place": PLACE, "other": OTHER}
_LACKS = (*_POINTING, "opener", "no_pointer", "few_terms", "own_name", "no_answer")
DEPENDS = (
    *_LACKS,
    *("pointer_first", "pointers", "terms_0", "terms_1", "terms_2", "terms_3", "terms", "words", "letters", "longest"),
    *(f"{p}*long" for p in _POINTING),
    *("expletive", "unresolved", "number", "definite", "indefinite", "definite_end", "preposition", "preposition_end"),
    *("what_is", "first_person", "known_terms", "in_last_question", "in_last_answer", "new_terms"),
    *("known_name", "new_name", "turns"),
)
# Where a term stood; each of these weighs otherwise for each of what a turn may lack.
_STOOD = (
    *("last_question", "last_answer", "older_question", "older_answer", "first_question", "question_and_answer"),
    *("added", "name", "ends_question", "short_question"),
)
_TERM = (
    *_STOOD,
    *("added_share", "question_share", "answer_share", "count", "only_answers", "only_last_answer", "age"),
    *("several_words", "capital", "number", "length", "partly_there", "beside_known", "terms"),
    *("place_in_question", "place_in_answer", "opens_answer", "short_answer"),
)
TERMS = (*_TERM, *(f"{s}*{n}" for s in _STOOD for n in _LACKS))
_SHORT = 4  # terms


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier turn. question: in its standalone form where that is known; answer: "" where there is none."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Standalone:
    """depends: the turn points at its history. Its own words never reach memory then, as question or as answer."""

    question: str
    depends: bool


@dataclass(frozen=True, slots=True)
class Model:
    """Weights by the names of DEPENDS and TERMS and "bias", and the least probabilities that count as a yes."""

    depends: Mapping[str, float]
    depends_from: float
    terms: Mapping[str, float]
    terms_from: float

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises ConfigurationError."""
        try:
            found = json.loads(path.read_text())
            model = cls(found["depends"], found["depends_from"], found["terms"], found["terms_from"])
        except (OSError, KeyError, ValueError) as error:
            raise ConfigurationError(f"The follow-up weights in {path} cannot be used: {error}") from error
        if set(model.depends) != {*DEPENDS, "bias"} or set(model.terms) != {*TERMS, "bias"}:
            raise ConfigurationError(f"The follow-up weights in {path} are of other features than this version has.")
        return model


def standalone(question: str, history: Sequence[Turn], *, model: Model | None = None) -> Standalone:
    """history: oldest first; the last MOST_TURNS are read. model: the shipped one where None.

    Errs towards "depends": a repeat that is answered anew costs tokens, a wrong hit costs trust.
    """
    if not history:
        return Standalone(question, False)
    model = model or _shipped()
    reading = Reading.of(question, history)
    if reading.dependence(model) < model.depends_from:
        return Standalone(question, False)
    return Standalone(with_terms(question, reading.chosen(model)), True)


def with_terms(question: str, added: Sequence[str]) -> str:
    """The form that `standalone` gives, and knows again in a history."""
    return f"{question.strip()} ({' '.join(added)})" if added else question


@cache
def _shipped() -> Model:
    return Model.read(WEIGHTS)


@dataclass(frozen=True, slots=True)
class Reading:
    """A turn beside its history. depends: (len(DEPENDS),); terms: (n, len(TERMS)), in the order they first stood.

    shown, stems: of each of those terms. leans: whatever the weights say, it needs its history: it goes on from it, has
    no terms, points at what it does not name, or is longer than what is read.
    """

    leans: bool
    depends: Floats
    shown: tuple[str, ...]
    stems: tuple[tuple[str, ...], ...]
    terms: Floats

    @classmethod
    def of(cls, question: str, history: Sequence[Turn]) -> Self:
        """history: at least one turn."""
        found = tokens(question[:_MOST_CHARS])
        own = [t.stem for t in found if t.is_term]
        past = _Past(history[-MOST_TURNS:], frozenset(own))
        turn = _turn_features(question, found, past)
        missing = [m for m in past.mentioned.values() if not past.own.issuperset(m.term.stems)]
        return cls(
            leans=bool(turn["opener"] or turn["unresolved"]) or not own or len(question) > _MOST_CHARS,
            depends=np.array([turn[n] for n in DEPENDS], np.float64),
            shown=tuple(m.term.shown for m in missing),
            stems=tuple(m.term.stems for m in missing),
            terms=_term_features(missing, turn, past),
        )

    def dependence(self, model: Model) -> float:
        """The probability that the turn depends on its history."""
        return 1.0 if self.leans else float(_probability(self.depends[None], model.depends, DEPENDS)[0])

    def chosen(self, model: Model) -> list[str]:
        """The terms to add, in the order they first stood: the likely ones, and those nearly as likely as the best.

        The words of a phrase come out alike, and a phrase on the edge is wanted whole. Where no term is likely, those
        of the last question are added too.
        """
        if not self.shown:
            return []
        probability = _probability(self.terms, model.terms, TERMS)
        best = probability.max()
        wanted = probability >= min(model.terms_from, _NEARLY * best)
        if best < model.terms_from:
            wanted |= self.terms[:, TERMS.index("last_question")] > 0
        order = np.argsort(-np.where(wanted, probability, -1.0), kind="stable")[: min(_MOST_TERMS, wanted.sum())]
        return [self.shown[i] for i in sorted(order)]


def _probability(features: Floats, weights: Mapping[str, float], names: Sequence[str]) -> Floats:
    logit = features @ np.array([weights[n] for n in names]) + weights["bias"]
    probability: Floats = 1 / (1 + np.exp(-np.clip(logit, -40, 40)))
    return probability


@dataclass(slots=True)
class _Mentioned:
    """A term and where it stood: in questions and answers, as (turn, its place among the terms there, 0 to 1)."""

    term: Term
    asked: list[tuple[int, float]]
    answered: list[tuple[int, float]]
    name: bool = False
    added: int = 0  # times that it was added to a turn and not said in it
    beside_known: bool = False  # once stood beside a word of the turn


class _Past:
    """What the history says. own: stems of the turn. questions, answers: stems of their terms, a list for each turn."""

    def __init__(self, history: Sequence[Turn], own: frozenset[str]) -> None:
        self.own = own
        self.mentioned: dict[tuple[str, ...], _Mentioned] = {}
        asked, added, answers = [], [], []
        for turn in history:
            said, more = _parted(turn.question)
            asked.append(_read(said))
            added.append(_read(more))
            answers.append(_read(turn.answer))
        names = _names([*asked, *added, *answers])
        for n in range(len(history)):
            self._note(asked[n], n, names)
            self._note(added[n], n, names, added=True)
            self._note(answers[n], n, names, answer=True)
        self.questions = [[s for t in (*a, *b) for s in t.stems] for a, b in zip(asked, added, strict=True)]
        self.answers = [[s for t in a for s in t.stems] for a in answers]

    def _note(
        self, found: Sequence[Term], turn: int, names: Mapping[str, Term], *, added: bool = False, answer: bool = False
    ) -> None:
        before: _Mentioned | None = None
        for n, part in enumerate(found):
            whole = {names[s].stems if s in names else (s,) for s in part.stems}
            # A part of a longer name that stood in the history is that name.
            term = names[part.stems[0]] if len(whole) == 1 and part.stems[0] in names else part
            mentioned = self.mentioned.setdefault(term.stems, _Mentioned(term, [], []))
            (mentioned.answered if answer else mentioned.asked).append((turn, n / len(found)))
            mentioned.name |= part.name
            mentioned.added += added
            if before is not None:
                mentioned.beside_known |= before.term.stems[-1] in self.own
                before.beside_known |= part.stems[0] in self.own
            before = mentioned


def _parted(question: str) -> tuple[str, str]:
    """What was asked, and the terms that `with_terms` added."""
    asked, opened, added = question.strip().rpartition(" (")
    return (asked, added[:-1]) if opened and added.endswith(")") and "(" not in added else (question, "")


def _read(text: str) -> list[Term]:
    return list(terms(tokens(text[:_MOST_CHARS])))


def _names(texts: Sequence[Sequence[Term]]) -> dict[str, Term]:
    """Stem -> the longest name of several words that has it."""
    found: dict[str, Term] = {}
    for term in sorted((t for text in texts for t in text if len(t.stems) > 1), key=lambda t: -len(t.stems)):
        for s in term.stems:
            found.setdefault(s, term)
    return found


def _turn_features(question: str, found: Sequence[Token], past: _Past) -> dict[str, float]:
    said = [t.word for t in found]
    own = [t for t in found if t.is_term]
    known = {s for row in (*past.questions, *past.answers) for s in row}
    named = {s for m in past.mentioned.values() if m.name for s in m.term.stems}
    names = [t.stem for t in own if t.capital and not t.opens]
    # "Is there a fee?" points at nothing, "What is the fee there?" does.
    expletive = {
        n for n, w in enumerate(said) if w == "er" or (w == "there" and not _BE.isdisjoint(said[max(n - 1, 0) : n + 2]))
    }
    pointers = [n for n, w in enumerate(said) if w in POINTERS and n not in expletive]
    pointing = {name: any(said[n] in kind for n in pointers) for name, kind in _POINTING.items()}
    definite = [n for n, w in enumerate(said) if w in _DEFINITE]
    first = next((n for n, t in enumerate(found) if t.is_term), len(found))
    share = 1 / max(len(own), 1)
    return {
        **pointing,
        **{f"{name}*long": there and len(own) > _SHORT for name, there in pointing.items()},
        "expletive": bool(expletive),
        "unresolved": any(said[n] in _ANIMATE and n < first for n in pointers) or bool(said and said[-1] in PLACE),
        "opener": _OPENERS.search(question[:_MOST_CHARS]) is not None,
        "no_pointer": not pointers,
        "few_terms": len(own) <= 2,
        "own_name": bool(names),
        "no_answer": not past.answers[-1],
        "pointer_first": bool(pointers) and pointers[0] < first,
        "pointers": min(len(pointers), 3),
        **{f"terms_{n}": len(own) == n for n in range(4)},
        "terms": np.log1p(len(own)),
        "words": np.log1p(len(said)),
        "letters": np.log1p(sum(len(t.word) for t in own)),
        "longest": min(max((len(t.word) for t in own), default=0), 16) / 16,
        "number": any(w[0].isdigit() for w in said),
        "definite": bool(definite),
        "indefinite": any(w in _INDEFINITE for w in said),
        "definite_end": bool(definite) and len(said) - definite[-1] <= 3,
        "preposition": any(w in _PREPOSITIONS for w in said[1:-1]),
        "preposition_end": bool(said) and said[-1] in _PREPOSITIONS,
        "what_is": _WHAT_IS.match(question) is not None,
        "first_person": any(w in _FIRST_PERSON for w in said),
        "known_terms": share * sum(t.stem in known for t in own),
        "in_last_question": share * sum(t.stem in past.questions[-1] for t in own),
        "in_last_answer": share * sum(t.stem in past.answers[-1] for t in own),
        "new_terms": min(sum(t.stem not in known for t in own), 5),
        "known_name": any(t.stem in named for t in own),
        "new_name": any(s not in known for s in names),
        "turns": np.log(len(past.questions)),
    }


def _term_features(found: Sequence[_Mentioned], turn: Mapping[str, float], past: _Past) -> Floats:
    """(n, len(TERMS))"""
    turns, last = len(past.questions), len(past.questions) - 1
    asked_last, answered_last = past.questions[-1], past.answers[-1]
    rows: list[list[float]] = []
    for m in found:
        asked, answered = {n for n, _ in m.asked}, {n for n, _ in m.answered}
        in_question = [place for n, place in m.asked if n == last]
        in_answer = [place for n, place in m.answered if n == last]
        values: dict[str, float] = {
            "last_question": last in asked,
            "last_answer": last in answered,
            "older_question": bool(asked - {last}),
            "older_answer": bool(answered - {last}),
            "first_question": 0 in asked,
            "question_and_answer": bool(asked and answered),
            "added": m.added > 0,
            "name": m.name,
            "ends_question": last in asked and asked_last[-1] in m.term.stems,
            "short_question": last in asked and len(asked_last) <= _SHORT,
            "added_share": m.added / turns,
            "question_share": len(asked) / turns,
            "answer_share": len(answered) / turns,
            "count": np.log(len(m.asked) + len(m.answered)),
            "only_answers": not asked,
            "only_last_answer": not asked and answered == {last},
            "age": (last - max(asked | answered)) / MOST_TURNS,
            "several_words": len(m.term.stems) > 1,
            "capital": m.term.shown[:1].isupper(),
            "number": m.term.shown[:1].isdigit(),
            "length": min(max(map(len, m.term.stems)), 12) / 12,
            "partly_there": any(s in past.own for s in m.term.stems),
            "beside_known": m.beside_known,
            "terms": np.log1p(len(found)),
            "place_in_question": max(in_question, default=0.0),
            "place_in_answer": min(in_answer, default=1.0),
            "opens_answer": bool(in_answer) and min(in_answer) == 0,
            "short_answer": bool(in_answer) and len(answered_last) <= _SHORT,
        }
        rows.append([values[n] for n in _TERM])
    alone = np.array(rows, np.float64).reshape(len(rows), len(_TERM))
    lacks = np.array([turn[n] for n in _LACKS], np.float64)
    crossed = alone[:, : len(_STOOD), None] * lacks
    return np.concatenate([alone, crossed.reshape(len(rows), len(_STOOD) * len(_LACKS))], axis=1)
