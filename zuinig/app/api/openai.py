"""The same service for clients that speak OpenAI's API: models, chat completions, files."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from zuinig.app.api import cache, sse
from zuinig.app.api.deps import Asker, Editor, Reader, Sender, Served, Turned
from zuinig.app.api.documents import download, note_upload
from zuinig.app.api.schemas import MOST_QUESTION_CHARS, Limit, Name, answer_out
from zuinig.app.api.uploads import UploadRoute
from zuinig.app.asked import Answered, Ask, Delta, Step
from zuinig.app.documents import DocumentView
from zuinig.app.metrics import Metrics
from zuinig.core.errors import BadRequest, NotFound
from zuinig.core.settings import Settings
from zuinig.core.types import DocumentStatus
from zuinig.ingestion.files import clean_path
from zuinig.ingestion.upload import DEFAULT_COLLECTION
from zuinig.memory.conversation import MOST_TURNS, Turn, standalone

MODEL = "zuinig"
_PARTS = ("text", "input_text")


class Message(BaseModel):
    model_config = ConfigDict(extra="ignore")
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str) or self.content is None:
            return self.content or ""
        return "\n".join(str(p.get("text", "")) for p in self.content if p.get("type") in _PARTS)


class StreamOptions(BaseModel):
    include_usage: bool = False


class Zuinig(BaseModel):
    """Our own wishes, in one namespaced object; official clients pass it as `extra_body={"zuinig": {...}}`."""

    collections: Annotated[list[Name], Field(max_length=100)] | None = None
    memory: cache.Memory = "use"
    llm: Literal["allow", "never"] = "allow"


class CompletionIn(BaseModel):
    """Sampling settings are accepted and have no effect: answers come out of documents."""

    model_config = ConfigDict(extra="ignore")
    model: str
    messages: Annotated[list[Message], Field(min_length=1, max_length=1000)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    zuinig: Zuinig = Zuinig()

    def ask(self) -> Ask:
        """The last user message is the question, those before it its conversation. Raises NotFound, BadRequest."""
        if self.model != MODEL:
            raise NotFound(f"There is no model {self.model[:100]!r}; ask for {MODEL!r}.", code="model_not_found")
        asked = [m.text.strip() for m in self.messages if m.role == "user" and m.text.strip()]
        if not asked or self.messages[-1].role != "user" or not self.messages[-1].text.strip():
            raise BadRequest("The last message must be from the user and hold text.", param="messages")
        question = asked[-1]
        if len(question) > MOST_QUESTION_CHARS or "\0" in question:
            raise BadRequest(f"A question has at most {MOST_QUESTION_CHARS} characters and no NUL.", param="messages")
        return Ask(
            question,
            collections=self.zuinig.collections,
            memory=self.zuinig.memory,
            llm=self.zuinig.llm,
            history=self._history(),
        )

    def _history(self) -> list[Turn]:
        """The user's questions with their answers, oldest first; each is made standalone by those before it."""
        history: list[Turn] = []
        for message in self.messages[:-1]:
            text = message.text.strip()[:MOST_QUESTION_CHARS]
            if message.role == "user" and text:
                history = [*history[-MOST_TURNS:], Turn(standalone(text, history).question, "")]
            elif message.role == "assistant" and history:
                history[-1] = replace(history[-1], answer=f"{history[-1].answer}\n{text}".strip())
        return history


def router(settings: Settings) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["openai"])

    @routes.get("/models")
    def models(_: Reader) -> dict[str, Any]:
        return {"object": "list", "data": [_model()]}

    @routes.get("/models/{model}")
    def model(model: str, _: Reader) -> dict[str, Any]:
        if model != MODEL:
            raise NotFound(f"There is no model {model[:100]!r}; there is {MODEL!r}.", code="model_not_found")
        return _model()

    @routes.post("/chat/completions", responses=sse.SCHEMA)
    async def completions(
        body: CompletionIn, served: Served, principal: Asker, turn: Turned, request: Request, response: Response
    ) -> dict[str, Any]:
        metrics: Metrics = request.app.state.metrics
        links = (settings.public_url or str(request.base_url)).rstrip("/")
        ask = body.ask()
        ask = replace(ask, memory=cache.wish(ask.memory, request.headers.get("cache-control")))
        steps = served.answers.steps(ask, principal)
        if body.stream:
            headers, begun = await cache.begun(turn.climb(steps, ask))
            usage = body.stream_options is not None and body.stream_options.include_usage
            streamed: Any = sse.stream(_chunks(begun, links, usage, metrics), headers)
            return streamed  # type: ignore[no-any-return]
        answered = await turn.answer(steps, ask)
        metrics.answer(answered.source, answered.usage)
        response.headers.update(cache.status(answered.recalled, stored=answered.remembered))
        message = {"role": "assistant", "content": answered.answer, "refusal": None}
        return {
            "id": f"chatcmpl-{answered.answer_id}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {**message, "annotations": _annotations(answered, links)},
                    "finish_reason": "stop",
                    "logprobs": None,
                }
            ],
            "usage": _usage(answered),
            "zuinig": answer_out(answered).model_dump(mode="json"),
        }

    _files(routes, settings)
    return routes


def _model() -> dict[str, Any]:
    return {"id": MODEL, "object": "model", "created": 0, "owned_by": "zuinig"}


def _usage(a: Answered) -> dict[str, int]:
    u = a.usage
    return {
        "prompt_tokens": u.prompt_tokens,
        "completion_tokens": u.completion_tokens,
        "total_tokens": u.prompt_tokens + u.completion_tokens,
    }


def _annotations(a: Answered, links: str) -> list[dict[str, Any]]:
    """start_index, end_index: where in the answer the mark of the citation stands."""
    found = []
    for number, c in enumerate(a.citations, 1):
        at = a.answer.find(f"[{number}]")
        start, end = (at, at + len(f"[{number}]")) if at >= 0 else (0, len(a.answer))
        url = f"{links}/portal/documents/{c.document_id}?start={c.start}&end={c.end}"
        citation = {"url": url, "title": c.title, "start_index": start, "end_index": end}
        found.append({"type": "url_citation", "url_citation": citation})
    return found


async def _chunks(steps: AsyncIterator[Step], links: str, usage: bool, metrics: Metrics) -> AsyncIterator[str]:
    created, name = int(time.time()), f"chatcmpl-{time.time_ns():x}"

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        data = {"id": name, "object": "chat.completion.chunk", "created": created, "model": MODEL, "choices": [choice]}
        return sse.data_line({**data, **({"usage": None} if usage else {}), **more})

    yield chunk({"role": "assistant", "content": ""})
    async for step in steps:
        if isinstance(step, Delta):
            yield chunk({"content": step.text})
        if not isinstance(step, Answered):
            continue
        metrics.answer(step.source, step.usage)
        if step.citations:
            yield chunk({"annotations": _annotations(step, links)})
        yield chunk({}, "stop", zuinig=answer_out(step).model_dump(mode="json"))
        if usage:
            yield chunk({}, choices=[], usage=_usage(step))
    yield "data: [DONE]\n\n"


def _files(routes: APIRouter, settings: Settings) -> None:
    sending = APIRouter(route_class=UploadRoute)

    @sending.post("/files", max_body_size=settings.max_body_mb * 1_000_000)
    def upload(
        served: Served,
        uploader: Sender,
        file: Annotated[UploadFile, File()],
        purpose: Annotated[str, Form(max_length=64)] = "assistants",
        collection: Annotated[Name, Form()] = DEFAULT_COLLECTION,
    ) -> dict[str, Any]:
        served.grants.require_edit(uploader, collection)
        name = file.filename or "unnamed"
        accepted = served.uploads.accept(name, file.file, collection, by=uploader.id)
        note_upload(served, uploader, accepted, clean_path(name))
        served.wake()
        return _file(served.documents.get(accepted.document_id))

    routes.include_router(sending)

    @routes.get("/files")
    def files(
        served: Served, reader: Reader, limit: Annotated[Limit, Query()] = 20, after: str | None = None
    ) -> dict[str, Any]:
        views, more = served.documents.page(limit=limit, after=after, readable=reader.readable)
        ends = {"first_id": views[0].id if views else None, "last_id": views[-1].id if views else None}
        return {"object": "list", "data": [_file(v) for v in views], "has_more": more, **ends}

    @routes.get("/files/{file_id}")
    def one(file_id: str, served: Served, reader: Reader) -> dict[str, Any]:
        return _file(served.documents.get(file_id, reader.readable))

    @routes.get("/files/{file_id}/content")
    def content(file_id: str, served: Served, reader: Reader) -> FileResponse:
        found = served.documents.content(file_id, reader.readable)
        served.audit.record(reader, "read", file_id, "file")
        return download(found)

    @routes.delete("/files/{file_id}")
    def delete(file_id: str, served: Served, editor: Editor) -> dict[str, Any]:
        served.uploads.delete(file_id)
        served.audit.record(editor, "delete_document", file_id)
        return {"id": file_id, "object": "file", "deleted": True}


def _file(view: DocumentView) -> dict[str, Any]:
    state = {DocumentStatus.READY: "processed", DocumentStatus.FAILED: "error", DocumentStatus.CANCELLED: "error"}
    return {
        "id": view.id,
        "object": "file",
        "bytes": view.bytes,
        "created_at": int(view.created_at.timestamp()),
        "filename": view.filename,
        "purpose": "assistants",
        "status": state.get(view.status, "uploaded"),
        "status_details": view.error.reason if view.error else None,
    }
