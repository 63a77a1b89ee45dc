"""One upload on its way: read, split, embed, and then the swap in a single transaction."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import PurePosixPath

import numpy as np
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from zuinig.core.db import Database, in_parts
from zuinig.core.errors import DocumentError
from zuinig.core.tables import Document, DocumentVersion, Passage, now
from zuinig.core.types import DocumentStatus, Flag, Parsed
from zuinig.ingestion.files import Files
from zuinig.ingestion.parse import Cancelled, Parser
from zuinig.ingestion.queue import Claim, LeaseLost, Queue
from zuinig.ingestion.split import Draft, SplitText, split
from zuinig.ingestion.suspicion import Suspicion, suspicion_of
from zuinig.ingestion.upload import remove_passages, remove_unused
from zuinig.retrieval import lexical
from zuinig.retrieval.embed import Embedder, Vectors
from zuinig.retrieval.index import changed

log = structlog.get_logger()

_REPORT_EVERY_S = 0.5
_EMBED_AT_ONCE = 64

# Called before a swap with the vectors of the passages that are new; what it returns, in the swap's transaction.
Foresee = Callable[[Vectors], Callable[[Session, str, int], None]]


class Pipeline:
    def __init__(
        self,
        db: Database,
        files: Files,
        queue: Queue,
        embedder: Embedder,
        *,
        size: int,
        overlap: int,
        foresee: Foresee,
    ) -> None:
        self._db, self._files, self._queue, self._embedder = db, files, queue, embedder
        self._size, self._overlap, self._foresee = size, overlap, foresee

    def run(self, claim: Claim, parser: Parser) -> None:
        """Work one claim to its end: ready, or failed with a reason. What was cancelled meanwhile is dropped."""
        started = time.perf_counter()
        try:
            parsed, label = self._parse(claim, parser)
            title = _title(parsed, claim.filename)
            pieces = split(parsed, title, self._embedder.count_tokens, size=self._size, overlap=self._overlap)
            if not pieces.passages:
                raise DocumentError("No text was found in this file.", code="empty")
            vectors = self._embed(claim, pieces.passages)
            suspicion = suspicion_of(pieces.passages, parsed.hidden)
            swapped = self._foresee(vectors[self._new_to(claim.document_id, pieces.passages)])
            replaced = self._swap(claim, title, label, pieces, vectors, suspicion, _pages(parsed), swapped)
        except (LeaseLost, Cancelled):
            log.info("document.dropped", document=claim.document_id)
        except DocumentError as error:
            self._fail(claim, error.code, error.message)
        except Exception:  # the worker lives on whatever one document does
            log.exception("document.crashed", document=claim.document_id)
            self._fail(claim, "internal_error", "Zuinig failed on this file; the service's log says why. Try it again.")
        else:
            remove_unused(self._db, self._files, replaced)
            seconds = round(time.perf_counter() - started, 3)
            log.info("document.ready", document=claim.document_id, passages=len(pieces.passages), seconds=seconds)

    def _fail(self, claim: Claim, code: str, reason: str) -> None:
        log.info("document.failed", document=claim.document_id, code=code)
        with suppress(LeaseLost):
            self._queue.failed(claim, code, reason)

    def _parse(self, claim: Claim, parser: Parser) -> tuple[Parsed, str]:
        sign = _SignOfLife(self._queue, claim)
        found = parser.parse(self._files.path(claim.sha256), claim.filename, cancel=sign.lost)
        return found.parsed, found.label

    def _embed(self, claim: Claim, drafts: Sequence[Draft]) -> Vectors:
        """float32 (n, d). A passage whose embedded text has a vector already keeps it."""
        known = self._known([self._embed_hash(d) for d in drafts])
        vectors = np.empty((len(drafts), self._embedder.dimension), np.float32)
        missing = []
        for i, draft in enumerate(drafts):
            if (vector := known.get(self._embed_hash(draft))) is not None:
                vectors[i] = vector
            else:
                missing.append(i)
        done, reported = len(drafts) - len(missing), 0.0
        # Longest first overall, so that a batch is of one length across the whole document.
        missing.sort(key=lambda i: -drafts[i].tokens)
        for at in range(0, len(missing), _EMBED_AT_ONCE):
            if time.monotonic() - reported > _REPORT_EVERY_S:
                self._queue.report(claim, DocumentStatus.EMBEDDING, done=done, total=len(drafts))
                reported = time.monotonic()
            batch = missing[at : at + _EMBED_AT_ONCE]
            vectors[batch] = self._embedder.embed([drafts[i].embedded for i in batch])
            done += len(batch)
        return vectors

    def _embed_hash(self, draft: Draft) -> str:
        return hashlib.sha256(f"{self._embedder.id}\0{draft.embedded}".encode()).hexdigest()

    def _known(self, hashes: Sequence[str]) -> dict[str, Vectors]:
        found: dict[str, Vectors] = {}
        with self._db.read() as session:
            for part in in_parts(hashes):
                rows = session.execute(
                    sa.select(Passage.embed_hash, Passage.vector).where(Passage.embed_hash.in_(part))
                )
                found.update({h: np.frombuffer(v, np.float32) for h, v in rows})
        return found

    def _new_to(self, document_id: str, drafts: Sequence[Draft]) -> list[int]:
        """Which of the passages the document's live version does not hold."""
        with self._db.read() as session:
            held = set(
                session.scalars(
                    sa.select(Passage.content_hash)
                    .join(DocumentVersion, DocumentVersion.id == Passage.version_id)
                    .where(DocumentVersion.document_id == document_id, DocumentVersion.live)
                )
            )
        return [n for n, draft in enumerate(drafts) if draft.content_hash not in held]

    def _swap(
        self,
        claim: Claim,
        title: str,
        label: str,
        pieces: SplitText,
        vectors: Vectors,
        suspicion: Suspicion,
        pages: int | None,
        swapped: Callable[[Session, str, int], None],
    ) -> set[str]:
        """New passages in, old ones out, memories told: a reader sees the one version or the other.

        Returns the hashes of the files that may not be needed any more.
        """
        with self._db.write() as session:
            version = self._queue.held(session, claim)
            document = session.get_one(Document, claim.document_id)
            old = session.scalar(
                sa.select(DocumentVersion).where(DocumentVersion.document_id == document.id, DocumentVersion.live)
            )
            if old is not None:
                remove_passages(session, old.id)
                old.live, old.text, old.status = False, None, DocumentStatus.RETIRED
                session.flush()
            self._insert(session, document, version, pieces.passages, vectors, suspicion.flags)
            version.flagged, version.hidden = suspicion.count, suspicion.hidden
            version.live, version.status = True, DocumentStatus.READY
            version.text, version.media_type, version.pages = pieces.text, label, pages
            version.embedder = self._embedder.id
            version.passages_done = version.passages_total = len(pieces.passages)
            version.leased_by = version.lease_until = None
            version.ended_at = document.updated_at = now()
            document.title, document.filename = title, version.filename
            session.flush()
            swapped(session, document.id, version.id)
        return {old.sha256} if old is not None else set()

    def _insert(
        self,
        session: Session,
        document: Document,
        version: DocumentVersion,
        drafts: Sequence[Draft],
        vectors: Vectors,
        flags: Sequence[tuple[Flag, ...]],
    ) -> None:
        rows = [
            {
                "version_id": version.id,
                "ordinal": n,
                "text": d.text,
                "context": d.context,
                "page": d.page,
                "start": d.start,
                "end": d.end,
                "tokens": d.tokens,
                "content_hash": d.content_hash,
                "embed_hash": self._embed_hash(d),
                "vector": vectors[n].tobytes(),
                "flags": [asdict(f) for f in flags[n]] or None,
            }
            for n, d in enumerate(drafts)
        ]
        session.execute(sa.insert(Passage), rows)
        ids = session.scalars(
            sa.select(Passage.id).where(Passage.version_id == version.id).order_by(Passage.ordinal)
        ).all()
        shelf = document.shelf_id
        lexical.add(session, [(i, shelf, d.context, d.text) for i, d in zip(ids, drafts, strict=True)])
        changed(session, "passages", ids, added=True)


class _SignOfLife:
    """Polled while a file is read: renews the lease now and then, and says when it is lost."""

    def __init__(self, queue: Queue, claim: Claim) -> None:
        self._queue, self._claim, self._next = queue, claim, time.monotonic() + 1.0

    def lost(self) -> bool:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 1.0
            try:
                self._queue.renew(self._claim)
            except LeaseLost:
                return True
        return False


class Worker:
    """A thread that claims and works until it is stopped. Each has a parser, and so a child process, of its own."""

    def __init__(self, pipeline: Pipeline, queue: Queue, parser: Parser, *, idle_s: float = 0.5) -> None:
        self._pipeline, self._queue, self._parser, self._idle = pipeline, queue, parser, idle_s
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._loop, name="ingest", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        """Finish the document at hand, then end. One that takes too long is taken over by lease at the next start."""
        self._stop.set()
        self._wake.set()
        self._thread.join(10)

    def _loop(self) -> None:
        idle_since = time.monotonic()
        while not self._stop.is_set():
            try:
                claim = self._queue.claim()
            except sa.exc.OperationalError:
                log.exception("queue.unreachable")
                claim = None
            if claim is not None:
                self._pipeline.run(claim, self._parser)
                idle_since = time.monotonic()
                continue
            if time.monotonic() - idle_since > 30:
                self._parser.close()  # an idle service does not hold a parser's memory
            self._wake.wait(self._idle)
            self._wake.clear()
        self._parser.close()


def work_one(pipeline: Pipeline, queue: Queue, parser: Parser) -> bool:
    """Claim a document and work it to its end, in this thread; False where none waits."""
    claim = queue.claim()
    if claim is not None:
        pipeline.run(claim, parser)
    return claim is not None


def _title(parsed: Parsed, filename: str) -> str:
    title = parsed.title or next((b.text for b in parsed.blocks if b.kind == "heading" and b.level == 1), None)
    return " ".join((title or PurePosixPath(filename).stem).split())[:200]


def _pages(parsed: Parsed) -> int | None:
    return max((b.page for b in parsed.blocks if b.page is not None), default=None)
