"""The HTTP application, put together from the services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import zuinig
from zuinig.app.api import (
    audit,
    budgets,
    chat,
    documents,
    errors,
    exchange,
    grants,
    health,
    ledger,
    memories,
    openai,
    people,
    personal,
    search,
    suggestions,
)
from zuinig.app.api.middleware import Around
from zuinig.app.api.turn import QuestionPool
from zuinig.app.limits import Limits
from zuinig.app.metrics import Metrics
from zuinig.app.portal import routes as portal
from zuinig.app.services import Services

_SMALL_BODY = 1_000_000


def create_app(services: Services) -> FastAPI:
    """The services are started with the application and closed with it. Raises ConfigurationError."""
    settings = services.settings
    limits = Limits(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.request_threads
        services.start()
        yield
        await limits.close()
        await anyio.to_thread.run_sync(services.stop)

    app = FastAPI(
        title="Zuinig",
        version=zuinig.__version__,
        description=zuinig.__doc__ or "",
        docs_url=None,  # their pages load scripts from another origin
        redoc_url=None,
        responses=errors.SCHEMA,
        lifespan=lifespan,
    )
    app.state.services = services
    app.state.metrics = Metrics()
    app.state.limits = limits
    app.state.questions = QuestionPool(settings, app.state.metrics)
    errors.install(app)
    app.add_middleware(Around, settings=settings, metrics=app.state.metrics)
    # Here and not in the server, which by itself believes whatever is on this machine.
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.proxies)
    # Not app-wide: that limit would answer outside of Around, without a request id.
    for factory in (documents.router, exchange.router, openai.router):
        app.include_router(factory(settings), max_body_size=_SMALL_BODY)
    for module in (chat, search, memories, suggestions, ledger, budgets, people, personal, grants, audit, health):
        app.include_router(module.router, max_body_size=_SMALL_BODY)
    portal.install(app, services)
    return app
