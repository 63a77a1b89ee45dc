"""What a curator is asked to decide: frequent questions, corrections of readers, gaps in the documents."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from zuinig.app.api.deps import Curator, Served
from zuinig.app.api.memories import MemoryDetail, detail
from zuinig.app.api.schemas import CitationOut, Limit, Page, Question, Text, page
from zuinig.core.errors import NotReady
from zuinig.core.tables import Suggestion
from zuinig.core.types import SuggestionKind
from zuinig.memory import suggest
from zuinig.memory.verify import VerifierFailed


class SuggestionOut(BaseModel):
    """wordings: how else it was asked. asked, askers: how often, and by how many. memory_id: what it would change."""

    id: str
    kind: SuggestionKind
    question: str
    wordings: list[str]
    answer: str
    citations: list[CitationOut]
    asked: int
    askers: int
    memory_id: str | None
    last_asked_at: datetime
    created_at: datetime


class ApproveIn(BaseModel):
    """What to change before it becomes a memory; a gap needs an answer."""

    question: Question | None = None
    answer: Text | None = None


class RefreshOut(BaseModel):
    open: int


router = APIRouter(prefix="/v1/suggestions", tags=["suggestions"])


@router.get("")
def list_suggestions(
    served: Served,
    _: Curator,
    kind: SuggestionKind | None = None,
    limit: Annotated[Limit, Query()] = 20,
    after: str | None = None,
) -> Page[SuggestionOut]:
    """Open ones: corrections first, then what most people ask. `kind=gap` lists what the documents do not cover."""
    with served.db.read() as session:
        found = suggest.open_ones(session, kind=kind)
    start = next((n + 1 for n, s in enumerate(found) if s.id == after), 0) if after is not None else 0
    shown = [suggestion_out(s) for s in found[start : start + limit]]
    return Page[SuggestionOut](**page(shown, len(found) > start + limit))


@router.post("/refresh")
def refresh(served: Served, _: Curator) -> RefreshOut:
    """Gather anew from the questions of the last 90 days; the service does so by itself now and then."""
    try:
        return RefreshOut(open=served.suggest.refresh(served.answers.covers))
    except VerifierFailed as error:
        raise NotReady(f"The questions could not be compared: {error}. Try again in a while.") from error


@router.post("/{suggestion_id}/approve")
def approve(suggestion_id: str, body: ApproveIn, served: Served, curator: Curator) -> MemoryDetail:
    """It becomes a memory, verified by you."""
    memory = served.suggest.approve(suggestion_id, by=curator.name, question=body.question, answer=body.answer)
    served.audit.record(curator, "suggestion_approve", suggestion_id, f"mem_{memory}")
    served.calibration.forget()
    return detail(served, memory)


@router.post("/{suggestion_id}/reject", status_code=204)
def reject(suggestion_id: str, served: Served, curator: Curator) -> None:
    """It does not come back."""
    served.suggest.reject(suggestion_id, by=curator.name)
    served.audit.record(curator, "suggestion_reject", suggestion_id)


def suggestion_out(s: Suggestion) -> SuggestionOut:
    return SuggestionOut(
        id=s.id,
        kind=s.kind,
        question=s.question,
        wordings=s.wordings,
        answer=s.answer,
        citations=[CitationOut.model_validate(c, extra="ignore") for c in s.citations],
        asked=s.asked,
        askers=s.askers,
        memory_id=f"mem_{s.memory_id}" if s.memory_id is not None else None,
        last_asked_at=s.last_asked_at,
        created_at=s.created_at,
    )
