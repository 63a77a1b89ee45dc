"""Routes that take files: who sends is asked before the first byte is kept, and how many files is limited."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from zuinig.app.api.deps import identified
from zuinig.app.rights import require
from zuinig.app.services import Services
from zuinig.core.errors import TooLarge
from zuinig.core.types import Scope

_OTHER_FIELDS = 10  # beside a path for each file


class UploadRoute(APIRoute):
    """FastAPI reads and spools a whole form before it asks any dependency: a gigabyte, of anybody."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]  # its coroutine
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            services: Services = request.app.state.services
            require(await identified(request, services), Scope.UPLOAD)
            await _read_form(request, services.settings.max_files_per_upload)
            return await handle(request)

        return guarded


async def _read_form(request: Request, most: int) -> Any:
    """The request keeps it. Raises TooLarge, HTTPException; then nothing of it is kept."""
    try:
        return await request.form(max_files=most, max_fields=most + _OTHER_FIELDS)
    except HTTPException as error:
        if not error.detail.startswith("Too many"):  # how Starlette tells its limits from what is malformed
            raise
        raise TooLarge(f"At most {most} files go into one upload; send the rest in another.") from error
