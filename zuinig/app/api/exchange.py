"""Memories in and out: JSON lines and CSV, with a dry run that shows what an import would change."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zuinig.app.api import sse
from zuinig.app.api.deps import Curator, Served
from zuinig.app.api.schemas import Name, Question, Text
from zuinig.app.services import Services
from zuinig.core.errors import BadRequest
from zuinig.core.settings import Settings
from zuinig.core.tables import Memory
from zuinig.memory.curate import written
from zuinig.memory.importing import Clash, Imported, Pair
from zuinig.retrieval import shelves

Form = Literal["jsonl", "csv"]

_SHOWN_PROBLEMS = 5
_SHOWN_CLASHES = 1000
_COLUMNS = ("id", "question", "answer", "collection")
# Where a cell may begin and what makes it a formula, with the marks before it. A spreadsheet that parts columns by
# semicolons, as in the Netherlands and Belgium, begins one after each, and after a line end inside our quotes. A dash
# at the start of a line is left alone: there it is a list.
_FORMULA = re.compile(r"((?:^|;) *(?='*[-=+@\t\r])|[\r\n] *(?='*[=+@\t\r]))('*)")


class ImportLine(BaseModel):
    """A line of an import. Other fields are not silently dropped: they are an error."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
    question: Question
    answer: Text
    id: Annotated[str, Field(max_length=200)] | None = None
    collection: Name | None = None


class ClashOut(BaseModel):
    """line: from 1. kind: `answer` (another one stands there), `twice` (in this import), `revived` (was taken out)."""

    line: int
    kind: Literal["answer", "twice", "revived"]
    question: str
    answer: str
    memory_id: str | None
    present_answer: str | None


class ImportOut(BaseModel):
    """conflicts: of a dry run, the first thousand."""

    total: int
    added: int
    updated: int
    unchanged: int
    dry_run: bool = False
    conflicts: list[ClashOut] = []


def router(settings: Settings) -> APIRouter:
    routes = APIRouter(prefix="/v1/memories", tags=["memories"])

    @routes.post(
        "/import",
        max_body_size=settings.max_body_mb * 1_000_000,
        responses=sse.SCHEMA,
        openapi_extra={
            "requestBody": {"content": {"application/x-ndjson": {}, "text/csv": {}}, "required": True},
        },
    )
    def import_lines(
        # The key before the lines: they are worked out in this order.
        served: Served,
        curator: Curator,
        lines: Annotated[list[ImportLine], Depends(_lines)],
        request: Request,
        dry_run: Annotated[bool, Query(description="Write nothing; say what would be done and what clashes.")] = False,
    ) -> ImportOut:
        """JSON lines, or CSV with a header, of question, answer and perhaps id and collection.

        With `Accept: text/event-stream`, `progress` events and then `done`. Nothing is stored where a line is wrong.
        The same `id`, or without one the same question, is updated.
        """
        pairs = as_pairs(served, lines)
        if dry_run:
            done, clashes = served.importing.dry_run(pairs)
            return _out(len(pairs), done, clashes, dry_run=True)
        # Before the lines: an import that is cut off has stored some of them.
        served.audit.record(curator, "memory_import", detail=f"{len(pairs)} lines")
        if "text/event-stream" in request.headers.get("accept", ""):
            response: Any = sse.stream(_progress(served, pairs, curator.name))
            return response  # type: ignore[no-any-return]
        return _out(len(pairs), served.importing.run(pairs, by=curator.name))

    @routes.get("/export", response_class=StreamingResponse)
    def export(
        served: Served, curator: Curator, form: Annotated[Form, Query(alias="format")] = "jsonl"
    ) -> StreamingResponse:
        """What people wrote and is in service, in a form that `import` takes."""
        served.audit.record(curator, "export", "memories", form)
        media = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}[form]
        return StreamingResponse(
            exported(served, form),
            media_type=media,
            headers={"content-disposition": f'attachment; filename="memories.{form}"'},
        )

    return routes


async def _lines(request: Request) -> list[ImportLine]:
    """Raises BadRequest naming the lines that are wrong."""
    is_csv = request.headers.get("content-type", "").startswith("text/csv")
    return parse(await request.body(), "csv" if is_csv else "jsonl")


def parse(data: bytes, form: Form) -> list[ImportLine]:
    """Raises BadRequest naming the lines that are wrong."""
    lines, problems = [], []
    for number, raw in _rows(data, form):
        try:
            line = ImportLine.model_validate(raw) if isinstance(raw, dict) else ImportLine.model_validate_json(raw)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            problems.append(f"line {number}: {where + ': ' if where else ''}{first['msg']}")
            if len(problems) == _SHOWN_PROBLEMS:
                break
        else:
            lines.append(line)
    if problems:
        raise BadRequest("Nothing was imported; mend these lines and send all again. " + "; ".join(problems))
    if not lines:
        raise BadRequest(
            'There are no lines; send JSON lines such as {"question": "...", "answer": "..."}, or CSV with a header.'
        )
    return lines


def _rows(data: bytes, form: Form) -> Iterator[tuple[int, bytes | dict[str, str]]]:
    if form == "jsonl":
        for number, raw in enumerate(data.split(b"\n"), 1):
            if raw.strip():
                yield number, raw
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest("The CSV is not UTF-8; save it as such and send it again.") from error
    # Spreadsheets of the Netherlands and Belgium part columns by semicolons.
    header = text.split("\n", 1)[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=";" if header.count(";") > header.count(",") else ",")
    try:
        for row in rows:
            cells = {str(k).strip().lower(): _plain(v) for k, v in row.items() if v not in (None, "", [])}
            if cells:
                yield rows.line_num, cells
    except csv.Error as error:
        raise BadRequest(f"The CSV cannot be read near line {rows.line_num}: {error}.") from error


def _plain(cell: str | list[str]) -> str:
    """Without the marks that `harmless` puts before what a spreadsheet would take for a formula."""
    text = cell if isinstance(cell, str) else " ".join(cell)
    return _FORMULA.sub(lambda m: m[1] + m[2][1:], text)


def harmless(text: str) -> str:
    """A cell that a spreadsheet shows and does not work out."""
    return _FORMULA.sub(r"\1\2'", text)


def as_pairs(served: Services, lines: Sequence[ImportLine]) -> list[Pair]:
    """Raises NotFound for a collection that is not there."""
    scopes = {name: served.search.scope_for(name) for name in {x.collection for x in lines if x.collection}}
    return [Pair(x.question, x.answer, x.id, scopes[x.collection] if x.collection else "") for x in lines]


def _progress(served: Services, pairs: list[Pair], by: str) -> Iterator[str]:
    done = Imported(0, 0, 0)
    for at in range(0, len(pairs), 1024):
        done += served.importing.run(pairs[at : at + 1024], by=by)
        yield sse.event("progress", {"done": min(at + 1024, len(pairs)), "total": len(pairs)})
    yield sse.event("done", _out(len(pairs), done).model_dump())


def _out(total: int, done: Imported, clashes: Iterable[Clash] = (), *, dry_run: bool = False) -> ImportOut:
    conflicts = [
        ClashOut(**asdict(c) | {"memory_id": f"mem_{c.memory_id}" if c.memory_id is not None else None})
        for c in list(clashes)[:_SHOWN_CLASHES]
    ]
    return ImportOut(**asdict(done), total=total, dry_run=dry_run, conflicts=conflicts)


def exported(served: Services, form: Form) -> Iterator[str]:
    """Lines that `parse` takes; ids and collections where there are any."""
    with served.db.read() as session:
        names = {str(i): name for i, name in shelves.names(session).items()}
        if form == "csv":
            yield csv_row(_COLUMNS)
        for memory in written(session):
            line = _line(memory, names)
            yield csv_row([harmless(line.get(c) or "") for c in _COLUMNS]) if form == "csv" else _json(line)


def _line(m: Memory, collections: Mapping[str, str]) -> dict[str, str | None]:
    return {"id": m.external_id, "question": m.question, "answer": m.answer, "collection": collections.get(m.scope)}


def _json(line: Mapping[str, str | None]) -> str:
    return json.dumps({name: value for name, value in line.items() if value is not None}, ensure_ascii=False) + "\n"


def csv_row(cells: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()
