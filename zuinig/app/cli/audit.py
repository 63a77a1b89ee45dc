"""audit: who did what, as a file."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from zuinig.app.api.audit import exported
from zuinig.app.api.exchange import Form
from zuinig.app.audit import COMMAND_LINE, Wanted
from zuinig.app.cli._shared import services

app = typer.Typer(no_args_is_help=True, help="The audit log.")


# With one command typer would leave its name out.
@app.callback()
def _audit() -> None:
    pass


@app.command()
def export(
    file: Annotated[
        Path | None, typer.Argument(help="JSON lines, or CSV by its ending; standard output if left out.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Only of this name, or id of a user or key.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, such as sign_in or read.")] = None,
    since: Annotated[datetime | None, typer.Option(help="From this moment on, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before this moment, in UTC.")] = None,
) -> None:
    """Oldest first, this export among them."""
    wanted = Wanted(actor, action, _utc(since), _utc(until))
    with services() as built:
        built.audit.record(COMMAND_LINE, "export", "audit")
        if file is None:
            sys.stdout.writelines(exported(built.audit, "jsonl", wanted))
            return
        form: Form = "csv" if file.suffix.lower() == ".csv" else "jsonl"
        with file.open("w", newline="") as stream:
            stream.writelines(exported(built.audit, form, wanted))


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None else None
