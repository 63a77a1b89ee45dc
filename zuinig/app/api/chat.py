"""Asking: the answer with where it comes from, what it rests on, and what it cost."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from zuinig.app.answer import Answered, Ask, Delta
from zuinig.app.api import sse
from zuinig.app.api.deps import Asker, Served
from zuinig.app.api.schemas import AnswerOut, Name, Question, answer_out
from zuinig.app.metrics import Metrics
from zuinig.core.errors import NotFound
from zuinig.core.tables import Answer, Feedback, Memory
from zuinig.core.types import MemoryStatus
from zuinig.memory.freshness import take_out

router = APIRouter(prefix="/v1", tags=["chat"])


class ChatIn(BaseModel):
    question: Question
    conversation_id: Annotated[str, Field(max_length=100)] | None = None
    stream: bool = False
    collections: Annotated[list[Name], Field(max_length=100)] | None = None
    memory: Literal["use", "skip", "only"] = "use"
    llm: Literal["allow", "never"] = "allow"

    def ask(self) -> Ask:
        return Ask(self.question, self.conversation_id, self.collections, self.memory, self.llm)


@router.post("/chat", responses=sse.SCHEMA)
def chat(body: ChatIn, served: Served, principal: Asker, request: Request) -> AnswerOut:
    """With `stream`, Server-Sent Events: `delta` events with a piece of the answer each, then one `done` or `error`."""
    metrics: Metrics = request.app.state.metrics
    if body.stream:
        steps = served.answers.steps(body.ask(), principal)
        # The first step is taken here, so that a question that cannot be asked gets its status, not a stream.
        response: Any = _stream(next(steps), steps, metrics)
        return response  # type: ignore[no-any-return]
    answered = served.answers.ask(body.ask(), principal)
    metrics.answer(answered.source, answered.usage)
    return answer_out(answered)


def _stream(first: Delta | Answered, rest: Iterator[Delta | Answered], metrics: Metrics) -> StreamingResponse:
    def events() -> Iterator[str]:
        yield from render(first)
        for step in rest:
            yield from render(step)

    def render(step: Delta | Answered) -> Iterator[str]:
        if isinstance(step, Delta):
            yield sse.event("delta", {"text": step.text})
        else:
            metrics.answer(step.source, step.usage)
            yield sse.event("done", answer_out(step).model_dump(mode="json"))

    return sse.stream(events())


class FeedbackIn(BaseModel):
    verdict: Literal["up", "down"]
    correction: Annotated[str, Field(max_length=20_000)] | None = None


class FeedbackOut(BaseModel):
    id: str
    answer_id: str
    verdict: str


@router.post("/answers/{answer_id}/feedback", status_code=201)
def feedback(answer_id: str, body: FeedbackIn, served: Served, principal: Asker) -> FeedbackOut:
    """A thumbs-down takes the memory behind the answer out of service, unless a person put it there."""
    with served.db.write() as session:
        answer = session.get(Answer, answer_id)
        if answer is None or answer.key_id != principal.key_id:
            raise NotFound("There is no such answer.")
        row = Feedback(answer_id=answer_id, key_id=principal.key_id, verdict=body.verdict, correction=body.correction)
        session.add(row)
        if body.verdict == "down" and answer.memory_id is not None:
            unverified = session.scalars(
                sa.select(Memory.id).where(
                    Memory.id == answer.memory_id, Memory.status == MemoryStatus.LIVE, Memory.verified_by.is_(None)
                )
            ).all()
            take_out(session, unverified, MemoryStatus.RETIRED, "A reader marked the answer as wrong.")
        session.flush()
        return FeedbackOut(id=row.id, answer_id=answer_id, verdict=body.verdict)
