"""Opening the services for one command."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from zuinig.app import logs
from zuinig.app.services import Services, build
from zuinig.core import settings

# What moves the cursor, writes over a line, or turns the order of what follows round: names and answers are others'.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class _Terminal(Console):
    """Shows text, and obeys none of it."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            plain = segment.control is None and _COMMANDS.search(segment.text)
            yield Segment(_COMMANDS.sub("", segment.text), segment.style) if plain else segment


out = _Terminal()
err = _Terminal(stderr=True)


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
