"""model: quantise; `own_models` adds which model is in use."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from zuinig.app import prompt
from zuinig.app.cli._shared import err, out, services
from zuinig.app.services import Services
from zuinig.core.errors import BadRequest, ZuinigError
from zuinig.core.tables import Answer
from zuinig.quantise import small
from zuinig.quantise.report import Asked, Compared
from zuinig.quantise.report import Progress as Told
from zuinig.retrieval.pack import pack

app = typer.Typer(no_args_is_help=True, help="The small models, and models made small.")


@app.command()
def quantise(
    source: Annotated[Path, typer.Argument(exists=True, help="A .gguf, a .onnx, or a folder with model.onnx.")],
    target: Annotated[Path | None, typer.Argument(help="Beside the source if left out.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="q4_k_m (default) or q8_0 for GGUF, int8 for ONNX.", show_default=False)
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Compare on these: one a line, or JSON lines with `question`. Left out: what was asked last.",
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Compare on no more questions than these.")] = 20,
    force: Annotated[bool, typer.Option("--force", help="Replace what stands at the target.")] = False,
) -> None:
    """Make a model small, and tell its size, its speed and how far it agrees with the original on your questions.

    Exit code 1 where the two could not be compared.
    """
    given = _read(questions)[:most] if questions is not None else None
    with _progress() as stage:
        made = small.make(source, target, kind, stage, force=force)
    less = 1 - made.bytes_after / made.bytes_before
    out.print(f"{made.target}", soft_wrap=True, highlight=False, markup=False)
    table = Table("", "before", "after", "", box=None, pad_edge=False)
    table.add_row("size", _size(made.bytes_before), _size(made.bytes_after), f"{less:.1%} smaller")
    with services() as built:
        asked = [_asked(built, q) for q in (given if given is not None else _asked_last(built, most))]
    compared, problem = None, None
    if asked:
        try:
            with _progress() as stage:
                compared = small.compare(made, asked, stage)
        except ZuinigError as error:  # the small model is there all the same
            problem = error.message
    for speed in compared.speeds if compared else ():
        ratio = f"x {speed.after / speed.before:.2f}" if speed.before else ""  # no answer was longer than a token
        table.add_row(speed.what, f"{speed.before:.1f}", f"{speed.after:.1f}", ratio)
    out.print(table, highlight=False)
    _tell(compared, len(asked))
    if problem is not None:
        err.print(f"Not compared: {escape(problem)}", highlight=False, soft_wrap=True)
        raise typer.Exit(1)


def _tell(compared: Compared | None, questions: int) -> None:
    if not questions:
        out.print("Nothing was asked yet to compare them on; name a file with --questions.")
    elif compared is not None:
        out.print(f"Agreement with the original on {questions} questions:")
        for a in compared.agreements:
            value = f"{a.value:.1%}" if a.share else f"{a.value:.4f}"
            out.print(f"  {a.what}: {value} (of {a.of})", highlight=False, markup=False)


@contextmanager
def _progress() -> Iterator[small.Stage]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:

        def stage(name: str) -> Told:
            task = bar.add_task(name, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield stage


def _read(file: Path) -> list[str]:
    """Raises BadRequest with the line that cannot be read."""
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
        if line.lstrip().startswith("{"):
            try:
                line = str(json.loads(line)["question"])
            except (ValueError, KeyError) as error:
                raise BadRequest(f"{file.name}, line {number}: needs `question` in a JSON object.") from error
        if line.strip():
            found.append(line.strip())
    if not found:
        raise BadRequest(f"{file.name} holds no questions.")
    return list(dict.fromkeys(found))


def _asked_last(built: Services, most: int) -> Sequence[str]:
    with built.db.read() as session:
        last = sa.func.max(Answer.created_at)
        rows = sa.select(Answer.standalone_question).group_by(Answer.standalone_question).order_by(last.desc())
        return session.scalars(rows.limit(most)).all()


def _asked(built: Services, question: str) -> Asked:
    """With the passages found for it, and the prompt that a language model would get."""
    settings = built.settings
    hits = built.search.search(question, built.specialist.passages)
    packed = pack(built.specialist.read(question, hits), built.tokens, settings.context_budget_tokens, settings.packing)
    user = prompt.user_message(packed.context, question)
    return Asked(question, prompt.SYSTEM, user, tuple(h.text for h in hits))


def _size(size: int) -> str:
    if size < 100_000:
        return f"{size / 1e3:.1f} kB"
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.2f} GB"
