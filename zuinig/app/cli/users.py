"""users: what there is of a person."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from zuinig.app.audit import COMMAND_LINE
from zuinig.app.cli._shared import services

app = typer.Typer(no_args_is_help=True, help="People.")


# With one command typer would leave its name out.
@app.callback()
def _users() -> None:
    pass


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="A user's name or id, or the name on whose account keys ask.")],
    file: Annotated[Path | None, typer.Argument(help="Standard output if left out.")] = None,
) -> None:
    """All there is of a person, as one JSON document: questions, feedback, uploads, keys, audit rows."""
    with services() as built:
        owner = built.export.find(name)
        built.audit.record(COMMAND_LINE, "export", owner.user_id or name, "personal data")
        if file is None:
            sys.stdout.writelines(built.export.pieces(owner))
            return
        # Nobody else on this machine is to read it.
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:  # noqa: PTH123
            stream.writelines(built.export.pieces(owner))
