"""Importing memories from the portal: a dry run that shows what would change. The import itself is the API's."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from zuinig.app.api import exchange
from zuinig.app.api.deps import Curator, Served
from zuinig.app.portal.pages import render
from zuinig.core.errors import BadRequest
from zuinig.core.settings import Settings

_CLASHES_SHOWN = 200
_MEDIA: dict[exchange.Form, str] = {"csv": "text/csv", "jsonl": "application/x-ndjson"}


def router(settings: Settings) -> APIRouter:
    routes = APIRouter(prefix="/portal/memories", include_in_schema=False)

    @routes.post("/import", max_body_size=settings.max_body_mb * 1_000_000)
    def dry_run(
        request: Request,
        served: Served,
        # The key before the file: they are worked out in this order.
        principal: Curator,
        data: Annotated[bytes, Depends(_sent)],
    ) -> Response:
        """A fragment: what the import of the file would do, and what somebody should look at before."""
        form: exchange.Form = "jsonl" if data.lstrip()[:1] == b"{" else "csv"
        pairs = exchange.as_pairs(served, exchange.parse(data, form))
        counts, clashes = served.importing.dry_run(pairs)
        return render(
            request,
            served,
            "_import.html",
            principal,
            media=_MEDIA[form],
            total=len(pairs),
            counts=counts,
            clashes=clashes[:_CLASHES_SHOWN],
            more=max(0, len(clashes) - _CLASHES_SHOWN),
        )

    return routes


async def _sent(request: Request) -> bytes:
    """Raises BadRequest where no file was sent."""
    async with request.form(max_files=1) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise BadRequest("Choose a file of questions and answers.", param="file")
        return await file.read()
