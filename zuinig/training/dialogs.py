"""What a service's own memory teaches: questions, where their answers stand, and which questions ask the same.

Taken are answers that somebody stands for: approved by a curator, given by a language model with citations that held,
or called right by a reader. Answers called wrong teach what does not answer; a quote that nobody judged teaches
nothing. What is stale, held or rejected is left out. All of the service is read: see docs/your-own-models.md.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.tables import Answer, Feedback, LedgerEntry, Memory, Wording
from zuinig.core.types import Hit, MemoryStatus, Source, Verdict
from zuinig.memory.freshness import outdated
from zuinig.memory.questions import normal_form, question_key
from zuinig.retrieval.sentences import split

# Parts of a hundred by the question's own words, so that a question stays in its part from one training to the next.
_HELD_OUT, _TUNED = 20, 40
_SQL_VARIABLES = 900


@dataclass(frozen=True, slots=True)
class Place:
    """A quote, by characters of a document version's text."""

    version_id: int
    start: int
    end: int
    text: str

    def holds(self, version_id: int, start: int, end: int, text: str) -> bool:
        """Whether that sentence is (most of) the quote, or says the same in the same words elsewhere."""
        overlap = min(end, self.end) - max(start, self.start) if version_id == self.version_id else 0
        if 2 * overlap > min(end - start, self.end - self.start):
            return True
        return _folded(text) == _folded(self.text)


@dataclass(frozen=True, slots=True)
class Dialog:
    """A question with the places that answer it; none where the documents do not, by what a language model said.

    wrong: what was quoted in answer, and called wrong. known: whether anything is known but that. verified: by a
    person.
    """

    question: str
    answered_at: tuple[Place, ...] = ()
    wrong: tuple[Place, ...] = ()
    known: bool = True
    verified: bool = False

    @property
    def part(self) -> str:
        return part(self.question)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two questions, and whether somebody said that they ask the same. group: pairs of one memory share it."""

    a: str
    b: str
    same: bool
    group: str

    @property
    def part(self) -> str:
        return part(self.group)


def part(question: str) -> str:
    """train, tune or held out: three fifths, a fifth and a fifth."""
    n = crc32(normal_form(question).encode()) % 100
    return "held out" if n < _HELD_OUT else "tune" if n < _TUNED else "train"


def dialogs(session: Session) -> list[Dialog]:
    """One for each wording of a question, in the order in which they came."""
    found: dict[str, Dialog] = {}
    for dialog in (*_remembered(session), *_not_covered(session)):
        found.setdefault(question_key(dialog.question), dialog)
    for question, places in _called_wrong(session):
        key = question_key(question)
        known = found.get(key)
        if known is None or (known.verified and set(known.answered_at) & set(places)):
            # Where a curator stands for the quote, a reader's objection waits for another curator.
            found.setdefault(key, Dialog(question, wrong=places, known=False))
        else:
            right = tuple(p for p in known.answered_at if p not in places)
            found[key] = replace(known, answered_at=right, wrong=places, known=bool(right) or not known.answered_at)
    return list(found.values())


def _remembered(session: Session) -> Iterator[Dialog]:
    approved = (
        sa.select(Answer.memory_id)
        .join(Feedback, Feedback.answer_id == Answer.id)
        .where(Feedback.verdict == Verdict.UP, ~Feedback.dismissed, Answer.memory_id.is_not(None))
    )
    rows = session.scalars(
        sa.select(Memory)
        .where(Memory.status == MemoryStatus.LIVE)
        .where(sa.or_(Memory.verified_by.is_not(None), Memory.origin == Source.LLM, Memory.id.in_(approved)))
        .order_by(Memory.id)
    ).all()
    gone: set[int] = set()
    for ids in _parts([m.id for m in rows]):
        gone |= outdated(session, ids)
    wordings = _wordings(session, differs=False)
    for memory in rows:
        places = _places(memory.citations)
        if places and memory.id not in gone:
            for question in (memory.question, *wordings.get(memory.id, ())):
                yield Dialog(question, places, verified=memory.verified_by is not None)


def _not_covered(session: Session) -> Iterator[Dialog]:
    """Questions that a language model could not answer out of what was found, and no reader says it should have."""
    down = sa.select(Feedback.answer_id).where(Feedback.verdict == Verdict.DOWN)
    rows = session.execute(
        sa.select(Answer.standalone_question, LedgerEntry.steps)
        .join(LedgerEntry, LedgerEntry.answer_id == Answer.id)
        .where(Answer.source == Source.NONE, Answer.id.not_in(down))
        .order_by(Answer.id)
    )
    for row in rows:
        if row.steps and row.steps[-1].get("outcome") == "not_covered":
            yield Dialog(row.standalone_question)


def _called_wrong(session: Session) -> Iterator[tuple[str, tuple[Place, ...]]]:
    rows = session.execute(
        sa.select(Answer.standalone_question, Answer.citations)
        .join(Feedback, Feedback.answer_id == Answer.id)
        .where(Feedback.verdict == Verdict.DOWN, ~Feedback.dismissed, Answer.source != Source.MEMORY)
        .order_by(Answer.id)
    )
    for row in rows:
        if places := _places(row.citations):
            yield row.standalone_question, places


def pairs(session: Session) -> list[Pair]:
    """Wordings of one memory ask the same; its counter-examples do not; and so readers say of what memory served."""
    live = sa.select(Memory.id, Memory.question).where(Memory.status == MemoryStatus.LIVE)
    memories = {row.id: row.question for row in session.execute(live)}
    same, differs = _wordings(session, differs=False), _wordings(session, differs=True)
    found = []
    for i, question in memories.items():
        known = [question, *same.get(i, ())]
        found += [(a, b, True, question) for n, a in enumerate(known) for b in known[n + 1 :]]
        found += [(question, b, False, question) for b in differs.get(i, ())]
    judged = session.execute(
        sa.select(Answer.standalone_question, Answer.memory_id, Feedback.verdict)
        .join(Feedback, Feedback.answer_id == Answer.id)
        .where(Answer.source == Source.MEMORY, Answer.confidence < 1, ~Feedback.dismissed)
        .order_by(Feedback.id)
    )
    for row in judged:
        if (question := memories.get(row.memory_id or 0)) is not None:
            found.append((question, row.standalone_question, row.verdict == Verdict.UP, question))
    last = {(normal_form(a), normal_form(b)): Pair(a, b, is_same, group) for a, b, is_same, group in found}
    return [pair for (a, b), pair in last.items() if a != b]


def _wordings(session: Session, *, differs: bool) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for w in session.scalars(sa.select(Wording).where(Wording.differs == differs).order_by(Wording.id)):
        found.setdefault(w.memory_id, []).append(w.question)
    return found


def _places(citations: Iterable[dict[str, Any]]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(Place(c["version_id"], c["start"], c["end"], c["quote"]) for c in citations))


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for at in range(0, len(ids), _SQL_VARIABLES):
        yield ids[at : at + _SQL_VARIABLES]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question beside a passage as the reader gets it, context above. held, denied: sentences of the text.

    holds: whether the passage answers, None where that is not known and only the denied sentences are.
    """

    question: str
    text: str
    held: tuple[tuple[int, int], ...]
    denied: tuple[tuple[int, int], ...]
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Weighed:
    """Two questions, whether they ask the same, and how much that counts."""

    a: str
    b: str
    same: bool
    weight: float


@dataclass(frozen=True, slots=True)
class Evident:
    """A question, and the passage that answers it as it is embedded."""

    question: str
    passage: str


def lessons(dialog: Dialog, hits: Sequence[Hit], *, most_others: int) -> list[Lesson]:
    """What the passages that search finds for a question teach: those that answer it, and the nearest that do not.

    That a language model found no answer teaches nothing: it saw only what the reader in use had chosen for it.
    """
    found, others = [], 0
    for hit in hits:
        head = f"{hit.context}\n" if hit.context else ""
        held = _sentences(hit, dialog.answered_at, len(head))
        denied = _sentences(hit, dialog.wrong, len(head))
        if dialog.answered_at:
            if not held:
                others += 1
            if held or others <= most_others:
                found.append(Lesson(dialog.question, head + hit.text, held, (), bool(held)))
        elif denied:
            found.append(Lesson(dialog.question, head + hit.text, (), denied, None))
    return found


def _sentences(hit: Hit, places: Sequence[Place], offset: int) -> tuple[tuple[int, int], ...]:
    return tuple(
        (start + offset, end + offset)
        for start, end in split(hit.text)
        if any(p.holds(hit.version_id, hit.start + start, hit.start + end, hit.text[start:end]) for p in places)
    )
