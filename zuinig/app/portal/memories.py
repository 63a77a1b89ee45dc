"""The memory's pages: the list, one memory, and what a curator does to it."""

from datetime import UTC, date, datetime, time
from typing import Annotated, ClassVar, Literal

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, BeforeValidator, Field
from starlette.responses import Response

from zuinig.app.api import memories as api
from zuinig.app.api.deps import Curator, Reader, Served
from zuinig.app.api.schemas import Question, Text
from zuinig.app.portal import curation
from zuinig.app.portal.pages import Listing, go, language_of, render
from zuinig.app.portal.words import tell
from zuinig.app.services import Services
from zuinig.core.tables import Memory
from zuinig.core.types import MemoryStatus, Principal
from zuinig.memory import curate

ORIGINS = ("specialist", "llm", "import", "human")
_SHOWN = 50
_OTHERS_SHOWN = 5

# A browser ends the lines of a form in CRLF.
_Unix = BeforeValidator(lambda text: text.replace("\r\n", "\n") if isinstance(text, str) else text)
FormQuestion = Annotated[Question, _Unix]
FormText = Annotated[Text, _Unix]
FormDate = Annotated[date | None, BeforeValidator(lambda text: text or None)]

router = APIRouter(prefix="/portal/memories", include_in_schema=False)


class Asked(Listing):
    """What the list was asked for; see `Listing`."""

    address: ClassVar = "/portal/memories"
    query: Annotated[str, Field(max_length=200)] = ""
    status: MemoryStatus | Literal[""] = ""
    origin: Literal["", "specialist", "llm", "import", "human"] = ""
    verified: Literal["", "yes", "no"] = ""
    review: bool = False


class Written(BaseModel):
    question: FormQuestion
    answer: FormText
    collection: Annotated[str, Field(max_length=200)] = ""


class Edited(BaseModel):
    question: FormQuestion
    answer: FormText


class Dates(BaseModel):
    """Days in UTC; none for never."""

    expires_at: FormDate = None
    review_at: FormDate = None


# Reading


@router.get("")
def listing(request: Request, served: Served, principal: Reader, asked: Annotated[Asked, Query()]) -> Response:
    found = api.list_memories(
        served,
        principal,
        limit=_SHOWN,
        after=asked.after or None,
        status=asked.status or None,
        origin=asked.origin or None,
        verified={"yes": True, "no": False}.get(asked.verified),
        review=asked.review,
        query=asked.query.strip() or None,
    )
    response = render(
        request,
        served,
        "memories.html",
        principal,
        found=found,
        asked=asked,
        statuses=[s.value for s in MemoryStatus],
        origins=ORIGINS,
        collections=list(served.documents.collections(principal.readable).values()),
    )
    response.headers["hx-replace-url"] = asked.link()
    return response


@router.get("/{memory_id}")
def one(request: Request, served: Served, principal: Reader, memory_id: str) -> Response:
    return _shown(request, served, principal, memory_id, template="memory.html")


@router.get("/{memory_id}/others")
def others(
    request: Request,
    served: Served,
    principal: Curator,
    memory_id: str,
    query: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """A fragment: memories that this one could be merged into; without a query, those whose question is near."""
    number = api.parse_id(memory_id)
    near = [] if query.strip() else curation.near(served, number, _OTHERS_SHOWN)
    wanted = curate.listed(status=MemoryStatus.LIVE, query=query.strip() or None).where(Memory.id != number)
    with served.db.read() as session:
        found = [api.memory_out(x) for x in session.scalars(wanted.limit(_OTHERS_SHOWN))] if query.strip() else []
        found += [api.memory_out(curate.get(session, i)) for i in near]
    return render(request, served, "_others.html", principal, memory_id=memory_id, others=found)


# Changing


@router.post("")
def write(request: Request, served: Served, principal: Curator, sent: Annotated[Written, Form()]) -> Response:
    body = api.MemoryIn(question=sent.question, answer=sent.answer, collection=sent.collection or None)
    return go(f"/portal/memories/{api.write(body, served, principal).id}")


@router.post("/{memory_id}/edit")
def edit(
    request: Request, served: Served, principal: Curator, memory_id: str, sent: Annotated[Edited, Form()]
) -> Response:
    m = api.one(memory_id, served, principal)
    question, answer = curation.changed(sent.question, m.question), curation.changed(sent.answer, m.answer)
    if question or answer:
        api.patch(memory_id, api.MemoryPatch(question=question, answer=answer), served, principal)
    return _shown(request, served, principal, memory_id, done="edit")


@router.post("/{memory_id}/approve")
def approve(request: Request, served: Served, principal: Curator, memory_id: str) -> Response:
    api.approve(memory_id, served, principal)
    return _shown(request, served, principal, memory_id, done="approve")


@router.post("/{memory_id}/reject")
def reject(
    request: Request,
    served: Served,
    principal: Curator,
    memory_id: str,
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    api.reject(memory_id, api.RejectIn(reason=reason.strip() or None), served, principal)
    return _shown(request, served, principal, memory_id, done="rejected")


@router.post("/{memory_id}/status")
def set_status(
    request: Request,
    served: Served,
    principal: Curator,
    memory_id: str,
    status: Annotated[Literal["live", "retired"], Form()],
) -> Response:
    api.patch(memory_id, api.MemoryPatch(status=status), served, principal)
    return _shown(request, served, principal, memory_id, done=status)


@router.post("/{memory_id}/dates")
def set_dates(
    request: Request, served: Served, principal: Curator, memory_id: str, sent: Annotated[Dates, Form()]
) -> Response:
    """A day that was not changed keeps its time of day."""
    m = api.one(memory_id, served, principal)
    moved = {
        name: moment(to)
        for name, to, at in (
            ("expires_at", sent.expires_at, m.expires_at),
            ("review_at", sent.review_at, m.review_at),
        )
        if to != (at.date() if at is not None else None)
    }
    if moved:
        api.patch(memory_id, api.MemoryPatch.model_validate(moved), served, principal)
    return _shown(request, served, principal, memory_id, done="schedule")


@router.post("/{memory_id}/wordings")
def add_wording(
    request: Request,
    served: Served,
    principal: Curator,
    memory_id: str,
    question: Annotated[FormQuestion, Form()],
    differs: Annotated[bool, Form()] = False,
) -> Response:
    api.add_wording(memory_id, api.WordingIn(question=question, differs=differs), served, principal)
    return _shown(request, served, principal, memory_id, done="differs" if differs else "wording")


@router.post("/{memory_id}/wordings/{wording_id}/remove")
def remove_wording(request: Request, served: Served, principal: Curator, memory_id: str, wording_id: str) -> Response:
    api.remove_wording(memory_id, wording_id, served, principal)
    return _shown(request, served, principal, memory_id, done="unwording")


@router.post("/{memory_id}/merge")
def merge(
    request: Request, served: Served, principal: Curator, memory_id: str, into: Annotated[str, Form(max_length=30)]
) -> Response:
    return go(f"/portal/memories/{api.merge(memory_id, api.MergeIn(into=into), served, principal).id}")


@router.post("/{memory_id}/delete")
def delete(served: Served, principal: Curator, memory_id: str) -> Response:
    api.delete(memory_id, served, principal)
    return go("/portal/memories")


def _shown(
    request: Request,
    served: Services,
    principal: Principal,
    memory_id: str,
    *,
    template: str = "_memory.html",
    done: str = "",
) -> Response:
    """The memory's page, or after a change the part of it that shows the memory. done: what was."""
    m = api.one(memory_id, served, principal)
    language = language_of(request, served)
    with served.db.read() as session:
        notes = (m.status_reason, m.review_reason, *(e.detail for e in m.history))
        made = curation.provenance(session, api.parse_id(memory_id))
        sentences = curation.sentences(session, notes, principal.readable)
    return render(
        request,
        served,
        template,
        principal,
        m=m,
        made=made,
        told=lambda text: sentences.pieces(tell(language, text)),
        done=done,
    )


def moment(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day is not None else None
