"""One question climbs the ladder: recall, search, read, ask, remember, record."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import numpy as np
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from zuinig.app import prompt, wording
from zuinig.app.asked import Answered, Ask, Delta, Recalled, ServedMemory, Step
from zuinig.app.audit import Audit
from zuinig.app.budgets import Budgets, BudgetUse, used_up
from zuinig.app.ledger import Call, Ledger
from zuinig.app.notices import NOT_READ, STILL_READING, Notice
from zuinig.app.rungs import Reply, Rungs, Wanted
from zuinig.core.db import Database, insert
from zuinig.core.errors import LLMFailed, NotFound
from zuinig.core.tables import Answer, Conversation, Memory, new_id
from zuinig.core.tokens import Tokens
from zuinig.core.types import Citation, Hit, Principal, Reach, Source, Usage
from zuinig.ingestion.queue import is_busy
from zuinig.memory import history
from zuinig.memory.candidates import Remembered
from zuinig.memory.conversation import MOST_TURNS, Turn, standalone
from zuinig.memory.questions import normal_form
from zuinig.memory.recall import Recall
from zuinig.memory.remember import NewMemory, remember
from zuinig.retrieval.embed import Embedder, Vectors
from zuinig.retrieval.pack import BASELINE_PASSAGES, baseline
from zuinig.retrieval.read import NOTHING, Reading, Specialist, cite
from zuinig.retrieval.search import Search
from zuinig.retrieval.shelves import hidden as hidden_documents

log = structlog.get_logger()


@dataclass(slots=True)
class _Climb:
    """What is known of one question so far."""

    ask: Ask
    principal: Principal
    reach: Reach
    conversation_id: str
    standalone: str
    depends: bool
    answer: str = ""
    source: Source = Source.NONE
    confidence: float = 0.0
    citations: Sequence[Citation] = ()
    recalled: Recalled = field(default_factory=lambda: Recalled("miss"))
    served: Remembered | None = None
    contradicting: Sequence[int] = ()
    vector: Vectors | None = None
    still_reading: bool = False  # whether documents that the asker may read were on their way in
    hits: Sequence[Hit] = ()
    reading: Reading = NOTHING
    calls: Sequence[Call] = ()
    model: str | None = None
    seen: int = 0  # the last change of the passages that the search could see
    remembers: bool = True
    flagged: bool = False  # whether the answer rests on a flagged passage
    begun: float = field(default_factory=time.perf_counter)
    budgets: Sequence[BudgetUse] = ()
    notice: Notice | None = None
    timing: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.timing[name] = round((time.perf_counter() - begun) * 1000, 2)


class Answers:
    def __init__(
        self,
        db: Database,
        search: Search,
        recall: Recall,
        specialist: Specialist,
        embedder: Embedder,
        tokens: Tokens,
        ledger: Ledger,
        budgets: Budgets,
        rungs: Rungs,
        audit: Audit,
    ) -> None:
        self._db, self._search, self._recall, self._embedder = db, search, recall, embedder
        self._specialist, self._tokens, self._ledger, self._rungs = specialist, tokens, ledger, rungs
        self._budgets, self._audit = budgets, audit

    def ask(self, ask: Ask, principal: Principal) -> Answered:
        """Raises NotFound for a conversation or collection that is not there, LLMFailed."""
        for event in self.steps(ask, principal):
            if isinstance(event, Answered):
                return event
        raise AssertionError("the ladder ends with an answer")

    def steps(self, ask: Ask, principal: Principal) -> Iterator[Step]:
        """What memory said, the answer as it comes, then the whole of it, last and once."""
        climb = self._begin(ask, principal)
        with climb.stage("memory"):
            self._recall_into(climb)
        try:
            yield climb.recalled
            if climb.served is None and ask.memory != "only":
                self._retrieve(climb)
                yield from self._answer(climb)
            if climb.source == Source.NONE and not climb.answer:
                climb.answer = wording.not_covered(ask.question)
            if climb.source != Source.LLM:
                yield Delta(climb.answer)
        except GeneratorExit:
            # Who hangs up was told all the same, and it has cost what it cost.
            if climb.answer or climb.calls:
                self._conclude(climb)
            raise
        yield self._conclude(climb)

    def _conclude(self, climb: _Climb) -> Answered:
        usage, ask = self._usage(climb), climb.ask
        climb.timing["total"] = round((time.perf_counter() - climb.begun) * 1000, 2)
        if not ask.recorded:
            return _answered(climb, usage, new_id("ans"), memory_id=None)
        climb.notice = climb.notice or _of_documents(climb)
        climb.notice = climb.notice or self._budgets.warn(climb.budgets, usage, climb.principal)
        answer_id, memory_id = self._record(climb, usage)
        return _answered(climb, usage, answer_id, memory_id=memory_id)

    def covers(self, question: str, scope: str) -> bool:
        """Whether the documents of the scope hold an answer by now, for all that can be told. scope: see
        `Reach.scope`.
        """
        hits = self._search.search(question, self._specialist.passages, shelves=Reach.of_scope(scope).shelves)
        reading = self._specialist.read(question, hits)
        return reading.covered or reading.unread

    # The rungs

    def _begin(self, ask: Ask, principal: Principal) -> _Climb:
        reach = self._search.reach(ask.collections, principal.readable)
        history = ask.history
        conversation_id = ask.conversation_id or new_id("conv")
        if ask.conversation_id is not None:
            with self._db.read() as session:
                history = _history(session, ask.conversation_id, principal)
        turn = standalone(ask.question, history)
        return _Climb(ask, principal, reach, conversation_id, turn.question, turn.depends)

    def _recall_into(self, climb: _Climb) -> None:
        if climb.ask.memory in ("skip", "refresh"):
            climb.recalled = Recalled("request")
            return
        if climb.depends:
            climb.recalled = Recalled("bypass")
            return
        found = self._recall.find(climb.standalone, climb.reach)
        climb.vector, climb.contradicting = found.vector, found.contradicting
        if found.hit is not None:
            climb.served, climb.recalled = found.hit, Recalled("hit")
            climb.answer, climb.source, climb.confidence = found.hit.answer, Source.MEMORY, found.probability
            climb.citations = [Citation(**c) for c in found.hit.citations]

    def _retrieve(self, climb: _Climb) -> None:
        with climb.stage("search"):
            climb.seen = self._search.seen()
            with self._db.read() as session:
                shelves = climb.reach.shelves
                climb.still_reading = is_busy(session, None if shelves is None else frozenset(shelves))
            if climb.vector is None:
                climb.vector = self._embedder.embed([climb.standalone])
            climb.hits = self._passages(climb, climb.vector)
        with climb.stage("read"):
            climb.reading = self._specialist.read(climb.standalone, climb.hits)

    def _passages(self, climb: _Climb, vector: Vectors | None) -> list[Hit]:
        limit = max(BASELINE_PASSAGES, self._specialist.passages)
        return self._search.search(climb.standalone, limit, shelves=climb.reach.shelves, vector=vector)

    def _answer(self, climb: _Climb) -> Iterator[Delta]:
        reading = climb.reading
        may_ask = self._rungs and climb.ask.llm == "allow" and not (reading.quotes and reading.lasting)
        if may_ask and self._may_spend(climb) and reading.near:
            with climb.stage("llm"):
                failed = yield from self._ask_llm(climb, reading)
            if failed is None:
                return
            log.warning("llm.failed", reason=failed.message)
            if climb.answer or not reading.covered:
                raise failed
        if reading.quotes:
            climb.source, climb.confidence = Source.SPECIALIST, reading.confidence
            # What is less sure is read anew each time, which costs no tokens either.
            climb.remembers = reading.lasting
            climb.citations = [cite(s) for s in reading.quotes]
            climb.flagged = any(s.hit.flags for s in reading.quotes)
            climb.answer = wording.quotes(climb.ask.question, reading.quotes)
            return
        climb.confidence = 1 - reading.confidence
        if reading.covered or reading.unread:
            climb.citations = [cite(s) for s in reading.closest]
            climb.answer = wording.closest(climb.ask.question, reading.closest)

    def _may_spend(self, climb: _Climb) -> bool:
        climb.budgets = self._budgets.of(climb.principal)
        climb.notice = used_up(climb.budgets)
        return climb.notice is None

    def _ask_llm(self, climb: _Climb, reading: Reading) -> Generator[Delta, None, LLMFailed | None]:
        """Returns why there is no answer, where there is none."""
        same = (normal_form(climb.standalone), climb.reach.scope, climb.seen, climb.ask.memory)
        # What hangs on a conversation is nobody else's.
        shared = None if climb.depends else same
        pieces = self._rungs.ask(Wanted(climb.standalone, reading, shared, climb.begun))
        try:
            reply = yield from _told(climb, pieces)
        except GeneratorExit:
            # A model that was asked is paid for, whoever listens: its end is waited for.
            _take(climb, _last_of(pieces))
            raise
        return _take(climb, reply)

    # The books

    def _usage(self, climb: _Climb) -> Usage:
        answer_tokens = self._tokens.count(climb.answer)
        if climb.served is not None and climb.served.baseline_tokens is not None:
            prompt_of_baseline = climb.served.baseline_tokens - answer_tokens
        else:
            prompt_of_baseline = self._baseline(climb)
        return self._ledger.usage(
            calls=climb.calls,
            baseline_prompt=prompt_of_baseline,
            baseline_completion=answer_tokens,
            model=climb.model,
        )

    def _baseline(self, climb: _Climb) -> int:
        """Prompt tokens of plain RAG. A memory that people wrote is measured the first time it is served."""
        hits = climb.hits
        if climb.served is not None or climb.ask.memory == "only":
            with climb.stage("baseline"):
                hits = self._passages(climb, self._vector(climb))
        return prompt.prompt_tokens(self._tokens, baseline(hits), climb.standalone)

    def _vector(self, climb: _Climb) -> Vectors | None:
        """The question's, where there is one: a memory that was found by its words has its own."""
        if climb.vector is not None or climb.served is None:
            return climb.vector
        with self._db.read() as session:
            kept = session.scalar(
                sa.select(Memory.vector).where(Memory.id == climb.served.id, Memory.embedder == self._embedder.id)
            )
        return np.frombuffer(kept, np.float32)[np.newaxis] if kept is not None else None

    def _record(self, climb: _Climb, usage: Usage) -> tuple[str, int | None]:
        """The ids of the answer, and of the memory that was served or that it became."""
        answer_id = new_id("ans")
        scope = climb.reach.scope
        with self._db.write() as session:
            # A conversation that begins here has an id that was made just now.
            if climb.ask.conversation_id is None or session.get(Conversation, climb.conversation_id) is None:
                insert(session, Conversation, {"id": climb.conversation_id, "owner_id": climb.principal.id})
            memory_id = self._remember(session, climb, usage, scope)
            turn = {
                "id": answer_id,
                "conversation_id": climb.conversation_id,
                "owner_id": climb.principal.id,
                "question": climb.ask.question,
                "standalone_question": climb.standalone,
                "answer": climb.answer,
                "source": climb.source,
                "confidence": climb.confidence,
                "citations": [asdict(c) for c in climb.citations],
                "memory_id": memory_id,
            }
            insert(session, Answer, turn)
            self._ledger.write(
                session,
                answer_id=answer_id,
                key_id=climb.principal.key_id,
                user=climb.principal.user,
                group=climb.principal.group,
                source=climb.source,
                scope=scope,
                usage=usage,
                timing_ms=climb.timing,
                calls=climb.calls,
                documents={c.document_id for c in climb.citations},
                notice=climb.notice.code if climb.notice is not None else None,
            )
            self._audit.add(session, climb.principal, "ask", answer_id, self._audit.question(climb.ask.question))
        return answer_id, memory_id

    def _remember(self, session: Session, climb: _Climb, usage: Usage, scope: str) -> int | None:
        """The memory that was served, or that the answer became."""
        if climb.served is not None:
            session.execute(
                sa.update(Memory)
                .where(Memory.id == climb.served.id)
                .values(hits=Memory.hits + 1, baseline_tokens=usage.baseline_tokens)
                .execution_options(synchronize_session=False)  # no object of this session to be told
            )
            if climb.contradicting:
                ids = sorted({climb.served.id, *climb.contradicting})
                history.put_up(
                    session, ids, f"{' and '.join(f'mem_{i}' for i in ids)} answer the same question differently."
                )
            return climb.served.id
        wanted = climb.remembers and climb.ask.memory in ("use", "refresh") and not climb.depends
        if climb.source not in (Source.SPECIALIST, Source.LLM) or not wanted or climb.vector is None:
            return None
        return remember(
            session,
            NewMemory(
                question=climb.standalone,
                answer=climb.answer,
                scope=scope,
                origin=climb.source,
                confidence=climb.confidence,
                citations=climb.citations,
                baseline_tokens=usage.baseline_tokens,
                created_by=climb.principal.id,
                vector=climb.vector,
                embedder=self._embedder.id,
                since=climb.seen,
                doubtful=climb.flagged,
            ),
        )


def _told(climb: _Climb, pieces: Iterator[str]) -> Generator[Delta, None, Reply]:
    while True:
        try:
            piece = next(pieces)
        except StopIteration as end:
            reply: Reply = end.value
            return reply
        if piece:
            climb.answer += piece
            yield Delta(piece)


def _last_of(pieces: Iterator[str]) -> Reply:
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            reply: Reply = end.value
            return reply


def _take(climb: _Climb, reply: Reply) -> LLMFailed | None:
    """Returns why there is no answer, where there is none."""
    climb.calls = reply.calls
    if reply.error is not None:
        return reply.error
    climb.source = Source.LLM if reply.text else Source.NONE
    climb.answer, climb.citations, climb.confidence = reply.text, reply.citations, reply.confidence
    # An answer that does not wholly stand on the documents is shown, but never handed to the next person.
    climb.remembers, climb.flagged, climb.model = reply.sound, reply.flagged, reply.model
    return None


def _of_documents(climb: _Climb) -> Notice | None:
    """What may be missing from the answer."""
    if climb.source == Source.NONE and climb.reading.unread:
        return NOT_READ
    return STILL_READING if climb.still_reading else None


def _answered(climb: _Climb, usage: Usage, answer_id: str, *, memory_id: int | None) -> Answered:
    served = climb.served
    return Answered(
        answer_id=answer_id,
        conversation_id=climb.conversation_id,
        question=climb.ask.question,
        standalone_question=climb.standalone,
        answer=climb.answer,
        source=climb.source,
        confidence=round(climb.confidence, 4),
        citations=climb.citations,
        memory=ServedMemory(served.public_id, served.question, served.verified_by, served.created_at)
        if served is not None
        else None,
        usage=usage,
        timing_ms=climb.timing,
        recalled=climb.recalled,
        remembered=served is None and memory_id is not None and not climb.flagged,
        notice=climb.notice,
    )


def _history(session: Session, conversation_id: str, principal: Principal) -> list[Turn]:
    """The last turns, oldest first. Raises NotFound for a conversation that is not the asker's."""
    conversation = session.get(Conversation, conversation_id)
    if conversation is None or conversation.owner_id != principal.id:
        raise NotFound(
            "There is no such conversation; leave conversation_id out to begin one.", param="conversation_id"
        )
    rows = session.execute(
        sa.select(Answer.standalone_question, Answer.answer, Answer.citations)
        .where(Answer.conversation_id == conversation_id)
        .order_by(Answer.id.desc())
        .limit(MOST_TURNS)
    ).all()
    cited = {c["document_id"] for row in rows for c in row.citations}
    hidden = hidden_documents(session, cited, principal.readable)
    # What was answered out of a document that the asker may no longer read is not told again in other words.
    told = [row for row in rows if hidden.isdisjoint(c["document_id"] for c in row.citations)]
    return [Turn(row.standalone_question, row.answer) for row in reversed(told)]
