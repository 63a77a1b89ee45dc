"""The audit log, for admins: the newest rows, and all of them as a file."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict

from zuinig.app.api import exchange
from zuinig.app.api.deps import Admin, Served
from zuinig.app.api.schemas import Limit, Page, page
from zuinig.app.audit import Action, Audit, Wanted
from zuinig.core.errors import BadRequest
from zuinig.core.tables import AuditEvent

_COLUMNS = ("id", "at", "actor_id", "actor", "action", "target", "detail", "address")
_MEDIA: dict[exchange.Form, str] = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}


class EventOut(BaseModel):
    """actor: as it was called then; actor_id: null for the service, the command line and who did not get in.
    target: the id of what it was done to. address: of the client, or of the proxy before it.
    """

    model_config = ConfigDict(from_attributes=True, coerce_numbers_to_str=True)
    id: str
    at: datetime
    actor_id: str | None
    actor: str
    action: str
    target: str | None
    detail: str | None
    address: str | None


router = APIRouter(prefix="/v1/audit", tags=["audit"])

Actor = Annotated[str | None, Query(max_length=200, description="A name, or the id of a user or key.")]


@router.get("")
def events(
    served: Served,
    _: Admin,
    limit: Annotated[Limit, Query()] = 20,
    after: str | None = None,
    actor: Actor = None,
    action: Action | None = None,
    since: AwareDatetime | None = None,
    until: Annotated[AwareDatetime | None, Query(description="The moment after the last.")] = None,
) -> Page[EventOut]:
    """Newest first."""
    rows, more = served.audit.page(Wanted(actor, action, since, until), limit=limit, after=_number(after))
    return Page[EventOut](**page([EventOut.model_validate(row) for row in rows], more))


@router.get("/export", response_class=StreamingResponse)
def export(
    served: Served,
    admin: Admin,
    form: Annotated[exchange.Form, Query(alias="format")] = "jsonl",
    actor: Actor = None,
    action: Action | None = None,
    since: AwareDatetime | None = None,
    until: Annotated[AwareDatetime | None, Query(description="The moment after the last.")] = None,
) -> StreamingResponse:
    """Oldest first, this export among them."""
    served.audit.record(admin, "export", "audit", form)
    return StreamingResponse(
        exported(served.audit, form, Wanted(actor, action, since, until)),
        media_type=_MEDIA[form],
        headers={"content-disposition": f'attachment; filename="audit.{form}"'},
    )


def exported(audit: Audit, form: exchange.Form, wanted: Wanted) -> Iterator[str]:
    """Lines; CSV with a header, and with nothing in it that a spreadsheet would take for a formula."""
    if form == "csv":
        yield exchange.csv_row(_COLUMNS)
    for row in audit.all(wanted):
        cells = _cells(row)
        if form == "jsonl":
            yield json.dumps(cells, ensure_ascii=False) + "\n"
        else:
            yield exchange.csv_row([exchange.harmless(cell or "") for cell in cells.values()])


def _cells(row: AuditEvent) -> dict[str, str | None]:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return {**values, "id": str(row.id), "at": row.at.isoformat()}


def _number(after: str | None) -> int | None:
    """Raises BadRequest for what is no id of a row."""
    if after is None:
        return None
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise BadRequest("`after` is the id of the last row seen.", param="after")
    return int(after)
