"""memory: list, import, export, lookup."""

import sys
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from zuinig.app.api.memories import ImportLine, export_line, lookup_out
from zuinig.app.cli._shared import err, out, services
from zuinig.core.errors import BadRequest
from zuinig.core.tables import Collection, Memory
from zuinig.memory.curate import Pair, written
from zuinig.memory.recall import scope_key

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
def import_file(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Question-answer pairs, a JSON object a line: {"question", "answer", "id"?, "collection"?}."""
    lines = []
    for number, raw in enumerate(file.read_bytes().split(b"\n"), 1):
        if raw.strip():
            try:
                lines.append(ImportLine.model_validate_json(raw))
            except ValidationError as error:
                raise BadRequest(
                    f"{file.name}, line {number}: {error.errors()[0]['msg']}; nothing imported."
                ) from error
    with services() as built, Progress(console=err, transient=True) as bar:
        task = bar.add_task("Importing", total=len(lines))
        pairs = [
            Pair(
                x.question,
                x.answer,
                x.id,
                scope_key(built.search.collection_ids([x.collection] if x.collection else None)),
            )
            for x in lines
        ]
        done = built.curate.import_pairs(
            pairs, created_by="command line", progress=lambda n, _: bar.update(task, completed=n)
        )
    out.print(f"{done.added} added, {done.updated} updated, {done.unchanged} unchanged")


@app.command()
def export(file: Annotated[Path | None, typer.Argument(help="Standard output where left out.")] = None) -> None:
    """What people wrote and is in service, as lines that `import` takes.

    Answers made out of documents are left out: they are made again from the documents, and go stale with them.
    """
    with services() as built, built.db.read() as session:
        names = {str(i): name for i, name in session.execute(sa.select(Collection.id, Collection.name))}
        lines = (export_line(m, names) + "\n" for m in written(session))
        if file is None:
            sys.stdout.writelines(lines)
        else:
            with file.open("w") as stream:
                stream.writelines(lines)


@app.command()
def lookup(question: str) -> None:
    """Whether memory would answer, and why not."""
    with services() as built:
        found = lookup_out(built.recall.lookup([question], None)[0])
    out.print_json(found.model_dump_json())
