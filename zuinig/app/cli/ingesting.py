"""ingest: files and folders into a collection, from this machine."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from zuinig.app.audit import COMMAND_LINE, Action, Audit
from zuinig.app.cli._shared import err, out, services
from zuinig.app.documents import DocumentView
from zuinig.app.services import Services, parser
from zuinig.core.types import ENDED, DocumentStatus
from zuinig.ingestion.pipeline import work_one
from zuinig.ingestion.sync import Synced, sync, walk
from zuinig.ingestion.upload import DEFAULT_COLLECTION


def register(app: typer.Typer) -> None:
    app.command()(ingest)


def ingest(
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Files or folders.")],
    collection: Annotated[str, typer.Option(help="Collection to put them in.")] = DEFAULT_COLLECTION,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what came from these folders and is not there any more.")
    ] = False,
    reader: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this group, editors, curators and admins read what this run adds or replaces; may be given "
            "several times. Left out: new documents are read as their collection is, others as before."
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and follow changes until Ctrl-C.")] = False,
) -> None:
    """Skip what is unchanged, add what is new, replace what changed. Exit code 1 where a file failed."""
    if prune and any(p.is_file() for p in paths):
        raise typer.BadParameter("--prune compares with whole folders; name no single files with it.")
    with services() as built:
        readers = [built.people.group(name).id for name in reader] if reader else None
        run = partial(_once, built, paths, collection, prune, readers)
        failed = run()
        if not watch:
            raise typer.Exit(1 if failed else 0)
        # The way to end it, also while a change is being taken in: what was not is found the next time.
        with suppress(KeyboardInterrupt):
            _follow(paths, run)


def _once(built: Services, paths: Sequence[Path], collection: str, prune: bool, readers: Sequence[str] | None) -> int:
    """Returns how many files failed. readers: ids of groups."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    begun = time.monotonic()
    with Progress(*columns, console=err, transient=True) as bar:
        total = sum(1 for _ in walk(paths))
        task = bar.add_task("Comparing", total=total)

        def done(result: Synced) -> None:
            bar.advance(task)
            note(built.audit, result)

        results = sync(
            built.db,
            built.uploads,
            paths,
            collection,
            prune=prune,
            readers=readers,
            progress=done,
        )
        ids = [r.document_id for r in results if r.document_id and r.action in ("added", "replaced")]
        if ids:
            bar.update(task, description="Reading", total=len(ids), completed=0)
            _work(built, ids, lambda done: bar.update(task, completed=done))
    views = {i: built.documents.get(i) for i in ids}
    return _report(results, views, time.monotonic() - begun)


def note(audit: Audit, result: Synced) -> None:
    """What was left as it is, and what was not taken, is not told of."""
    actions: dict[str, Action] = {"added": "upload", "replaced": "replace", "removed": "delete_document"}
    if (action := actions.get(result.action)) is not None:
        audit.record(COMMAND_LINE, action, result.document_id, result.path)


def _work(built: Services, ids: Sequence[str], progress: Callable[[int], None]) -> None:
    """Work the queue here; what a running service took is waited for."""
    with parser(built.settings) as reading:
        waiting = set(ids)
        while waiting:
            worked = work_one(built.pipeline, built.queue, reading)
            waiting = {i for i in waiting if built.documents.get(i).status not in ENDED}
            progress(len(ids) - len(waiting))
            if waiting and not worked:
                time.sleep(0.2)


def _report(results: Sequence[Synced], views: dict[str, DocumentView], seconds: float) -> int:
    table = Table("file", "result", "passages", "reason", box=None, pad_edge=False)
    counts: dict[str, int] = {}
    passages = 0
    for result in results:
        view = views.get(result.document_id or "")
        ended = view is not None and view.status != DocumentStatus.READY
        label = str(view.status) if view is not None and ended else result.action
        counts[label] = counts.get(label, 0) + 1
        passages += view.passages if view is not None else 0
        if label != "unchanged":
            reason = view.error.reason if view is not None and view.error else result.reason
            table.add_row(escape(result.path), label, str(view.passages) if view is not None else "", escape(reason))
    if table.row_count:
        out.print(table)
    summary = ", ".join(f"{n} {label}" for label, n in sorted(counts.items())) or "nothing found"
    out.print(f"{summary}; {passages} passages in {seconds:.1f} s")
    return counts.get("failed", 0) + counts.get("rejected", 0)


def _follow(paths: Sequence[Path], run: Callable[[], int]) -> None:
    from watchfiles import watch  # noqa: PLC0415  # only for --watch

    out.print("Watching for changes; end with Ctrl-C.")
    behind = True  # on what changed while the folder was first read, before the watch began
    for changes in watch(*paths, debounce=1000, yield_on_timeout=True, raise_interrupt=False):
        if changes or behind:
            run()
        behind = False
