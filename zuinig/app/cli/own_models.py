"""model: list, use, rollback."""

from typing import Annotated

import typer
from rich.table import Table

from zuinig.app import models
from zuinig.app.cli._shared import err, out
from zuinig.app.models import KINDS, Kind, OwnModels
from zuinig.core import settings


def register(app: typer.Typer) -> None:
    """The commands need no services: they work where a model keeps the service from starting."""
    app.command("list")(list_models)
    app.command()(use)
    app.command()(rollback)


def list_models() -> None:
    """The small models: those that come with Zuinig and those trained here, and which are in use."""
    loaded = settings.load()
    own = OwnModels(loaded.data_dir)
    table = Table("kind", "model", "size", "in use", box=None, pad_edge=False)
    for kind in KINDS:
        said = models.named(loaded, kind)
        for found in own.listed(kind):
            mark = "yes" if found.in_use and said is None else ""
            table.add_row(kind, found.name, f"{found.bytes / 1e6:.1f} MB", mark)
        if said is not None:
            table.add_row(kind, said, "", f"yes, by ZUINIG_{kind.upper()}")
    out.print(table, highlight=False)


def use(
    kind: Annotated[Kind, typer.Argument()],
    name: Annotated[
        str, typer.Argument(help="As `zuinig model list` shows it; `shipped` for the one that came along.")
    ],
) -> None:
    """Use this model from now on."""
    loaded = settings.load()
    OwnModels(loaded.data_dir).use(kind, name)
    _tell(loaded, kind, name)


def rollback(kind: Annotated[Kind, typer.Argument()]) -> None:
    """Go back to the model that was in use before."""
    loaded = settings.load()
    _tell(loaded, kind, OwnModels(loaded.data_dir).rollback(kind))


def _tell(loaded: settings.Settings, kind: Kind, name: str) -> None:
    if kind == "embedder":
        after = "Run `zuinig reindex`, then restart the service: vectors of two embedders do not compare."
    else:
        after = "A running service takes it over within a minute."
    out.print(f"The {kind} is now {name}. {after}", soft_wrap=True, highlight=False)
    if (said := models.named(loaded, kind)) is not None:
        err.print(f"ZUINIG_{kind.upper()}={said} goes before it, until it is unset.", highlight=False)
