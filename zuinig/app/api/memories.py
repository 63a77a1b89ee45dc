"""The dialog memory: list, write, import, look up."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zuinig.app.api import sse
from zuinig.app.api.deps import Admin, Asker, Reader, Served
from zuinig.app.api.schemas import CitationOut, Limit, Name, Page, Question, page
from zuinig.app.services import Services
from zuinig.core.errors import BadRequest, NotFound
from zuinig.core.settings import Settings
from zuinig.core.tables import Memory
from zuinig.core.types import MemoryStatus
from zuinig.memory.curate import Imported, Pair, get
from zuinig.memory.recall import Candidate, Lookup, Remembered, scope_key

_SHOWN_PROBLEMS = 5

Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class MemoryOut(BaseModel):
    id: str
    external_id: str | None
    question: str
    answer: str
    status: MemoryStatus
    status_reason: str | None
    origin: str
    verified_by: str | None
    confidence: float
    citations: list[CitationOut]
    hits: int
    created_at: datetime
    updated_at: datetime


class MemoryIn(BaseModel):
    question: Question
    answer: Text
    collection: Name | None = None


class MemoryPatch(BaseModel):
    question: Question | None = None
    answer: Text | None = None
    status: Literal["live", "retired"] | None = None


class ImportLine(BaseModel):
    """A line of an import. Other fields are not silently dropped: they are an error."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
    question: Question
    answer: Text
    id: Annotated[str, Field(max_length=200)] | None = None
    collection: Name | None = None


class ImportOut(BaseModel):
    total: int
    added: int
    updated: int
    unchanged: int


class LookupIn(BaseModel):
    questions: Annotated[list[Question], Field(min_length=1, max_length=256)]
    collections: Annotated[list[Name], Field(max_length=100)] | None = None


class FoundMemory(BaseModel):
    id: str
    external_id: str | None
    question: str
    answer: str
    origin: str
    verified_by: str | None
    created_at: datetime


class CandidateOut(BaseModel):
    id: str
    question: str
    similarity: float
    probability: float
    rejected_because: str | None


class LookupOut(BaseModel):
    """same_question_probability: of the memory served, else of the nearest one."""

    hit: bool
    memory: FoundMemory | None
    same_question_probability: float
    candidates: list[CandidateOut]


class LookupsOut(BaseModel):
    data: list[LookupOut]


def router(settings: Settings) -> APIRouter:
    routes = APIRouter(prefix="/v1/memories", tags=["memories"])

    @routes.post(
        "/import",
        max_body_size=settings.max_body_mb * 1_000_000,
        responses=sse.SCHEMA,
        openapi_extra={"requestBody": {"content": {"application/x-ndjson": {}}, "required": True}},
    )
    def import_lines(
        # The key before the lines: they are worked out in this order.
        served: Served,
        admin: Admin,
        lines: Annotated[list[ImportLine], Depends(_lines)],
        request: Request,
    ) -> ImportOut:
        """JSON lines of question and answer. With `Accept: text/event-stream`, `progress` events and then `done`.

        Nothing is stored where a line is wrong. The same `id`, or without one the same question, is updated.
        """
        pairs = _pairs(served, lines)
        if "text/event-stream" in request.headers.get("accept", ""):
            response: Any = sse.stream(_progress(served, pairs, admin.name))
            return response  # type: ignore[no-any-return]
        return _import_out(len(pairs), served.curate.import_pairs(pairs, created_by=admin.name))

    _reading(routes)
    _changing(routes)
    return routes


async def _lines(request: Request) -> list[ImportLine]:
    """Raises BadRequest naming the lines that are wrong."""
    lines, problems = [], []
    for number, raw in enumerate((await request.body()).split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            lines.append(ImportLine.model_validate_json(raw))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            problems.append(f"line {number}: {where + ': ' if where else ''}{first['msg']}")
            if len(problems) == _SHOWN_PROBLEMS:
                break
    if problems:
        raise BadRequest("Nothing was imported; mend these lines and send all again. " + "; ".join(problems))
    if not lines:
        raise BadRequest('The body holds no lines; send JSON lines such as {"question": "...", "answer": "..."}.')
    return lines


def _pairs(served: Services, lines: list[ImportLine]) -> list[Pair]:
    """Raises NotFound for a collection that is not there."""
    scopes = {
        name: scope_key(served.search.collection_ids([name])) for name in {x.collection for x in lines if x.collection}
    }
    return [Pair(x.question, x.answer, x.id, scopes[x.collection] if x.collection else "") for x in lines]


def _progress(served: Services, pairs: list[Pair], by: str) -> Iterator[str]:
    done = Imported(0, 0, 0)
    for at in range(0, len(pairs), 1024):
        part = served.curate.import_pairs(pairs[at : at + 1024], created_by=by)
        done = Imported(done.added + part.added, done.updated + part.updated, done.unchanged + part.unchanged)
        yield sse.event("progress", {"done": min(at + 1024, len(pairs)), "total": len(pairs)})
    yield sse.event("done", _import_out(len(pairs), done).model_dump())


def _import_out(total: int, done: Imported) -> ImportOut:
    return ImportOut(total=total, added=done.added, updated=done.updated, unchanged=done.unchanged)


def _reading(routes: APIRouter) -> None:
    @routes.get("")
    def list_memories(
        served: Served,
        _: Reader,
        limit: Annotated[Limit, Query()] = 20,
        after: str | None = None,
        status: MemoryStatus | None = None,
        query: Annotated[str | None, Query(max_length=200, description="Part of a question.")] = None,
    ) -> Page[MemoryOut]:
        wanted = sa.select(Memory).order_by(Memory.id.desc()).limit(limit + 1)
        if after is not None:
            wanted = wanted.where(Memory.id < parse_id(after))
        if status is not None:
            wanted = wanted.where(Memory.status == status)
        if query:
            wanted = wanted.where(Memory.question.contains(query, autoescape=True))
        with served.db.read() as session:
            rows = [memory_out(m) for m in session.scalars(wanted)]
        return Page[MemoryOut](**page(rows[:limit], len(rows) > limit))

    @routes.get("/{memory_id}")
    def one(memory_id: str, served: Served, _: Reader) -> MemoryOut:
        with served.db.read() as session:
            return memory_out(get(session, parse_id(memory_id)))

    @routes.post("/lookup")
    def lookup(body: LookupIn, served: Served, _: Asker) -> LookupsOut:
        """Whether memory would answer, and why not; up to 256 questions. Nothing is counted or charged."""
        found = served.recall.lookup(body.questions, served.search.collection_ids(body.collections))
        return LookupsOut(data=[lookup_out(x) for x in found])


def _changing(routes: APIRouter) -> None:
    @routes.post("", status_code=201)
    def write(body: MemoryIn, served: Served, admin: Admin) -> MemoryOut:
        """A question and its answer, as a person knows it."""
        scope = scope_key(served.search.collection_ids([body.collection])) if body.collection else ""
        pair = Pair(body.question, body.answer, scope=scope)
        served.curate.import_pairs([pair], created_by=admin.name, origin="human")
        with served.db.read() as session:
            newest = sa.select(Memory).where(Memory.question == body.question, Memory.scope == scope)
            return memory_out(session.scalars(newest.order_by(Memory.updated_at.desc()).limit(1)).one())

    @routes.patch("/{memory_id}")
    def patch(memory_id: str, body: MemoryPatch, served: Served, admin: Admin) -> MemoryOut:
        """Edit the words, or take it out of service and put it back."""
        number = parse_id(memory_id)
        if body.question is not None or body.answer is not None:
            served.curate.edit(number, question=body.question, answer=body.answer, by=admin.name)
        if body.status is not None:
            served.curate.set_status(number, MemoryStatus(body.status), by=admin.name)
        with served.db.read() as session:
            return memory_out(get(session, number))

    @routes.delete("/{memory_id}", status_code=204)
    def delete(memory_id: str, served: Served, _: Admin) -> None:
        served.curate.delete(parse_id(memory_id))


def parse_id(public: str) -> int:
    """Raises NotFound for what cannot be the id of a memory."""
    number = public.removeprefix("mem_")
    if not (public.startswith("mem_") and number.isascii() and number.isdigit() and len(number) < 19):
        raise NotFound("There is no such memory; it may have been deleted.")
    return int(number)


def memory_out(m: Memory) -> MemoryOut:
    return MemoryOut(
        id=f"mem_{m.id}",
        external_id=m.external_id,
        question=m.question,
        answer=m.answer,
        status=MemoryStatus(m.status),
        status_reason=m.status_reason,
        origin=m.origin,
        verified_by=m.verified_by,
        confidence=m.confidence,
        citations=[CitationOut.model_validate(c, extra="ignore") for c in m.citations],
        hits=m.hits,
        created_at=m.created_at,
        updated_at=m.updated_at,
    )


def lookup_out(x: Lookup) -> LookupOut:
    return LookupOut(
        hit=x.hit is not None,
        memory=_found(x.hit) if x.hit is not None else None,
        same_question_probability=round(x.probability, 4),
        candidates=[_candidate(c) for c in x.candidates],
    )


def _found(m: Remembered) -> FoundMemory:
    return FoundMemory(
        id=m.public_id,
        external_id=m.external_id,
        question=m.question,
        answer=m.answer,
        origin=m.origin,
        verified_by=m.verified_by,
        created_at=m.created_at,
    )


def _candidate(c: Candidate) -> CandidateOut:
    return CandidateOut(
        id=c.memory.public_id,
        question=c.memory.question,
        similarity=c.similarity,
        probability=c.probability,
        rejected_because=c.rejected_because,
    )


def export_line(m: Memory, collections: Mapping[str, str]) -> str:
    """A line that `import` takes. collections: name by id."""
    line = {"id": m.external_id, "question": m.question, "answer": m.answer, "collection": collections.get(m.scope)}
    return json.dumps({name: value for name, value in line.items() if value is not None}, ensure_ascii=False)
