"""Documents: upload, progress, replace, cancel, try again, delete."""

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import quote

import anyio
from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from zuinig.app.api import sse
from zuinig.app.api.deps import Editor, Reader, Sender, Served
from zuinig.app.api.schemas import DocumentOut, Limit, Name, Page, document_out, page
from zuinig.app.api.uploads import UploadRoute
from zuinig.app.audit import Action
from zuinig.app.documents import Content, DocumentView
from zuinig.app.services import Services
from zuinig.core.errors import BadRequest, NotFound, Unprocessable, ZuinigError
from zuinig.core.settings import Settings
from zuinig.core.tables import Passage
from zuinig.core.types import ENDED, Flag, FlagKind, Principal
from zuinig.ingestion import queue
from zuinig.ingestion.files import clean_path
from zuinig.ingestion.upload import DEFAULT_COLLECTION, Accepted, Outcome

_POLL_S = 0.2
_LONGEST_STREAM_S = 3600


class AcceptedOut(BaseModel):
    id: str
    filename: str
    version: int
    outcome: Outcome


class RejectedOut(BaseModel):
    filename: str
    code: str
    reason: str


class UploadOut(BaseModel):
    accepted: list[AcceptedOut]
    rejected: list[RejectedOut]


class FlagOut(BaseModel):
    """start, end: character offsets in the document's extracted text. heading: a title above the passage is meant."""

    model_config = ConfigDict(from_attributes=True)
    kind: FlagKind
    start: int
    end: int


class PassageOut(BaseModel):
    """start, end: character offsets in the document's extracted text."""

    id: str
    ordinal: int
    text: str
    context: str
    page: int | None
    start: int
    end: int
    tokens: int
    flags: list[FlagOut] = Field(description="What in it seems to speak to a language model.")


class HiddenOut(BaseModel):
    """Text of the file that its reader does not see. It was left out of the passages."""

    model_config = ConfigDict(from_attributes=True)
    how: str
    text: str
    page: int | None
    instruction: bool = Field(description="Whether it seems to speak to a language model.")


class SuspectedOut(BaseModel):
    passages: list[PassageOut]
    hidden: list[HiddenOut]


def download(found: Content) -> FileResponse:
    name = quote(found.filename, safe="")
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
    return FileResponse(found.path, media_type="application/octet-stream", headers=headers)


def router(settings: Settings) -> APIRouter:
    sending = APIRouter(prefix="/v1/documents", tags=["documents"], route_class=UploadRoute)
    large = settings.max_body_mb * 1_000_000

    @sending.post("", status_code=202, max_body_size=large)
    def upload(
        served: Served,
        uploader: Sender,
        files: Annotated[list[UploadFile], File(description="One or more files.")],
        collection: Annotated[Name, Form()] = DEFAULT_COLLECTION,
        paths: Annotated[list[str] | None, Form(description="Relative paths, one per file, for a folder.")] = None,
    ) -> UploadOut:
        """Accepted files are safe on disk. The same bytes again add nothing; the same path is the next version."""
        if paths is not None and len(paths) != len(files):
            raise Unprocessable("paths: as many as there are files, or none.", param="paths")
        served.grants.require_edit(uploader, collection)
        names = paths or [f.filename or "unnamed" for f in files]
        out = UploadOut(accepted=[], rejected=[])
        for file, name in zip(files, names, strict=True):
            shown = clean_path(name)
            try:
                accepted = served.uploads.accept(name, file.file, collection, by=uploader.id)
            except ZuinigError as error:
                out.rejected.append(RejectedOut(filename=shown, code=error.code, reason=error.message))
            else:
                note_upload(served, uploader, accepted, shown)
                out.accepted.append(
                    AcceptedOut(
                        id=accepted.document_id, filename=shown, version=accepted.version, outcome=accepted.outcome
                    )
                )
        served.wake()
        return out

    @sending.put("/{document_id}", status_code=202, max_body_size=large)
    def replace(
        document_id: str, served: Served, editor: Editor, _: Sender, files: Annotated[list[UploadFile], File()]
    ) -> UploadOut:
        """The next version. The one before answers until this one is complete."""
        if len(files) != 1:
            raise BadRequest("Send exactly one file in `files`.", param="files")
        name = files[0].filename or "unnamed"
        accepted = served.uploads.accept(name, files[0].file, DEFAULT_COLLECTION, document_id=document_id)
        note_upload(served, editor, accepted, clean_path(name))
        served.wake()
        done = AcceptedOut(
            id=document_id, filename=clean_path(name), version=accepted.version, outcome=accepted.outcome
        )
        return UploadOut(accepted=[done], rejected=[])

    others = APIRouter(prefix="/v1/documents", tags=["documents"])
    _reading(others)
    _changing(others)
    routes = APIRouter()
    routes.include_router(sending)
    routes.include_router(others)
    return routes


def _reading(routes: APIRouter) -> None:
    @routes.get("")
    def list_documents(
        served: Served,
        reader: Reader,
        limit: Annotated[Limit, Query()] = 20,
        after: str | None = None,
        collection: str | None = None,
        status: str | None = None,
        flagged: Annotated[bool, Query(description="Only documents with something flagged.")] = False,
    ) -> Page[DocumentOut]:
        views, more = served.documents.page(
            limit=limit, after=after, collection=collection, status=status, flagged=flagged, readable=reader.readable
        )
        return Page[DocumentOut](**page([document_out(v) for v in views], more))

    @routes.get("/{document_id}")
    def get(document_id: str, served: Served, reader: Reader) -> DocumentOut:
        return document_out(served.documents.get(document_id, reader.readable))

    @routes.get("/{document_id}/content")
    def content(document_id: str, served: Served, reader: Reader) -> FileResponse:
        """The original file, always as a download: what people upload is never shown as a page of this site."""
        found = served.documents.content(document_id, reader.readable)
        served.audit.record(reader, "read", document_id, "file")
        return download(found)

    @routes.get("/{document_id}/passages")
    def passages(
        document_id: str,
        served: Served,
        reader: Reader,
        limit: Annotated[Limit, Query()] = 100,
        after: Annotated[int, Query(description="Ordinal of the last passage seen.", ge=-1)] = -1,
    ) -> Page[PassageOut]:
        """In the order of the document."""
        rows, more = served.documents.passages(document_id, limit=limit, after=after, readable=reader.readable)
        served.audit.record(reader, "read", document_id, "passages")
        return Page[PassageOut](**page([_passage_out(p) for p in rows], more))

    @routes.get("/{document_id}/flags")
    def flags(document_id: str, served: Served, reader: Reader) -> SuspectedOut:
        """What an editor should look at. Answers that rest on these passages are held until a curator has looked."""
        found = served.documents.suspected(document_id, reader.readable)
        served.audit.record(reader, "read", document_id, "flags")
        return SuspectedOut(
            passages=[_passage_out(p) for p in found.passages],
            hidden=[HiddenOut.model_validate(h) for h in found.hidden],
        )

    @routes.get("/{document_id}/events", responses=sse.SCHEMA, response_class=StreamingResponse)
    def events(document_id: str, served: Served, reader: Reader) -> StreamingResponse:
        """`progress` events while the document is worked on, then one `done`, or one `error` when it is deleted."""
        first = served.documents.get(document_id, reader.readable)

        async def follow() -> AsyncIterator[str]:
            view, shown, until = first, "", time.monotonic() + _LONGEST_STREAM_S
            while time.monotonic() < until:
                data: dict[str, Any] = document_out(view).model_dump(mode="json")
                if view.status in ENDED:
                    yield sse.event("done", data)
                    return
                text = sse.event("progress", data)
                # A comment keeps proxies from closing a quiet stream, and finds out whether anyone still listens.
                yield text if text != shown else ": waiting\n\n"
                shown = text
                await anyio.sleep(_POLL_S)
                view = await run_in_threadpool(_as_of_now, served, document_id, reader)
            raise NotFound("This stream lasted an hour; open it again.", code="stream_ended")

        return sse.stream(follow())


def _as_of_now(served: Services, document_id: str, reader: Principal) -> DocumentView:
    """What the reader may see of it by now. Raises Unauthenticated, NotFound."""
    return served.documents.get(document_id, served.auth.again(reader).readable)


def _passage_out(p: Passage) -> PassageOut:
    return PassageOut(
        id=str(p.id),
        ordinal=p.ordinal,
        text=p.text,
        context=p.context,
        page=p.page,
        start=p.start,
        end=p.end,
        tokens=p.tokens,
        flags=[FlagOut.model_validate(f) for f in Flag.read(p.flags)],
    )


def note_upload(served: Services, who: Principal, accepted: Accepted, name: str) -> None:
    """name: as it is shown."""
    action: Action = "replace" if accepted.outcome == "replaces" else "upload"
    unchanged = " (the same bytes)" if accepted.outcome == "unchanged" else ""
    served.audit.record(who, action, accepted.document_id, f"{name}{unchanged}")


def _changing(routes: APIRouter) -> None:
    @routes.delete("/{document_id}", status_code=204)
    def delete(document_id: str, served: Served, editor: Editor) -> None:
        """Gone from search, index and memory when this returns."""
        served.uploads.delete(document_id)
        served.audit.record(editor, "delete_document", document_id)

    @routes.post("/{document_id}/cancel")
    def cancel(document_id: str, served: Served, editor: Editor) -> DocumentOut:
        with served.db.write() as session:
            queue.cancel(session, document_id)
            served.audit.add(session, editor, "cancel_document", document_id)
        return document_out(served.documents.get(document_id))

    @routes.post("/{document_id}/retry", status_code=202)
    def retry(document_id: str, served: Served, editor: Editor) -> DocumentOut:
        with served.db.write() as session:
            queue.retry(session, document_id)
            served.audit.add(session, editor, "retry_document", document_id)
        served.wake()
        return document_out(served.documents.get(document_id))
