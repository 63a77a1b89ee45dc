"""For whoever runs the service: alive, ready, measured."""

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from zuinig.app.api.deps import Reader, Served
from zuinig.app.metrics import Metrics
from zuinig.core.errors import Forbidden, NotReady

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str = "ok"


@router.get("/healthz")
def healthz() -> Health:
    """The process lives."""
    return Health()


@router.get("/readyz")
def readyz(served: Served) -> Health:
    """Questions can be answered: the database reads."""
    try:
        with served.db.read() as session:
            session.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError as error:
        raise NotReady("The database does not answer; the service's log says why.") from error
    return Health()


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(served: Served, reader: Reader, request: Request) -> Response:
    """Prometheus text; scrape it with a key of scope read, of no person. Totals tell of what not all may read."""
    if reader.readable is not None:
        raise Forbidden("The totals are for who may read everything.")
    found: Metrics = request.app.state.metrics
    vectors = {"passages": served.passages.count(), "memories": served.memories.count()}
    used: dict[tuple[str, str, str], float] = {(b.id, b.subject, b.period): b.share for b in served.budgets.all()}
    return Response(found.render(served.documents.counts(), vectors, used), media_type="text/plain; version=0.0.4")
