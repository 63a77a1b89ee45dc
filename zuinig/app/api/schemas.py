"""Shapes that several routes share."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from zuinig.app.asked import Answered
from zuinig.app.documents import DocumentView
from zuinig.core.types import Citation, DocumentStatus, Source

MOST_QUESTION_CHARS = 8000

T = TypeVar("T")


def _clean(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    if not text.strip():
        raise ValueError("must not be blank")
    return text.strip()


Question = Annotated[str, Field(max_length=MOST_QUESTION_CHARS), AfterValidator(_clean)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_clean)]
Text = Annotated[str, Field(max_length=20_000), AfterValidator(_clean)]
Limit = Annotated[int, Field(ge=1, le=100)]


class Page(BaseModel, Generic[T]):
    """A list, newest first; `after` is the id of the last one seen."""

    object: Literal["list"] = "list"
    data: list[T]
    first_id: str | None
    last_id: str | None
    has_more: bool


def page(data: Sequence[Any], has_more: bool) -> dict[str, Any]:
    """data: items with an `id`."""
    return {
        "object": "list",
        "data": list(data),
        "first_id": data[0].id if data else None,
        "last_id": data[-1].id if data else None,
        "has_more": has_more,
    }


class CitationOut(BaseModel):
    """text[start:end] of the document's extracted text is the quote."""

    document_id: str
    title: str
    version: int
    page: int | None
    start: int
    end: int
    quote: str


class MemoryRef(BaseModel):
    id: str
    question: str
    verified_by: str | None
    created_at: datetime


class UsageOut(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    baseline_tokens: int
    saved_tokens: int
    cost: float
    saved_cost: float
    model: str | None


class NoticeOut(BaseModel):
    """budget_used: answered without a language model, since a budget is used up. budget_warning: one nearly is.
    not_read: there was no time to read all that was found. still_reading: documents were on their way in meanwhile.
    """

    model_config = ConfigDict(from_attributes=True)
    code: Literal["budget_used", "budget_warning", "not_read", "still_reading"]
    message: str


class AnswerOut(BaseModel):
    answer_id: str
    conversation_id: str
    question: str
    standalone_question: str
    answer: str
    source: Source
    confidence: float
    citations: list[CitationOut]
    memory: MemoryRef | None
    usage: UsageOut
    timing_ms: dict[str, float]
    notice: NoticeOut | None


def citation_out(c: Citation) -> CitationOut:
    return CitationOut(
        document_id=c.document_id,
        title=c.title,
        version=c.version,
        page=c.page,
        start=c.start,
        end=c.end,
        quote=c.quote,
    )


def answer_out(a: Answered) -> AnswerOut:
    u = a.usage
    return AnswerOut(
        answer_id=a.answer_id,
        conversation_id=a.conversation_id,
        question=a.question,
        standalone_question=a.standalone_question,
        answer=a.answer,
        source=a.source,
        confidence=a.confidence,
        citations=[citation_out(c) for c in a.citations],
        memory=a.memory
        and MemoryRef(
            id=a.memory.id,
            question=a.memory.question,
            verified_by=a.memory.verified_by,
            created_at=a.memory.created_at,
        ),
        usage=UsageOut(
            prompt_tokens=u.prompt_tokens,
            completion_tokens=u.completion_tokens,
            baseline_tokens=u.baseline_tokens,
            saved_tokens=u.saved_tokens,
            cost=u.cost,
            saved_cost=u.saved_cost,
            model=u.model,
        ),
        timing_ms=a.timing_ms,
        notice=NoticeOut.model_validate(a.notice) if a.notice is not None else None,
    )


class ErrorOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    code: str
    reason: str


class DocumentOut(BaseModel):
    """version: the one that answers; status, error and progress: of the newest one sent."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    filename: str
    path: str
    title: str
    collection: str
    version: int
    status: DocumentStatus
    error: ErrorOut | None
    searchable: bool
    bytes: int
    media_type: str | None
    pages: int | None
    passages: int
    progress: int
    flagged: int = Field(description="Passages and hidden texts that seem to speak to a language model.")
    created_at: datetime
    updated_at: datetime


def document_out(view: DocumentView) -> DocumentOut:
    return DocumentOut.model_validate(view)
