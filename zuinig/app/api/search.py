"""Passages and packed context, for callers who bring their own language model."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from zuinig.app import prompt
from zuinig.app.api.deps import Reader, Served
from zuinig.app.api.schemas import CitationOut, Name, Question, citation_out
from zuinig.retrieval import sentences
from zuinig.retrieval.pack import baseline, pack
from zuinig.retrieval.read import ANSWERS_FROM, cite, read

router = APIRouter(prefix="/v1", tags=["search"])


class SearchIn(BaseModel):
    query: Question
    limit: Annotated[int, Field(ge=1, le=100)] = 10
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
def search(body: SearchIn, served: Served, reader: Reader) -> SearchOut:
    """Passages, best first: by words and by meaning."""
    collections = served.search.reach(body.collections, reader.readable).collections
    hits = served.search.search(body.query, body.limit, collections=collections)
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
            for h in hits
        ]
    )


class ContextIn(BaseModel):
    question: Question
    budget_tokens: Annotated[int, Field(ge=20, le=100_000)] | None = None
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
def context(body: ContextIn, served: Served, reader: Reader) -> ContextOut:
    """What Zuinig would put before a language model, under a token budget."""
    collections = served.search.reach(body.collections, reader.readable).collections
    vector = served.embedder.embed([body.question])
    hits = served.search.search(body.question, 10, collections=collections, vector=vector)
    ranked = sentences.score(body.question, vector, hits, served.embedder)
    packed = pack(ranked, served.tokens, body.budget_tokens or served.settings.context_budget_tokens)
    confidence = read(body.question, ranked, hits).confidence
    return ContextOut(
        context=packed.context,
        tokens=packed.tokens,
        baseline_tokens=prompt.prompt_tokens(served.tokens, baseline(hits), body.question),
        citations=[citation_out(cite(s)) for source in packed.sources for s in source.sentences],
        answerable=confidence >= ANSWERS_FROM,
        confidence=round(confidence, 4),
    )
