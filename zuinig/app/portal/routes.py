"""The portal: pages rendered here; what changes goes through the HTTP API, with the session's cookie."""

from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, FastAPI, Form, Query, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from zuinig.app.api import chat
from zuinig.app.api.deps import (
    SESSION_COOKIE,
    Admin,
    Asker,
    Reader,
    Served,
    Uploader,
    check_same_origin,
    sign_in_attempt,
)
from zuinig.app.audit import address
from zuinig.app.portal import (
    access,
    account,
    audit,
    batch,
    groups,
    imports,
    marks,
    memories,
    oidc,
    pages,
    people,
    review,
    savings,
    turns,
)
from zuinig.app.portal.pages import HERE, LANGUAGE_COOKIE, language_of, render, signed_in
from zuinig.app.portal.words import LANGUAGES, translate
from zuinig.app.services import Services
from zuinig.core.errors import Unauthenticated
from zuinig.core.types import Flag, Principal, Scope, Verdict

_WINDOW_CHARS = 20_000
_DOCUMENTS_SHOWN = 50
_VERDICTS_SHOWN = 100
_SMALL_BODY = 100_000
_ANSWER_BODY = 1_000_000
_IDS_BODY = 5_000_000


class _Static(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        # The modules import each other by plain names: a browser asks each time whether they are still the same.
        response.headers["cache-control"] = "no-cache"
        return response


router = APIRouter(prefix="/portal", include_in_schema=False)


def install(app: FastAPI, services: Services) -> None:
    settings = services.settings
    pages.install(app)
    oidc.install(app, services)
    app.include_router(router, max_body_size=_SMALL_BODY)
    app.include_router(imports.router(settings))
    for more in (memories.router, review.router):
        app.include_router(more, max_body_size=_ANSWER_BODY)
    for more in (savings.router, audit.router, people.router, groups.router, access.router, account.router):
        app.include_router(more, max_body_size=_SMALL_BODY)
    app.mount("/portal/static", _Static(directory=HERE / "static"), name="static")

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        return RedirectResponse("/portal/")


# Signing in


async def _attempt(request: Request, token: Annotated[str, Query(max_length=200)] = "") -> None:
    if request.method == "POST":
        check_same_origin(request)  # before it counts: another site's page shall not use up the reader's attempts
    if token or request.method == "POST":
        await sign_in_attempt(request)


@router.get("/sign-in", dependencies=[Depends(_attempt)])
def sign_in_page(request: Request, served: Served, token: Annotated[str, Query(max_length=200)] = "") -> Response:
    """A link from the terminal signs in with one click; without a token, the form for an API key."""
    if not token:
        return render(request, served, "sign_in.html", None, by_name=served.people.any())
    try:
        return signed_in(served, served.auth.redeem(token))
    except Unauthenticated:
        served.audit.record("", "sign_in_failed", detail="link")
        return _not_signed_in(request, served, "used_link")


@router.post("/sign-in", dependencies=[Depends(_attempt)])
def sign_in(
    request: Request,
    served: Served,
    key: Annotated[str, Form(max_length=200)] = "",
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
) -> Response:
    """By name and password, or by an API key."""
    check_same_origin(request)
    try:
        if key:
            return signed_in(served, served.auth.sign_in_with_key(key.strip()))
        return signed_in(served, served.auth.sign_in(name, password, address=address.get() or ""))
    except Unauthenticated as error:
        # The name as it was tried; never the key, nor the password.
        served.audit.record("" if key else name, "sign_in_failed", detail="key" if key else error.code)
        return _not_signed_in(request, served, "wrong_key" if key else error.code, name=name)


@router.post("/sign-out")
def sign_out(request: Request, served: Served) -> Response:
    check_same_origin(request)
    cookie = request.cookies.get(SESSION_COOKIE, "")
    # Whose session has ended by itself signs out of nothing.
    with suppress(Unauthenticated):
        served.audit.record(served.auth.of_session(cookie), "sign_out")
    served.auth.close_session(cookie)
    response = RedirectResponse("/portal/sign-in", status_code=303)
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.post("/language")
def language(
    request: Request,
    chosen: Annotated[str, Form(max_length=2)],
    back: Annotated[str, Form(max_length=2000)] = "/portal/",
) -> Response:
    check_same_origin(request)
    response = RedirectResponse(back if back.startswith("/portal/") else "/portal/", status_code=303)
    if chosen in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=31_536_000, samesite="lax", httponly=True)
    return response


# Asking


@router.get("/")
def home(
    request: Request, served: Served, principal: Asker, conversation: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """A conversation has an address, so that it is still there when its reader comes back from a document."""
    with served.db.read() as session:
        found = turns.of_conversation(session, conversation, principal) if conversation else []
    empty = not served.documents.counts(principal.readable)
    return render(
        request, served, "home.html", principal, turns=found, conversation=conversation if found else "", empty=empty
    )


@router.get("/answers/{answer_id}")
def answer(request: Request, served: Served, principal: Asker, answer_id: str) -> Response:
    """A fragment: the turn, in place of the text that was streamed."""
    with served.db.read() as session:
        turn = turns.of_answer(session, answer_id, principal)
    return render(request, served, "_turn.html", principal, turn=turn)


@router.post("/answers/{answer_id}/feedback", max_body_size=_ANSWER_BODY)
def give_feedback(
    request: Request,
    served: Served,
    principal: Asker,
    answer_id: str,
    verdict: Annotated[Verdict, Form()],
    correction: Annotated[str, Form(max_length=20_000)] = "",
) -> Response:
    """A fragment: thanks, and after a thumbs-down the form for what the answer should have been."""
    correction = correction.strip()
    chat.feedback(answer_id, chat.FeedbackIn(verdict=verdict, correction=correction or None), served, principal)
    said = "correction" if correction else verdict
    return render(request, served, "_feedback.html", principal, answer_id=answer_id, said=said)


@router.get("/feedback")
def feedback(request: Request, served: Served, principal: Admin) -> Response:
    with served.db.read() as session:
        found = turns.verdicts(session, _VERDICTS_SHOWN)
    return render(request, served, "feedback.html", principal, verdicts=found)


# Documents


@router.get("/documents")
def documents(
    request: Request,
    served: Served,
    principal: Reader,
    collection: str = "",
    status: str = "",
    flagged: bool = False,
    after: str = "",
) -> Response:
    # Counted before the rows are read: what ends in between is looked at once more, not shown as under way for ever.
    under_way = batch.under_way(served.documents.counts(principal.readable))
    found, more = served.documents.page(
        limit=_DOCUMENTS_SHOWN,
        after=after or None,
        collection=collection or None,
        status=status or None,
        flagged=flagged,
        readable=principal.readable,
    )

    def link(**changed: str) -> str:
        asked = {"collection": collection, "status": status, "flagged": "true" if flagged else "", **changed}
        return f"/portal/documents?{urlencode({k: v for k, v in asked.items() if v})}"

    return render(
        request,
        served,
        "documents.html",
        principal,
        found=found,
        more=more,
        collections=list(served.documents.collections(principal.readable).values()),
        editable=_editable(served, principal),
        under_way=under_way,
        collection=collection,
        status_shown=status,
        flagged=flagged,
        after=after,
        link=link,
    )


def _editable(served: Services, principal: Principal) -> list[str] | None:
    """The names of the collections that somebody may upload into; None for all, and for new ones."""
    if principal.editable is None:
        return None
    return [name for i, name in served.documents.collections().items() if i in principal.editable]


class _Sent(BaseModel):
    """What a page sent: see `batch.count`. ids: parted by commas."""

    ids: str = ""
    total: Annotated[int, Field(ge=0)] = 0
    refused: Annotated[int, Field(ge=0)] = 0
    dropped: Annotated[int, Field(ge=0)] = 0

    @property
    def documents(self) -> list[str]:
        return [i for i in self.ids.split(",") if i]

    def count(self, session: Session, reader: Principal) -> batch.Tally:
        return batch.count(
            session, self.documents, reader, total=self.total, refused=self.refused, dropped=self.dropped
        )


@router.post("/uploads", max_body_size=_IDS_BODY)
def tally(request: Request, served: Served, principal: Reader, sent: Annotated[_Sent, Form()]) -> Response:
    """A fragment: how far the files have come that this page sent."""
    with served.db.read() as session:
        counted = sent.count(session, principal)
    return render(request, served, "_tally.html", principal, tally=counted)


@router.post("/uploads/cancel", max_body_size=_IDS_BODY)
def cancel_waiting(request: Request, served: Served, principal: Uploader, sent: Annotated[_Sent, Form()]) -> Response:
    """A fragment: the same, once those that wait are called off."""
    with served.db.write() as session:
        for document_id in batch.cancel_waiting(session, sent.documents, principal):
            served.audit.add(session, principal, "cancel_document", document_id)
        counted = sent.count(session, principal)
    return render(request, served, "_tally.html", principal, tally=counted)


@router.get("/documents/{document_id}")
def document(
    request: Request,
    served: Served,
    principal: Reader,
    document_id: str,
    version: Annotated[int, Query(ge=0)] = 0,
    start: Annotated[int, Query(ge=0)] = 0,
    end: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """The extracted text around a citation, with the quote marked, and for editors what is suspicious.

    version: the one cited; 0 marks nothing.
    """
    view, text = served.documents.text(document_id, principal.readable)
    served.audit.record(principal, "read", document_id, "text")
    if version != view.version:
        start = end = 0  # offsets of another version would mark the wrong words
    end = min(max(start, end), len(text))
    first, last = max(0, start - _WINDOW_CHARS), min(len(text), end + _WINDOW_CHARS)
    # What is suspicious is for those to judge who look after the documents.
    found = served.documents.suspected(document_id, principal.readable) if principal.may(Scope.UPLOAD) else None
    flags = [(f.start, f.end) for p in found.passages for f in Flag.read(p.flags)] if found else []
    return render(
        request,
        served,
        "document.html",
        principal,
        view=view,
        changed=bool(version) and version != view.version,
        cut=(first > 0, last < len(text)),
        pieces=marks.pieces(text, (first, last), (start, end), flags),
        found=found,
        **(access.of_document(served, principal, document_id) if principal.may(Scope.ADMIN) else {}),
    )


def _not_signed_in(request: Request, served: Services, why: str, *, name: str = "") -> Response:
    """name: as it was typed, so that only what was wrong is typed again."""
    problem, by_name = translate(language_of(request, served), why), served.people.any()
    return render(request, served, "sign_in.html", None, problem=problem, status=401, by_name=by_name, name=name)
