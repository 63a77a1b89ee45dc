"""To the identity provider and back. What was asked of it waits in a signed cookie of its own, for ten minutes."""

import secrets

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from zuinig.app import oidc
from zuinig.app.api.deps import sign_in_attempt
from zuinig.app.portal.pages import language_of, render, signed_in
from zuinig.app.portal.words import told
from zuinig.app.services import Services
from zuinig.core.errors import ZuinigError

PATH = "/portal/oidc"
_MINUTES = 10


def install(app: FastAPI, services: Services) -> None:
    """Where a provider is configured. Raises ConfigurationError."""
    settings = services.settings
    if settings.oidc_issuer is None:
        return
    provider = oidc.Provider(settings)
    callback = f"{settings.base_url}{PATH}/callback"

    async def begin(request: Request) -> Response:
        try:
            await sign_in_attempt(request)
            return await provider.begin(request, callback)
        except ZuinigError as error:
            return _refused(request, services, error)

    async def finish(request: Request) -> Response:
        name = ""
        try:
            await sign_in_attempt(request)
        except ZuinigError as error:
            return _refused(request, services, error)
        try:
            claims = await provider.finish(request)
            name = claims.name
            user_id = await run_in_threadpool(oidc.known, services.db, settings, claims)
            token = await run_in_threadpool(services.auth.open_for, user_id)
        except ZuinigError as error:
            await run_in_threadpool(services.audit.record, name, "sign_in_failed", detail=error.code)
            return _refused(request, services, error)
        finally:
            request.session.clear()
        return await run_in_threadpool(signed_in, services, token)

    state = Middleware(
        SessionMiddleware,
        # Begun before a restart, it is begun again.
        secret_key=secrets.token_urlsafe(32),
        session_cookie="zuinig_oidc",
        max_age=_MINUTES * 60,
        path=PATH,
        same_site="lax",
        https_only=settings.secure_cookies,
    )
    routes = [Route("/sign-in", begin), Route("/callback", finish)]
    app.router.routes.append(Mount(PATH, routes=routes, middleware=[state], name="oidc"))


def _refused(request: Request, services: Services, error: ZuinigError) -> Response:
    return render(
        request,
        services,
        "sign_in.html",
        None,
        problem=told(language_of(request, services), error),
        status=error.status,
        by_name=services.people.any(),
    )
