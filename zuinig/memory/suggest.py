"""What curators are asked to decide: what is asked often and answered well, what readers corrected, what is missing.

Questions that ask the same are taken together, by the judgement that lookup uses. Each of them has counts, wordings and
what it rests on; what was decided once does not come back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.db import Database
from zuinig.core.errors import BadRequest, Conflict, NotFound
from zuinig.core.tables import Answer, Feedback, LedgerEntry, Memory, Suggestion, now
from zuinig.core.types import MemoryStatus, Source, SuggestionKind, SuggestionStatus, Verdict
from zuinig.memory.bound import bound
from zuinig.memory.calibrate import Calibration
from zuinig.memory.curate import Curate, scope_of_readers
from zuinig.memory.questions import question_key
from zuinig.memory.verify import Verifier, Wording
from zuinig.retrieval.embed import Embedder, Vectors

_DAYS = 90
_MOST_QUESTIONS = 2000
_OFTEN = 3
_LEADERS = 4
_NEAR = 0.5
_WORDINGS_SHOWN = 20
_GAPS_CHECKED = 100

# question, scope -> whether the documents cover it by now
Covered = Callable[[str, str], bool]


@dataclass(slots=True)
class Asked:
    """One question in one scope, over all the times it was asked in these words."""

    question: str
    key: str
    scope: str
    source: str
    memory_id: int | None
    last: datetime
    times: int = 0
    askers: set[str] = field(default_factory=set)
    doubted: bool = False


@dataclass(slots=True)
class Group:
    """Questions that ask the same; the first is the one asked most."""

    members: list[Asked]

    @property
    def leader(self) -> Asked:
        return self.members[0]

    @property
    def times(self) -> int:
        return sum(m.times for m in self.members)

    @property
    def askers(self) -> int:
        return len(set().union(*(m.askers for m in self.members)))


class Suggest:
    def __init__(
        self, db: Database, embedder: Embedder, verifier: Verifier, calibration: Calibration, curate: Curate
    ) -> None:
        self._db, self._embedder, self._verifier = db, embedder, verifier
        self._calibration, self._curate = calibration, curate

    def refresh(self, covered: Covered) -> int:
        """Gather anew from the last 90 days; returns how many suggestions are open. Raises VerifierFailed."""
        with self._db.read() as session:
            asked = _asked(session, now() - timedelta(days=_DAYS))
        gaps = self._groups([a for a in asked if a.source == Source.NONE])
        answered = self._groups([a for a in asked if a.source != Source.NONE])
        gaps = [g for n, g in enumerate(gaps) if n >= _GAPS_CHECKED or not covered(g.leader.question, g.leader.scope)]
        often = [g for g in answered if g.times >= _OFTEN and not any(m.doubted for m in g.members)]
        with self._db.write() as session:
            kept = [_keep(session, SuggestionKind.GAP, g, None) for g in gaps]
            for group in often:
                memory = _unverified(session, group)
                if memory is not None:
                    kept.append(_keep(session, SuggestionKind.FREQUENT, group, memory))
            session.flush()
            # What is no longer so, and nobody has decided, goes.
            gathered = (SuggestionKind.GAP, SuggestionKind.FREQUENT)
            session.execute(
                sa.delete(Suggestion).where(
                    Suggestion.status == SuggestionStatus.OPEN,
                    Suggestion.kind.in_(gathered),
                    Suggestion.id.not_in([i for i in kept if i is not None]),
                )
            )
            opened = sa.select(sa.func.count()).where(Suggestion.status == SuggestionStatus.OPEN)
            return session.scalar(opened.select_from(Suggestion)) or 0

    def _groups(self, asked: Sequence[Asked]) -> list[Group]:
        """Most asked first. Each question joins the first group whose leader asks the same in the same scope."""
        ordered = sorted(asked, key=lambda a: (-a.times, -a.last.timestamp()))[:_MOST_QUESTIONS]
        if not ordered:
            return []
        vectors = self._embedder.embed([a.question for a in ordered])
        groups: list[Group] = []
        leaders: list[int] = []
        for n, a in enumerate(ordered):
            found = self._leader(ordered, vectors, leaders, n)
            if found is None:
                leaders.append(n)
                groups.append(Group([a]))
            else:
                groups[found].members.append(a)
        return sorted(groups, key=lambda g: (-g.askers, -g.times))

    def _leader(self, asked: Sequence[Asked], vectors: Vectors, leaders: Sequence[int], n: int) -> int | None:
        if not leaders:
            return None
        cosines = vectors[list(leaders)] @ vectors[n]
        near = [
            i
            for i in np.argsort(-cosines, kind="stable")[: 4 * _LEADERS].tolist()
            if cosines[i] >= _NEAR and asked[leaders[i]].scope == asked[n].scope
        ][:_LEADERS]
        wordings = [Wording(asked[leaders[i]].question, float(cosines[i])) for i in near]
        [likely] = self._verifier.judge([asked[n].question], [wordings])
        best = max(range(len(near)), key=likely.__getitem__, default=None)
        if best is None or likely[best] < self._calibration.least(asked[n].scope):
            return None
        return int(near[best])

    def approve(self, suggestion_id: str, *, by: str, question: str | None = None, answer: str | None = None) -> int:
        """Make it a verified memory; returns the memory's id. question, answer: what the curator changed.

        The wordings that were taken together become the memory's. Raises NotFound, Conflict, BadRequest.
        """
        with self._db.read() as session:
            found = get(session, suggestion_id)
            memory = session.get(Memory, found.memory_id) if found.memory_id is not None else None
            scope = scope_of_readers(session, found.scope)
        answer, question = answer or found.answer, question or found.question
        if not answer.strip():
            raise BadRequest("Write the answer first: the documents do not hold it.", param="answer")
        if memory is None:
            memory_id = self._curate.write(question, answer, scope=scope, by=by)
        else:
            memory_id = memory.id
            if (question, answer) != (memory.question, memory.answer):
                self._curate.edit(memory_id, question=question, answer=answer, by=by)
            else:
                self._curate.approve(memory_id, by=by)
        for wording in found.wordings:
            if question_key(wording) != question_key(question):
                self._curate.add_wording(memory_id, wording, differs=False, by=by)
        self._decide(suggestion_id, SuggestionStatus.APPROVED, by)
        return memory_id

    def reject(self, suggestion_id: str, *, by: str) -> None:
        """It does not come back. Raises NotFound, Conflict."""
        self._decide(suggestion_id, SuggestionStatus.REJECTED, by)

    def _decide(self, suggestion_id: str, status: SuggestionStatus, by: str) -> None:
        with self._db.write() as session:
            found = get(session, suggestion_id)
            found.status, found.decided_by, found.decided_at = status, by, now()


def get(session: Session, suggestion_id: str) -> Suggestion:
    """One that is still to be decided. Raises NotFound, Conflict."""
    found = session.get(Suggestion, suggestion_id)
    if found is None:
        raise NotFound("There is no such suggestion; what it was made of may have changed.")
    if found.status != SuggestionStatus.OPEN:
        raise Conflict(f"{found.decided_by} has decided on this already.", code="decided")
    return found


def open_ones(session: Session, *, kind: SuggestionKind | None = None) -> Sequence[Suggestion]:
    """Corrections first, then what most people ask."""
    wanted = sa.select(Suggestion).where(Suggestion.status == SuggestionStatus.OPEN)
    if kind is not None:
        wanted = wanted.where(Suggestion.kind == kind)
    order = sa.case((Suggestion.kind == SuggestionKind.CORRECTION, 0), else_=1)
    return session.scalars(wanted.order_by(order, Suggestion.askers.desc(), Suggestion.asked.desc())).all()


def _asked(session: Session, since: datetime) -> list[Asked]:
    """Questions that stand alone, newest answer last; what holds only for now or for the asker is nobody's gap."""
    doubts = sa.select(Feedback.answer_id).where(Feedback.verdict == Verdict.DOWN, ~Feedback.dismissed)
    rows = session.execute(
        sa.select(
            Answer.question,
            Answer.source,
            Answer.owner_id,
            Answer.memory_id,
            Answer.created_at,
            LedgerEntry.scope,
            Answer.id.in_(doubts).label("doubted"),
        )
        .join(LedgerEntry, LedgerEntry.answer_id == Answer.id)
        .where(Answer.created_at >= since, Answer.question == Answer.standalone_question)
        .order_by(Answer.id)
        .execution_options(yield_per=1000)
    )
    found: dict[tuple[str, str], Asked] = {}
    for row in rows:
        key = question_key(row.question)
        a = found.get((row.scope, key))
        if a is None:
            if bound(row.question) is not None:
                continue
            a = found[row.scope, key] = Asked(row.question, key, row.scope, row.source, None, row.created_at)
        a.question, a.source, a.last = row.question, row.source, row.created_at
        a.memory_id = row.memory_id if row.memory_id is not None else a.memory_id
        a.times += 1
        a.askers.add(row.owner_id)
        a.doubted |= row.doubted
    return list(found.values())


def _unverified(session: Session, group: Group) -> Memory | None:
    """The memory in service that answers the group, where nobody has verified one yet."""
    ids = [m.memory_id for m in group.members if m.memory_id is not None]
    rows = session.scalars(
        sa.select(Memory).where(Memory.id.in_(ids), Memory.status == MemoryStatus.LIVE).order_by(Memory.hits.desc())
    ).all()
    return None if not rows or any(m.verified_by for m in rows) else rows[0]


def _keep(session: Session, kind: SuggestionKind, group: Group, memory: Memory | None) -> str | None:
    """The open suggestion for the group, made or brought up to date; None where it was decided before."""
    leader = group.leader
    same = sa.select(Suggestion).where(
        Suggestion.kind == kind, Suggestion.question_key == leader.key, Suggestion.scope == leader.scope
    )
    found = session.scalar(same.order_by(Suggestion.id.desc()).limit(1))
    if found is not None and found.status != SuggestionStatus.OPEN:
        return None
    if found is None:
        found = Suggestion(kind=kind, question_key=leader.key, scope=leader.scope)
        session.add(found)
    # A memory keeps its own words, which somebody may have chosen with care.
    found.question = memory.question if memory is not None else leader.question
    own = question_key(found.question)
    found.wordings = [m.question for m in group.members if m.key != own][:_WORDINGS_SHOWN]
    found.asked, found.askers = group.times, group.askers
    found.last_asked_at = max(m.last for m in group.members)
    found.memory_id = memory.id if memory is not None else None
    found.answer = memory.answer if memory is not None else ""
    found.citations = memory.citations if memory is not None else []
    session.flush()
    return found.id
