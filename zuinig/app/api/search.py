"""Passages and packed context, for callers who bring their own language model."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from zuinig.app import prompt
from zuinig.app.api.deps import Reader, Served, Turned
from zuinig.app.api.schemas import CitationOut, Name, Question, citation_out
from zuinig.app.services import Services
from zuinig.core.types import Hit, Packing, Principal
from zuinig.retrieval.pack import BASELINE_PASSAGES, baseline, pack
from zuinig.retrieval.read import cite

router = APIRouter(prefix="/v1", tags=["search"])


class SearchIn(BaseModel):
    """rerank: let the reader put the first passages into its own order."""

    query: Question
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    rerank: bool = True
    collections: Annotated[list[Name], Field(max_length=100)] | None = None


class HitOut(BaseModel):
    """start, end: character offsets in the document's extracted text."""

    id: str
    document_id: str
    title: str
    context: str
    text: str
    score: float
    page: int | None
    start: int
    end: int


class SearchOut(BaseModel):
    data: list[HitOut]


@router.post("/search")
async def search(body: SearchIn, served: Served, reader: Reader, turn: Turned) -> SearchOut:
    """Passages, best first: by words, by meaning, and by what the reader finds in them."""
    return await turn.run(_search, body, served, reader)


def _search(body: SearchIn, served: Services, reader: Principal) -> SearchOut:
    shelves = served.search.reach(body.collections, reader.readable).shelves
    wanted = max(body.limit, served.specialist.passages) if body.rerank else body.limit
    hits: Sequence[Hit] = served.search.search(body.query, wanted, shelves=shelves)
    if body.rerank:
        hits = served.specialist.read(body.query, hits).hits
    served.audit.record(reader, "search", detail=served.audit.question(body.query))
    return SearchOut(
        data=[
            HitOut(
                id=str(h.passage_id),
                document_id=h.document_id,
                title=h.title,
                context=h.context,
                text=h.text,
                score=h.score,
                page=h.page,
                start=h.start,
                end=h.end,
            )
            for h in hits[: body.limit]
        ]
    )


class ContextIn(BaseModel):
    question: Question
    budget_tokens: Annotated[int, Field(ge=20, le=100_000)] | None = None
    packing: Packing | None = None
    collections: Annotated[list[Name], Field(max_length=100)] | None = None


class ContextOut(BaseModel):
    """context: numbered sources; citations: the sentences in it. baseline_tokens: of the top five full passages."""

    context: str
    tokens: int
    baseline_tokens: int
    citations: list[CitationOut]
    answerable: bool
    confidence: float


@router.post("/context")
async def context(body: ContextIn, served: Served, reader: Reader, turn: Turned) -> ContextOut:
    """What Zuinig would put before a language model, under a token budget."""
    return await turn.run(_context, body, served, reader)


def _context(body: ContextIn, served: Services, reader: Principal) -> ContextOut:
    shelves = served.search.reach(body.collections, reader.readable).shelves
    settings = served.settings
    wanted = max(BASELINE_PASSAGES, served.specialist.passages)
    hits = served.search.search(body.question, wanted, shelves=shelves)
    reading = served.specialist.read(body.question, hits)
    budget = body.budget_tokens or settings.context_budget_tokens
    packed = pack(reading, served.tokens, budget, body.packing or settings.packing)
    served.audit.record(reader, "search", detail=served.audit.question(body.question))
    return ContextOut(
        context=packed.context,
        tokens=packed.tokens,
        baseline_tokens=prompt.prompt_tokens(served.tokens, baseline(hits), body.question),
        citations=[citation_out(cite(s)) for source in packed.sources for s in source.sentences],
        answerable=reading.covered,
        confidence=round(reading.confidence, 4),
    )
