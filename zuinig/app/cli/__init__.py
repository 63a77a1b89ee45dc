"""The command line. Each command's work is done by the same services that answer over HTTP."""

import sys

import typer

from zuinig.app.cli import (
    access,
    asking,
    audit,
    budgets,
    evaluate,
    ingesting,
    keys,
    memory,
    model,
    own_models,
    people,
    personal,
    running,
    training,
)
from zuinig.core.errors import ZuinigError

app = typer.Typer(name="zuinig", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
running.register(app)
ingesting.register(app)
asking.register(app)
training.register(app)
personal.register(app)
own_models.register(model.app)
app.add_typer(memory.app, name="memory")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(keys.app, name="keys")
app.add_typer(people.users, name="users")
app.add_typer(people.groups, name="groups")
app.add_typer(access.app, name="access")
app.add_typer(audit.app, name="audit")
app.add_typer(budgets.app, name="budgets")
app.add_typer(model.app, name="model")


def main() -> None:
    try:
        app()
    except ZuinigError as error:
        sys.stderr.write(f"zuinig: {error.message}\n")
        raise SystemExit(2) from error
