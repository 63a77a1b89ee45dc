"""train: a small model of the service's own."""

import importlib.util
import subprocess
import sys
from typing import Annotated

import typer

from zuinig.app.models import Kind
from zuinig.core.errors import BadRequest, ConfigurationError

_NEEDED = ("torch", "transformers", "onnx", "sklearn")


def register(app: typer.Typer) -> None:
    app.command()(train)


def train(
    kind: Annotated[Kind, typer.Argument(help="What to train.")],
    from_memory: Annotated[
        bool, typer.Option("--from-memory", help="On approved memories, feedback and the LLM's answers.")
    ] = False,
    minutes: Annotated[float, typer.Option(min=0.1, help="The longest that the training itself may take.")] = 60,
) -> None:
    """Fine-tune a small model on this service's own memory, and switch over to it if it is better.

    A fifth of the questions is held out; old and new are compared on it. Ctrl-C changes nothing, and the same command
    goes on from there. `zuinig model rollback` goes back.
    """
    if not from_memory:
        raise BadRequest(f"Say what to train it on: zuinig train {kind} --from-memory.")
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise ConfigurationError(
            f"Training needs {', '.join(missing)}, which the service itself does not: pip install 'zuinig[torch]'."
        )
    # In a process of its own: the service and its commands never load torch.
    command = [sys.executable, "-m", "zuinig.training.from_memory", kind, "--minutes", str(minutes)]
    with subprocess.Popen(command) as child:
        while True:
            try:
                raise typer.Exit(child.wait())
            except KeyboardInterrupt:  # the child got it too, and says so itself
                continue
