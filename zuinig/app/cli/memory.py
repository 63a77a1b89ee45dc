"""memory: list, import, export, lookup, suggest."""

import sys
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from zuinig.app.api import exchange
from zuinig.app.api.memories import lookup_out
from zuinig.app.audit import COMMAND_LINE
from zuinig.app.cli._shared import err, out, services
from zuinig.core.tables import Memory
from zuinig.memory.suggest import open_ones

_CLASHES = {
    "answer": "another answer stands there",
    "twice": "an earlier line asks the same",
    "revived": "it was taken out of service, and would be back",
}

app = typer.Typer(no_args_is_help=True, help="The dialog memory.")


@app.command("list")
def list_memories(limit: Annotated[int, typer.Option(min=1)] = 20) -> None:
    """The newest memories."""
    table = Table("id", "status", "origin", "hits", "question", box=None, pad_edge=False)
    with services() as built, built.db.read() as session:
        for m in session.scalars(sa.select(Memory).order_by(Memory.id.desc()).limit(limit)):
            table.add_row(f"mem_{m.id}", m.status, m.origin, str(m.hits), escape(m.question))
    out.print(table)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON lines, or CSV by its ending.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; show what would change.")] = False,
) -> None:
    """Question-answer pairs, each with `question`, `answer` and perhaps `id` and `collection`."""
    lines = exchange.parse(file.read_bytes(), _form(file))
    with services() as built:
        pairs = exchange.as_pairs(built, lines)
        if dry_run:
            would, clashes = built.importing.dry_run(pairs)
            out.print(f"{would.added} would be added, {would.updated} updated, {would.unchanged} stay as they are")
            for clash in clashes:
                out.print(f"line {clash.line}: {_CLASHES[clash.kind]}: {escape(clash.question)}", highlight=False)
            return
        built.audit.record(COMMAND_LINE, "memory_import", detail=f"{len(pairs)} lines")
        with Progress(console=err, transient=True) as bar:
            task = bar.add_task("Importing", total=len(lines))
            done = built.importing.run(
                pairs, by=COMMAND_LINE, progress=lambda done, total: bar.update(task, completed=done, total=total)
            )
    out.print(f"{done.added} added, {done.updated} updated, {done.unchanged} unchanged")


@app.command()
def export(
    file: Annotated[
        Path | None, typer.Argument(help="JSON lines, or CSV by its ending; standard output if left out.")
    ] = None,
) -> None:
    """What people wrote and is in service, as lines that `import` takes.

    Answers made out of documents are left out: they are made again from the documents, and go stale with them.
    """
    with services() as built:
        built.audit.record(COMMAND_LINE, "export", "memories")
        if file is None:
            sys.stdout.writelines(exchange.exported(built, "jsonl"))
        else:
            with file.open("w", newline="") as stream:
                stream.writelines(exchange.exported(built, _form(file)))


@app.command()
def lookup(question: str) -> None:
    """Whether memory would answer, and why not."""
    with services() as built:
        found = lookup_out(built.recall.lookup([question])[0])
    out.print_json(found.model_dump_json())


@app.command()
def suggest() -> None:
    """Gather what is asked often, corrected or missing, and list it; decide in the portal."""
    with services() as built:
        built.suggest.refresh(built.answers.covers)
        table = Table("kind", "asked", "by", "question", box=None, pad_edge=False)
        with built.db.read() as session:
            for s in open_ones(session):
                table.add_row(s.kind, str(s.asked), str(s.askers), escape(s.question))
    out.print(table)


def _form(file: Path) -> exchange.Form:
    return "csv" if file.suffix.lower() == ".csv" else "jsonl"
