"""serve, worker, reindex, doctor."""

import shutil
import signal
import sqlite3
import threading
from functools import partial
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.markup import escape

import zuinig
from zuinig.app import logs
from zuinig.app.audit import COMMAND_LINE
from zuinig.app.cli._shared import err, out, services
from zuinig.app.cli.ingesting import note
from zuinig.app.services import Services, build
from zuinig.core import settings
from zuinig.core.db import schema_differences
from zuinig.core.errors import ZuinigError
from zuinig.core.tables import DocumentVersion
from zuinig.ingestion.sync import sync
from zuinig.retrieval.reindex import reindex, waiting


def register(app: typer.Typer) -> None:
    app.command()(serve)
    app.command()(worker)
    app.command("reindex")(reindex_command)
    app.command()(doctor)


def serve(
    sample: Annotated[Path | None, typer.Option(help="Also ingest this folder, into the collection `samples`.")] = None,
) -> None:
    """Start the service and print a sign-in link."""
    import uvicorn  # noqa: PLC0415  # the other commands need no server

    from zuinig.app import server  # noqa: PLC0415
    from zuinig.app.main import create_app  # noqa: PLC0415

    loaded = settings.load()
    loaded.check_exposure()
    logs.configure(loaded)
    built = build(loaded)
    built.auth.ensure_admin_key()
    if sample is not None:
        sync(built.db, built.uploads, [sample], "samples", prune=False, progress=partial(note, built.audit))
    _warn(built)
    application = create_app(built)  # what cannot be served is said before an address is
    out.print(f"Zuinig listens on {loaded.base_url}. Sign in to the portal with this link, good once:", soft_wrap=True)
    link = built.auth.sign_in_link()
    built.audit.record(COMMAND_LINE, "sign_in_link")
    out.print(link, soft_wrap=True, highlight=False, markup=False)
    out.print(f"The admin key for the API is in {loaded.data_dir / 'admin.key'}.", soft_wrap=True, highlight=False)
    server.allow_open_files()
    uvicorn.run(
        application,
        http=server.protocol(loaded.receive_timeout_s),
        host=loaded.host,
        port=loaded.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application has them read, from proxies that the settings name
        timeout_graceful_shutdown=10,
    )


def worker() -> None:
    """Read queued documents, beside a service with ZUINIG_INGEST_WORKERS=0 or to help one along."""
    loaded = settings.load()
    logs.configure(loaded)
    built = build(loaded)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    built.start()
    out.print(f"Working on {loaded.data_dir}; end with Ctrl-C.", soft_wrap=True)
    stop.wait()
    built.stop()


def reindex_command() -> None:
    """Make every index anew from the database; vectors too, where another embedder made them."""
    with services() as built:
        with err.status("Reindexing") as status:
            done = reindex(
                built.db,
                built.embedder,
                built.indexes,
                progress=lambda n, total: status.update(f"Embedding {n} of {total}"),
            )
        out.print(
            f"Embedded {done.embedded} texts anew; indexed are {built.passages.count()} passages and "
            f"{built.memories.count()} memories."
        )


def doctor() -> None:
    """Check settings, database, indexes, models and disk; exit code 1 where something needs a hand."""
    problems = 0
    loaded = settings.load()
    with services() as built:
        for name, problem, shown in _checks(built, loaded):
            problems += problem is not None
            mark = "[green]ok[/]" if problem is None else "[red]!![/]"
            out.print(f"{mark}  {name}: {escape(problem or shown)}", soft_wrap=True, highlight=False)
    raise typer.Exit(1 if problems else 0)


def _checks(built: Services, loaded: settings.Settings) -> list[tuple[str, str | None, str]]:
    """(what, the problem or None, what to show when there is none)."""
    checks: list[tuple[str, str | None, str]] = []
    try:
        loaded.check_exposure()
        checks.append(("address", None, loaded.base_url))
    except ZuinigError as error:
        checks.append(("address", error.message, ""))
    with built.db.engine.connect() as connection:
        sound = connection.execute(sa.text("PRAGMA quick_check")).scalar()
    found = f"SQLite {sqlite3.sqlite_version} at {loaded.url}"
    checks.append(("database", None if sound == "ok" else f"damaged: {sound}; restore a backup", found))
    differences = schema_differences(loaded.url)
    checks.append(("schema", f"{len(differences)} differences from this version" if differences else None, "current"))
    behind = waiting(built.db, built.embedder.id)
    problem = f"{behind} texts have vectors of another embedder; run `zuinig reindex`" if behind else None
    checks.append(("embedder", problem, built.embedder.id))
    counts = f"{built.passages.count()} passages, {built.memories.count()} memories"
    checks.append(("indexes", None, counts))
    with built.db.read() as session:
        failed = session.scalar(
            sa.select(sa.func.count()).select_from(DocumentVersion).where(DocumentVersion.status == "failed")
        )
    checks.append(("documents", None, f"{failed} failed; the portal shows why" if failed else "none failed"))
    free = shutil.disk_usage(loaded.data_dir).free / 1e9
    checks.append(("disk", f"only {free:.1f} GB free" if free < 1 else None, f"{free:.0f} GB free"))
    models = ", then ".join(filter(None, (loaded.llm, loaded.llm_large)))
    checks.append(("language model", None, models or "none: answers are quotes"))
    checks.append(("version", None, zuinig.__version__))
    return checks


def _warn(built: Services) -> None:
    if behind := waiting(built.db, built.embedder.id):
        err.print(f"[yellow]{behind} texts were embedded by another model; run `zuinig reindex` to find them again.[/]")
