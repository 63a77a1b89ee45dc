"""The dialog memory: list, read, write, curate, look up. Importing and exporting: `exchange`."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from zuinig.app.api.deps import Asker, Curator, Reader, Served, Turned
from zuinig.app.api.schemas import CitationOut, Limit, Name, Page, Question, Text, page
from zuinig.app.services import Services
from zuinig.core.errors import NotFound
from zuinig.core.tables import Memory, Wording
from zuinig.core.types import MemoryStatus, Principal, Scope
from zuinig.memory import curate, history
from zuinig.memory.candidates import Remembered
from zuinig.memory.recall import Candidate, Lookup

_WORDING = "wrd_"


class MemoryOut(BaseModel):
    id: str
    external_id: str | None
    question: str
    answer: str
    status: MemoryStatus
    status_reason: str | None
    origin: str
    created_by: str | None
    verified_by: str | None
    confidence: float
    citations: list[CitationOut]
    hits: int
    saved_tokens: int
    expires_at: datetime | None
    review_at: datetime | None
    review_reason: str | None
    created_at: datetime
    updated_at: datetime


class WordingOut(BaseModel):
    id: str
    question: str
    differs: bool
    created_by: str | None
    created_at: datetime


class EventOut(BaseModel):
    """by: null where the service did it, because documents changed or a reader objected."""

    action: str
    by: str | None
    detail: str | None
    created_at: datetime


class MemoryDetail(MemoryOut):
    wordings: list[WordingOut]
    history: list[EventOut]


class MemoryIn(BaseModel):
    question: Question
    answer: Text
    collection: Name | None = None


class MemoryPatch(BaseModel):
    """expires_at, review_at: a moment with its offset from UTC, or null for never."""

    question: Question | None = None
    answer: Text | None = None
    status: Literal["live", "retired"] | None = None
    expires_at: AwareDatetime | None = None
    review_at: AwareDatetime | None = None


class RejectIn(BaseModel):
    reason: Annotated[str, Field(max_length=2000)] | None = None


class MergeIn(BaseModel):
    """into: the memory that stays."""

    into: str


class WordingIn(BaseModel):
    """differs: the question looks like the memory's, and is another."""

    question: Question
    differs: bool = False


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


router = APIRouter(prefix="/v1/memories", tags=["memories"])


@router.get("")
def list_memories(
    served: Served,
    reader: Reader,
    limit: Annotated[Limit, Query()] = 20,
    after: str | None = None,
    status: MemoryStatus | None = None,
    origin: Annotated[str | None, Query(max_length=16, description="specialist, llm, import or human.")] = None,
    verified: bool | None = None,
    review: Annotated[bool, Query(description="Only what waits for a curator.")] = False,
    query: Annotated[str | None, Query(max_length=200, description="Part of a question or an answer.")] = None,
) -> Page[MemoryOut]:
    """Newest first; those that the key may see."""
    wanted = curate.listed(
        readable=reader.readable, status=status, origin=origin, verified=verified, review=review, query=query
    )
    if after is not None:
        wanted = wanted.where(Memory.id < parse_id(after))
    with served.db.read() as session:
        rows = [memory_out(m, reader) for m in session.scalars(wanted.limit(limit + 1))]
    return Page[MemoryOut](**page(rows[:limit], len(rows) > limit))


@router.post("/lookup")
async def lookup(body: LookupIn, served: Served, asker: Asker, turn: Turned) -> LookupsOut:
    """Whether memory would answer, and why not; up to 256 questions. Nothing is charged, and no answer is recorded."""
    return await turn.run(_lookup, body, served, asker)


def _lookup(body: LookupIn, served: Services, asker: Principal) -> LookupsOut:
    found = served.recall.lookup(body.questions, served.search.reach(body.collections, asker.readable))
    served.audit.record(asker, "lookup", detail=served.audit.question("\n".join(body.questions)))
    return LookupsOut(data=[lookup_out(x) for x in found])


@router.post("", status_code=201)
def write(body: MemoryIn, served: Served, curator: Curator) -> MemoryDetail:
    """A question and its answer, as a person knows it."""
    scope = served.search.scope_for(body.collection)
    made = served.curate.write(body.question, body.answer, scope=scope, by=curator.name)
    served.audit.record(curator, "memory_write", f"mem_{made}")
    return detail(served, made)


@router.get("/{memory_id}")
def one(memory_id: str, served: Served, reader: Reader) -> MemoryDetail:
    """With its wordings and its history."""
    return detail(served, parse_id(memory_id), reader)


@router.patch("/{memory_id}")
def patch(memory_id: str, body: MemoryPatch, served: Served, curator: Curator) -> MemoryDetail:
    """Edit the words, take it out of service and put it back, say when it expires or should be looked at."""
    number, sent = parse_id(memory_id), body.model_fields_set
    if body.question is not None or body.answer is not None:
        served.curate.edit(number, question=body.question, answer=body.answer, by=curator.name)
        served.audit.record(curator, "memory_edit", memory_id)
    if body.status is not None:
        served.curate.set_status(number, MemoryStatus(body.status), by=curator.name)
        served.audit.record(curator, "memory_live" if body.status == "live" else "memory_retire", memory_id)
    if sent & {"expires_at", "review_at"}:
        with served.db.read() as session:
            now = curate.get(session, number)
        served.curate.schedule(
            number,
            by=curator.name,
            expires_at=body.expires_at if "expires_at" in sent else now.expires_at,
            review_at=body.review_at if "review_at" in sent else now.review_at,
        )
        served.audit.record(curator, "memory_schedule", memory_id)
    return detail(served, number)


@router.delete("/{memory_id}", status_code=204)
def delete(memory_id: str, served: Served, curator: Curator) -> None:
    served.curate.delete(parse_id(memory_id))
    served.audit.record(curator, "memory_delete", memory_id)


@router.post("/{memory_id}/approve")
def approve(memory_id: str, served: Served, curator: Curator) -> MemoryDetail:
    """Verified by you and in service; what readers said against it until now is dismissed."""
    served.curate.approve(parse_id(memory_id), by=curator.name)
    served.audit.record(curator, "memory_approve", memory_id)
    served.calibration.forget()
    return detail(served, parse_id(memory_id))


@router.post("/{memory_id}/reject")
def reject(memory_id: str, body: RejectIn, served: Served, curator: Curator) -> MemoryDetail:
    """Wrong: out of service, and the same answer is not learnt again."""
    served.curate.reject(parse_id(memory_id), by=curator.name, reason=body.reason)
    served.audit.record(curator, "memory_reject", memory_id)
    return detail(served, parse_id(memory_id))


@router.post("/{memory_id}/merge")
def merge(memory_id: str, body: MergeIn, served: Served, curator: Curator) -> MemoryDetail:
    """The other memory takes over its question and its wordings; this one is retired. Returns the other."""
    into = parse_id(body.into)
    served.curate.merge(parse_id(memory_id), into=into, by=curator.name)
    served.audit.record(curator, "memory_merge", memory_id, f"into {body.into}")
    return detail(served, into)


@router.post("/{memory_id}/wordings", status_code=201)
def add_wording(memory_id: str, body: WordingIn, served: Served, curator: Curator) -> MemoryDetail:
    """Another way to ask for it, or by `differs` a question that is not it. Lookup heeds it at once."""
    served.curate.add_wording(parse_id(memory_id), body.question, differs=body.differs, by=curator.name)
    served.audit.record(curator, "wording_add", memory_id)
    return detail(served, parse_id(memory_id))


@router.delete("/{memory_id}/wordings/{wording_id}")
def remove_wording(memory_id: str, wording_id: str, served: Served, curator: Curator) -> MemoryDetail:
    served.curate.remove_wording(parse_id(memory_id), parse_id(wording_id, _WORDING), by=curator.name)
    served.audit.record(curator, "wording_remove", memory_id, wording_id)
    return detail(served, parse_id(memory_id))


def detail(served: Services, memory_id: int, reader: Principal | None = None) -> MemoryDetail:
    """reader: None for who may see all of it. Wordings and history are for curators: they tell what others asked."""
    with served.db.read() as session:
        memory = curate.get(session, memory_id, reader.readable if reader is not None else None)
        shown = memory_out(memory, reader).model_dump()
        if not _curates(reader):
            return MemoryDetail(**shown, wordings=[], history=[])
        return MemoryDetail(
            **shown,
            wordings=[wording_out(w) for w in curate.wordings(session, memory_id)],
            history=[EventOut.model_validate(e, from_attributes=True) for e in history.of(session, memory_id)],
        )


def _curates(reader: Principal | None) -> bool:
    return reader is None or reader.may(Scope.CURATE)


def wording_out(w: Wording) -> WordingOut:
    return WordingOut(
        id=f"{_WORDING}{w.id}",
        question=w.question,
        differs=w.differs,
        created_by=w.created_by,
        created_at=w.created_at,
    )


def parse_id(public: str, prefix: str = "mem_") -> int:
    """Raises NotFound for what cannot be the id of a memory, or with its prefix of something else."""
    number = public.removeprefix(prefix)
    if not (public.startswith(prefix) and number.isascii() and number.isdigit() and len(number) < 19):
        raise NotFound("There is no such memory; it may have been deleted.")
    return int(number)


def memory_out(m: Memory, reader: Principal | None = None) -> MemoryOut:
    """reader: None for who may see all of it. Notes tell of documents, and of others, so that they are for curators."""
    curates = _curates(reader)
    return MemoryOut(
        id=f"mem_{m.id}",
        external_id=m.external_id,
        question=m.question,
        answer=m.answer,
        status=MemoryStatus(m.status),
        status_reason=m.status_reason if curates else None,
        origin=m.origin,
        created_by=m.created_by if curates else None,
        verified_by=m.verified_by,
        confidence=m.confidence,
        citations=[CitationOut.model_validate(c, extra="ignore") for c in m.citations],
        hits=m.hits,
        saved_tokens=m.hits * (m.baseline_tokens or 0),
        expires_at=m.expires_at,
        review_at=m.review_at if curates else None,
        review_reason=m.review_reason if curates else None,
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
        question=c.question,
        similarity=c.similarity,
        probability=c.probability,
        rejected_because=c.rejected_because,
    )
