"""Asking: the answer with where it comes from, what it rests on, and what it cost."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from zuinig.app.api import cache, sse
from zuinig.app.api.deps import Asker, Served, Turned
from zuinig.app.api.schemas import AnswerOut, Name, Question, Text, answer_out
from zuinig.app.asked import Ask, Delta, Recalled, Step
from zuinig.app.metrics import Metrics
from zuinig.core.types import Verdict
from zuinig.memory.feedback import judge

router = APIRouter(prefix="/v1", tags=["chat"])


class ChatIn(BaseModel):
    question: Question
    conversation_id: Annotated[str, Field(max_length=100)] | None = None
    stream: bool = False
    collections: Annotated[list[Name], Field(max_length=100)] | None = None
    memory: cache.Memory = "use"
    llm: Literal["allow", "never"] = "allow"

    def ask(self) -> Ask:
        return Ask(self.question, self.conversation_id, self.collections, self.memory, self.llm)


@router.post("/chat", responses=sse.SCHEMA)
async def chat(
    body: ChatIn, served: Served, principal: Asker, turn: Turned, request: Request, response: Response
) -> AnswerOut:
    """With `stream`, Server-Sent Events: `delta` events with a piece of the answer each, then one `done` or `error`.

    `Cache-Control: no-cache` asks for an answer made anew, as `"memory": "refresh"` does; `Cache-Status` says whether
    memory answered.
    """
    metrics: Metrics = request.app.state.metrics
    ask = body.ask()
    ask = replace(ask, memory=cache.wish(ask.memory, request.headers.get("cache-control")))
    steps = served.answers.steps(ask, principal)
    if body.stream:
        # The first steps are taken here, so that what fails at once gets its status, not a stream.
        headers, begun = await cache.begun(turn.climb(steps, ask))
        streamed: Any = sse.stream(_events(begun, metrics), headers)
        return streamed  # type: ignore[no-any-return]
    answered = await turn.answer(steps, ask)
    metrics.answer(answered.source, answered.usage)
    response.headers.update(cache.status(answered.recalled, stored=answered.remembered))
    return answer_out(answered)


async def _events(steps: AsyncIterator[Step], metrics: Metrics) -> AsyncIterator[str]:
    async for step in steps:
        if isinstance(step, Delta):
            yield sse.event("delta", {"text": step.text})
        elif not isinstance(step, Recalled):
            metrics.answer(step.source, step.usage)
            yield sse.event("done", answer_out(step).model_dump(mode="json"))


class FeedbackIn(BaseModel):
    verdict: Verdict
    correction: Text | None = None


class FeedbackOut(BaseModel):
    id: str
    answer_id: str
    verdict: Verdict


@router.post("/answers/{answer_id}/feedback", status_code=201)
def feedback(answer_id: str, body: FeedbackIn, served: Served, principal: Asker) -> FeedbackOut:
    """A thumbs-down takes the memory behind the answer out of service until a curator has looked; one that a curator
    verified stays, and comes up for review. A correction is put before a curator.

    The last word of an asker counts: it takes the place of what the same asker said of this answer before.
    """
    with served.db.write() as session:
        row = judge(session, answer_id, principal.id, body.verdict, body.correction, readable=principal.readable)
        given = FeedbackOut(id=row.id, answer_id=answer_id, verdict=body.verdict)
    served.calibration.forget()
    served.audit.record(principal, "feedback", answer_id, body.verdict)
    return given
