"""The review queue: what waits for a curator's decision, and the questions that the documents do not cover."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel
from starlette.responses import Response

from zuinig.app.api import memories, suggestions
from zuinig.app.api.deps import Curator, Served
from zuinig.app.portal import curation
from zuinig.app.portal.memories import FormQuestion, FormText
from zuinig.app.portal.pages import language_of, render
from zuinig.app.portal.words import tell
from zuinig.app.services import Services
from zuinig.core.tables import Memory
from zuinig.core.types import Principal, SuggestionKind
from zuinig.memory import suggest

_SHOWN = 20
_LOOKED_AT = 100

router = APIRouter(prefix="/portal/review", include_in_schema=False)


class Decided(BaseModel):
    """The words as the curator left them."""

    question: FormQuestion
    answer: FormText


@router.get("")
def queue(request: Request, served: Served, principal: Curator) -> Response:
    return _queue(request, served, principal, "review.html")


@router.post("/refresh")
def refresh(request: Request, served: Served, principal: Curator) -> Response:
    """A fragment: the queue, gathered anew."""
    suggestions.refresh(served, principal)
    return _queue(request, served, principal, "_queue.html", gathered=True)


@router.post("/{item_id}/approve")
def approve(
    request: Request, served: Served, principal: Curator, item_id: str, sent: Annotated[Decided, Form()]
) -> Response:
    """A fragment in place of what was decided on. item_id: of a memory or a suggestion."""
    if item_id.startswith("mem_"):
        memory = _approve_memory(served, principal, item_id, sent)
    else:
        with served.db.read() as session:
            found = suggest.get(session, item_id)
        changes = suggestions.ApproveIn(
            question=curation.changed(sent.question, found.question), answer=curation.changed(sent.answer, found.answer)
        )
        memory = suggestions.approve(item_id, changes, served, principal)
    return render(request, served, "_decided.html", principal, done="approve", question=memory.question, m=memory)


@router.post("/{item_id}/reject")
def reject(request: Request, served: Served, principal: Curator, item_id: str) -> Response:
    """A fragment in place of what was decided on. item_id: of a memory or a suggestion."""
    if item_id.startswith("mem_"):
        memory = memories.reject(item_id, memories.RejectIn(), served, principal)
        return render(request, served, "_decided.html", principal, done="rejected", question=memory.question, m=memory)
    with served.db.read() as session:
        found = suggest.get(session, item_id)
        left = session.get(Memory, found.memory_id) if found.memory_id is not None else None
        # What was doubted with a correction that was not right still waits for a decision of its own.
        waits = memories.memory_out(left) if left is not None else None
    suggestions.reject(item_id, served, principal)
    return render(
        request,
        served,
        "_decided.html",
        principal,
        done="dropped",
        question=found.question,
        left=waits if waits is not None and curation.due(waits) else None,
        told=_teller(request, served, [waits] if waits is not None else []),
    )


def _approve_memory(served: Services, principal: Principal, item_id: str, sent: Decided) -> memories.MemoryDetail:
    present = memories.one(item_id, served, principal)
    changes = memories.MemoryPatch(
        question=curation.changed(sent.question, present.question), answer=curation.changed(sent.answer, present.answer)
    )
    if changes.question is None and changes.answer is None:
        return memories.approve(item_id, served, principal)
    return memories.patch(item_id, changes, served, principal)


def _queue(request: Request, served: Services, principal: Principal, template: str, **values: Any) -> Response:
    waiting = memories.list_memories(served, principal, limit=_LOOKED_AT, review=True)
    with served.db.read() as session:
        found = {kind.value: suggest.open_ones(session, kind=kind) for kind in SuggestionKind}
        was = curation.answered(session, found["correction"][:_SHOWN])
        shown = {kind: [suggestions.suggestion_out(s) for s in all_[:_SHOWN]] for kind, all_ in found.items()}
    # A correction shows the memory that it doubts: to decide on both would be to decide twice.
    corrected = {s.memory_id for s in found["correction"]}
    others = [m for m in waiting.data if memories.parse_id(m.id) not in corrected]
    return render(
        request,
        served,
        template,
        principal,
        memories=others[:_SHOWN],
        more=len(others) > _SHOWN or waiting.has_more,
        shown=shown,
        totals={kind: len(all_) for kind, all_ in found.items()},
        was=was,
        told=_teller(request, served, others[:_SHOWN]),
        every_minutes=served.settings.suggest_every_minutes,
        **values,
    )


def _teller(
    request: Request, served: Services, shown: Sequence[memories.MemoryOut]
) -> Callable[[str | None], list[curation.Piece]]:
    """Why each of them waits, in the reader's language and with links."""
    with served.db.read() as session:
        notes = curation.sentences(session, [m.review_reason or m.status_reason for m in shown], None)
    language = language_of(request, served)
    return lambda text: notes.pieces(tell(language, text))
