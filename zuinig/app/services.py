"""What the service is made of, put together once."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import langsmith
import structlog
from langchain_core.language_models import BaseChatModel

from zuinig.app import llm as llm_adapters
from zuinig.app import models as own
from zuinig.app.answer import Answers
from zuinig.app.audit import Audit
from zuinig.app.auth import Auth
from zuinig.app.budgets import Budgets
from zuinig.app.chores import Chore
from zuinig.app.documents import Documents
from zuinig.app.export import Export
from zuinig.app.forget import Forget
from zuinig.app.grants import Grants
from zuinig.app.ledger import Ledger
from zuinig.app.llm._call import Model
from zuinig.app.people import People
from zuinig.app.retention import Retention
from zuinig.app.router import Router
from zuinig.app.rungs import Rungs
from zuinig.core import plugins
from zuinig.core.db import Database, migrate
from zuinig.core.errors import ConfigurationError, NotFound
from zuinig.core.settings import Settings
from zuinig.core.tokens import Tokens
from zuinig.ingestion.files import Files
from zuinig.ingestion.parse import Parser
from zuinig.ingestion.pipeline import Pipeline, Worker
from zuinig.ingestion.queue import Queue
from zuinig.ingestion.relook import Relook
from zuinig.ingestion.upload import Uploads, sweep
from zuinig.memory.calibrate import Calibration
from zuinig.memory.curate import Curate
from zuinig.memory.freshness import Freshness, hold_flagged
from zuinig.memory.importing import Importing
from zuinig.memory.recall import Recall
from zuinig.memory.suggest import Suggest
from zuinig.memory.verify import Verifier
from zuinig.retrieval import embed, stores
from zuinig.retrieval.embed import Embedder
from zuinig.retrieval.index import VectorIndex
from zuinig.retrieval.read import Specialist
from zuinig.retrieval.reader import Reader
from zuinig.retrieval.search import Search

log = structlog.get_logger()

_LOOK_AT_MODELS_EVERY_S = 60
_RELOOK_EVERY_S = 10
_LOOK_FOR_EXPIRED_EVERY_S = 3600


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    db: Database
    auth: Auth
    people: People
    grants: Grants
    audit: Audit
    export: Export
    forget: Forget
    retention: Retention
    embedder: Embedder
    tokens: Tokens
    passages: VectorIndex
    memories: VectorIndex
    search: Search
    specialist: Specialist
    wordings: VectorIndex
    verifier: Verifier
    calibration: Calibration
    recall: Recall
    curate: Curate
    importing: Importing
    suggest: Suggest
    uploads: Uploads
    documents: Documents
    queue: Queue
    pipeline: Pipeline
    ledger: Ledger
    budgets: Budgets
    answers: Answers
    workers: tuple[Worker, ...]
    chores: tuple[Chore, ...]

    @property
    def indexes(self) -> tuple[VectorIndex, ...]:
        return self.passages, self.memories, self.wordings

    def start(self) -> None:
        for worker in self.workers:
            worker.start()
        for chore in self.chores:
            chore.start()

    def wake(self) -> None:
        for worker in self.workers:
            worker.wake()

    def stop(self) -> None:
        """Stop the workers, save the indexes, let the database go."""
        for chore in self.chores:
            chore.stop()
        for worker in self.workers:
            worker.stop()
        for index in self.indexes:
            index.save()
        self.close()

    def close(self) -> None:
        """Let the database go. Enough where no worker was started: an index catches up from the log."""
        self.db.close()


def build(settings: Settings, *, llm: BaseChatModel | None = None) -> Services:
    """llm: in place of the client of the model that ZUINIG_LLM names. Raises ConfigurationError."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(f"The data directory {settings.data_dir} cannot be made: {error.strerror}.") from error
    migrate(settings.url)
    db = Database(settings.url)
    embedder = embed.load(own.embedder(settings), threads=settings.embed_threads, batch=settings.embed_batch)
    tokens = Tokens(settings.tokenizer)
    index = partial(
        VectorIndex,
        store=_store(settings),
        codec=settings.vector_codec,
        folder=settings.index_dir,
        embedder=embedder.id,
        dimension=embedder.dimension,
    )
    passages, memories, wordings = index(db, "passages"), index(db, "memories"), index(db, "wordings")
    files = Files(settings.files_dir)
    sweep(db, files)
    search = Search(db, embedder, passages)
    reader = load_reader(settings, own.folder(settings, "reader"))
    specialist = Specialist(reader, wrong_budget=settings.specialist_wrong_budget, passages=settings.reader_passages)
    verifier = Verifier(
        own.folder(settings, "verifier"), threads=settings.embed_threads, timeout_s=settings.verifier_timeout_s
    )
    calibration = Calibration(db, verifier, budget=settings.memory_wrong_budget)
    recall = Recall(db, embedder, memories, wordings, verifier, calibration)
    curate = Curate(db, embedder)
    suggest = Suggest(db, embedder, verifier, calibration, curate)
    freshness = Freshness(db, memories)
    uploads = Uploads(
        db,
        files,
        max_bytes=settings.max_upload_mb * 1_000_000,
        on_delete=freshness.deleted,
        on_move=freshness.moved,
        open_to_all=settings.new_collections == "everyone",
    )
    queue = Queue(db, lease_s=settings.lease_s, max_attempts=settings.max_attempts)
    pipeline = Pipeline(
        db,
        files,
        queue,
        embedder,
        size=settings.passage_tokens,
        overlap=settings.passage_overlap_tokens,
        foresee=freshness.foresee,
    )
    models = _models(settings, llm)
    ledger, budgets, audit = Ledger(settings), Budgets(db), Audit(db, settings)
    router = Router(db, *(m.endpoint for m in models)) if len(models) == 2 else None
    rungs = Rungs(models, router, tokens, settings)
    answers = Answers(db, search, recall, specialist, embedder, tokens, ledger, budgets, rungs, audit)
    every_s = settings.suggest_every_minutes * 60
    follow = partial(follow_models, settings, specialist, verifier)
    retention = Retention(db, uploads, audit, settings)
    gather = Chore("suggestions", lambda: suggest.refresh(answers.covers), every_s=every_s)
    return Services(
        settings=settings,
        db=db,
        auth=Auth(db, settings),
        people=People(db),
        grants=Grants(db, freshness),
        audit=audit,
        export=Export(db),
        forget=Forget(db, audit, calibration),
        retention=retention,
        embedder=embedder,
        tokens=tokens,
        passages=passages,
        memories=memories,
        search=search,
        specialist=specialist,
        wordings=wordings,
        verifier=verifier,
        calibration=calibration,
        recall=recall,
        curate=curate,
        importing=Importing(db, embedder),
        suggest=suggest,
        uploads=uploads,
        documents=Documents(db, files),
        queue=queue,
        pipeline=pipeline,
        ledger=ledger,
        budgets=budgets,
        answers=answers,
        workers=tuple(Worker(pipeline, queue, parser(settings)) for _ in range(settings.ingest_workers)),
        chores=(
            *([gather] if every_s else []),
            *([Chore("retention", retention.run, every_s=_LOOK_FOR_EXPIRED_EVERY_S)] if retention.wanted else []),
            Chore("suspicion", Relook(db, hold_flagged), every_s=_RELOOK_EVERY_S),
            Chore("models", follow, every_s=_LOOK_AT_MODELS_EVERY_S),
        ),
    )


def parser(settings: Settings) -> Parser:
    return Parser(
        timeout_s=settings.parse_timeout_s,
        memory_mb=settings.parse_memory_mb,
        max_text_chars=settings.max_text_chars,
    )


def load_reader(settings: Settings, folder: Path) -> Reader:
    """Raises ConfigurationError."""
    return Reader(folder, threads=settings.embed_threads, limit_s=settings.reader_timeout_ms / 1000)


def follow_models(settings: Settings, specialist: Specialist, verifier: Verifier) -> None:
    """Take over the reader and the verifier that are to be used by now; what cannot be used changes nothing.

    The embedder stays until the next start: its vectors stand in every index.
    """
    try:
        wanted = own.folder(settings, "reader")
        if wanted != specialist.reader.folder:
            specialist.take(load_reader(settings, wanted))
            log.info("model.taken_over", kind="reader", model=specialist.reader.id)
        wanted = own.folder(settings, "verifier")
        if wanted != verifier.folder:
            verifier.take(wanted)
            log.info("model.taken_over", kind="verifier", model=verifier.id)
    except (ConfigurationError, NotFound) as error:
        log.error("model.not_taken_over", reason=error.message)


def _store(settings: Settings) -> ModuleType:
    store = plugins.load(stores, settings.vector_store, setting="ZUINIG_VECTOR_STORE")
    if settings.vector_codec not in store.CODECS:
        raise ConfigurationError(
            f"ZUINIG_VECTOR_CODEC is {settings.vector_codec.value!r}; the store {settings.vector_store!r} keeps only: "
            f"{', '.join(store.CODECS)}."
        )
    return store


def _models(settings: Settings, llm: BaseChatModel | None) -> list[Model]:
    """The small one first. llm: the client of it, which keeps to its own limits."""
    # langchain-core sends questions and answers to LangSmith wherever a shell happens to have LANGSMITH_TRACING set.
    langsmith.configure(enabled=False)
    found = []
    for endpoint in llm_adapters.endpoints(settings):
        if llm is not None and endpoint.rung == "small":
            found.append(Model(endpoint, llm, lambda client, _: client))
            continue
        setting = "ZUINIG_LLM" if endpoint.rung == "small" else "ZUINIG_LLM_LARGE"
        adapter = plugins.load(llm_adapters, endpoint.provider, setting=setting)
        found.append(Model(endpoint, adapter.build(endpoint), adapter.limit))
    return found
