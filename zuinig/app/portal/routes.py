"""The portal: pages rendered here; what changes goes through the HTTP API, with the session's cookie."""

import hashlib
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from zuinig.app.api.deps import SESSION_COOKIE, Served, check_same_origin, who
from zuinig.app.portal.words import LANGUAGES, translate
from zuinig.app.services import Services
from zuinig.core.errors import Unauthenticated
from zuinig.core.settings import Settings
from zuinig.core.types import Principal, Scope

_HERE = Path(__file__).parent
_LANGUAGE_COOKIE = "zuinig_language"
_WINDOW_CHARS = 20_000

router = APIRouter(prefix="/portal", include_in_schema=False)
templates = Jinja2Templates(_HERE / "templates")


def install(app: FastAPI, settings: Settings) -> None:
    app.include_router(router, max_body_size=100_000)
    app.mount("/portal/static", StaticFiles(directory=_HERE / "static"), name="static")

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        return RedirectResponse("/portal/")


@router.get("/sign-in")
def sign_in_page(request: Request, served: Served, token: Annotated[str, Query(max_length=200)] = "") -> Response:
    """A link from the terminal signs in with one click; without a token, the form for an API key."""
    if not token:
        return _page(request, served, "sign_in.html", None)
    try:
        return _signed_in(served, served.auth.redeem(token))
    except Unauthenticated as error:
        return _page(request, served, "sign_in.html", None, problem=error.message, status=401)


@router.post("/sign-in")
def sign_in(request: Request, served: Served, key: Annotated[str, Form(max_length=200)] = "") -> Response:
    check_same_origin(request)
    try:
        return _signed_in(served, served.auth.open_session(key.strip()))
    except Unauthenticated:
        problem = translate(_language(request, served), "wrong_key")
        return _page(request, served, "sign_in.html", None, problem=problem, status=401)


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    check_same_origin(request)
    response = RedirectResponse("/portal/sign-in", status_code=303)
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.post("/language")
def language(request: Request, chosen: Annotated[str, Form(max_length=2)]) -> Response:
    check_same_origin(request)
    response = RedirectResponse("/portal/", status_code=303)
    if chosen in LANGUAGES:
        response.set_cookie(_LANGUAGE_COOKIE, chosen, max_age=31_536_000, samesite="lax", httponly=True)
    return response


@router.get("/")
def home(request: Request, served: Served) -> Response:
    principal = _who(request, served)
    if principal is None:
        return RedirectResponse("/portal/sign-in", status_code=303)
    return _page(request, served, "home.html", principal)


@router.get("/documents")
def documents(request: Request, served: Served) -> Response:
    principal = _who(request, served)
    if principal is None or not principal.may(Scope.READ):
        return RedirectResponse("/portal/sign-in", status_code=303)
    return _page(request, served, "documents.html", principal, collections=served.documents.collections())


@router.get("/documents/{document_id}")
def document(
    request: Request,
    served: Served,
    document_id: str,
    start: Annotated[int, Query(ge=0)] = 0,
    end: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """The extracted text around a citation, with the quote marked."""
    principal = _who(request, served)
    if principal is None or not principal.may(Scope.READ):
        return RedirectResponse("/portal/sign-in", status_code=303)
    view, text = served.documents.text(document_id)
    end = min(max(start, end), len(text))
    first, last = max(0, start - _WINDOW_CHARS), min(len(text), end + _WINDOW_CHARS)
    parts: dict[str, Any] = {"before": text[first:start], "quote": text[start:end], "after": text[end:last]}
    return _page(request, served, "document.html", principal, view=view, cut=(first > 0, last < len(text)), **parts)


@router.get("/savings")
def savings(request: Request, served: Served) -> Response:
    principal = _who(request, served)
    if principal is None or not principal.may(Scope.ADMIN):
        return RedirectResponse("/portal/sign-in", status_code=303)
    rows = {group: served.ledger.summary(group) for group in ("day", "source")}
    return _page(request, served, "savings.html", principal, rows=rows)


def _who(request: Request, served: Services) -> Principal | None:
    try:
        return who(request, served)
    except Unauthenticated:
        return None


def _signed_in(served: Services, session: str) -> Response:
    response = RedirectResponse("/portal/", status_code=303)
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=int(served.settings.session_hours * 3600),
        httponly=True,
        samesite="lax",
        secure=served.settings.secure_cookies,
    )
    return response


def _language(request: Request, served: Services) -> str:
    chosen = request.cookies.get(_LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    for part in request.headers.get("accept-language", "").lower().split(","):
        if part.strip()[:2] in LANGUAGES:
            return part.strip()[:2]
    return served.settings.language


def _page(
    request: Request,
    served: Services,
    template: str,
    principal: Principal | None,
    *,
    problem: str = "",
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    language = _language(request, served)
    return templates.TemplateResponse(
        request,
        template,
        {
            "t": lambda key: translate(language, key),
            "language": language,
            "principal": principal,
            "may": {scope.value: principal is not None and principal.may(scope) for scope in Scope},
            "currency": served.settings.currency,
            "version": _version(),
            "problem": problem,
            **values,
        },
        status_code=status,
    )


def _version() -> str:
    """Of the assets: a browser may keep them until they change."""
    digest = hashlib.sha256()
    for path in sorted((_HERE / "static").iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
