"""Opening the services for one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from zuinig.app import logs
from zuinig.app.services import Services, build
from zuinig.core import settings

out = Console()
err = Console(stderr=True)


@contextmanager
def services() -> Iterator[Services]:
    """The services without workers; a service that runs on the same data directory goes on undisturbed."""
    loaded = settings.load()
    logs.configure(loaded.model_copy(update={"log_level": "warning"}))
    built = build(loaded)
    try:
        yield built
    finally:
        built.close()
