"""evaluate: how well it does on your own questions."""

import csv
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from zuinig.app.cli._shared import out, services
from zuinig.core.errors import BadRequest
from zuinig.memory.evaluate import Interval, LabelledPair, evaluate

app = typer.Typer(no_args_is_help=True, help="How well it does on your own questions.")

_BUDGETS = [0.005, 0.01, 0.02, 0.05]
_TRUE, _FALSE = {"1", "true", "yes", "ja"}, {"0", "false", "no", "nee"}


@app.callback()
def group() -> None:
    """Keeps `memory` a command of its own while it is the only one."""


@app.command()
def memory(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV or JSON lines of stored, asked, same.")
    ],
    budget: Annotated[list[float] | None, typer.Option(help="Share of wrong answers allowed; repeatable.")] = None,
) -> None:
    """How many repeats memory would serve, and how many of its answers would be wrong, with 95 % intervals."""
    pairs = _read(file)
    table = Table("wrong allowed", "repeats served", "wrong among served", "served of asked", box=None, pad_edge=False)
    with services() as built:
        for o in evaluate(pairs, built.embedder, built.verifier, budget or _BUDGETS):
            table.add_row(f"{o.budget:.1%}", _shown(o.hits), _shown(o.wrong), f"{o.served} of {o.asked}")
    out.print(table)


def _shown(x: Interval) -> str:
    return f"{x.share:.1%} ({x.low:.1%} to {x.high:.1%})"


def _read(file: Path) -> list[LabelledPair]:
    """Raises BadRequest with the line that cannot be read."""
    rows: list[dict[str, Any]]
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            is_csv = file.suffix.lower() == ".csv"
            rows = list(csv.DictReader(lines)) if is_csv else [json.loads(x) for x in lines if x.strip()]
    except (ValueError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file.name} is neither CSV nor JSON lines: {error}") from error
    pairs = []
    for number, row in enumerate(rows, 1):
        same = str(row.get("same", "")).strip().lower()
        stored, asked = (str(row.get(name) or "").strip() for name in ("stored", "asked"))
        if not stored or not asked or same not in _TRUE | _FALSE:
            raise BadRequest(f"{file.name}, row {number}: needs `stored`, `asked` and `same` (true or false).")
        pairs.append(LabelledPair(stored, asked, same in _TRUE))
    if not pairs:
        raise BadRequest(f"{file.name} holds no rows.")
    return pairs
