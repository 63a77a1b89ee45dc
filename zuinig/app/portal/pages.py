"""What every page needs: its reader, the reader's language, and errors that a person can read."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from zuinig.app import rights
from zuinig.app.api.deps import SESSION_COOKIE
from zuinig.app.documents import DocumentView
from zuinig.app.portal import curation, turns
from zuinig.app.portal.words import LANGUAGES, counted, named, reasons, refused, told, translate
from zuinig.app.services import Services
from zuinig.core.errors import Unauthenticated, ZuinigError
from zuinig.core.types import Principal, Scope

HERE = Path(__file__).parent
LANGUAGE_COOKIE = "zuinig_language"

Handler = Callable[[Request, Any], Response]

templates = Jinja2Templates(HERE / "templates")


class Listing(BaseModel):
    """What a list was asked for; as an address by `link`. address: the list's own. after: the last row of the page
    before.
    """

    address: ClassVar[str]
    after: Annotated[str, Field(max_length=30)] = ""

    def link(self, **changed: str) -> str:
        said = self.model_dump(mode="json", exclude={"after"})
        asked = {k: v for k, v in {**said, "after": self.after, **changed}.items() if v}
        return f"{self.address}?{urlencode(asked)}" if asked else self.address


def install(app: FastAPI) -> None:
    """A person who opens a page gets a page, also where a program gets application/problem+json."""
    for kind in (ZuinigError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _on_pages(cast(Handler, app.exception_handlers[kind])))


def _on_pages(handle: Handler) -> Handler:
    def answer(request: Request, error: Exception) -> Response:
        if not request.url.path.startswith("/portal/"):
            return handle(request, error)
        served: Services = request.app.state.services
        language, partial = language_of(request, served), "hx-request" in request.headers
        if partial and isinstance(error, ZuinigError):
            error.message = told(language, error)
        for_programs = handle(request, error)
        if partial:
            return for_programs
        if isinstance(error, Unauthenticated):
            return RedirectResponse("/portal/sign-in", status_code=303)
        status = for_programs.status_code
        problem = told(language, error) if isinstance(error, ZuinigError) else refused(language, status)
        # What failed on a page may well fail again on what is shown around it.
        reader = _reader(request, served) if status < 500 else None
        page = render(request, served, "problem.html", reader, problem=problem, status=status)
        kept = {k: v for k, v in for_programs.headers.items() if k not in ("content-type", "content-length")}
        page.headers.update(kept)
        return page

    return answer


def language_of(request: Request, served: Services) -> str:
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    for part in request.headers.get("accept-language", "").lower().split(","):
        if part.strip()[:2] in LANGUAGES:
            return part.strip()[:2]
    return served.settings.language


def render(
    request: Request,
    served: Services,
    template: str,
    principal: Principal | None,
    *,
    problem: str = "",
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    language = language_of(request, served)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return templates.TemplateResponse(
        request,
        template,
        {
            "t": lambda key: translate(language, key),
            "counted": lambda key, n, **more: counted(language, key, n, **more),
            "named": lambda group, name: named(language, group, name),
            "parts": turns.parts,
            "reasons": reasons(language),
            "language": language,
            "here": here if principal else "/portal/",
            "principal": principal,
            "may": {scope.value: principal is not None and principal.may(scope) for scope in Scope},
            "may_change": lambda view: principal is not None and _may_change(principal, view),
            "due": curation.due,
            "state": curation.state,
            "waiting": lambda: curation.waiting(served),
            "by_provider": served.settings.oidc_label if served.settings.oidc_issuer is not None else "",
            "currency": served.settings.currency,
            "problem": problem,
            **values,
        },
        status_code=status,
    )


def signed_in(served: Services, session: str, response: Response | None = None) -> Response:
    """The response, to the portal if left out, with the session in a cookie that no script reads and no other site
    sends along.
    """
    served.audit.record(served.auth.of_session(session), "sign_in")
    response = response or RedirectResponse("/portal/", status_code=303)
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=int(served.settings.session_hours * 3600),
        httponly=True,
        samesite="lax",
        secure=served.settings.secure_cookies,
    )
    return response


def go(path: str) -> Response:
    """To another page, after what htmx sent was done."""
    return Response(status_code=204, headers={"hx-redirect": path})


def _may_change(principal: Principal, view: DocumentView) -> bool:
    return principal.may(Scope.UPLOAD) and rights.may_edit(principal, view.collection_id)


def _reader(request: Request, served: Services) -> Principal | None:
    """Of a session alone: a guess at an API key is told nothing here, where guesses are not counted."""
    try:
        return served.auth.of_session(request.cookies.get(SESSION_COOKIE, ""))
    except ZuinigError:
        return None
