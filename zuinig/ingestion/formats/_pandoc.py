"""Formats that pandoc turns into HTML."""

import re
import subprocess
from pathlib import Path

import pypandoc

from zuinig.core.types import Parsed
from zuinig.ingestion.formats import _html
from zuinig.ingestion.formats._zip import named

_HEAP_EXHAUSTED = 251
_TIMEOUT_S = 600  # the supervisor stops it sooner; this is for the day that it cannot


def parse(path: Path, source: str) -> Parsed:
    """source: pandoc's name of the format. Raises CalledProcessError, MemoryError."""
    # sandbox: a document may ask pandoc to include other files or to fetch pictures.
    command = [pypandoc.get_pandoc_path(), "--sandbox", "--standalone", "--wrap=none", "--from", source, "--to", "html"]
    with path.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode == _HEAP_EXHAUSTED:
        raise MemoryError
    done.check_returncode()
    # What pandoc itself puts above the document: title, authors and dates of its properties.
    page = re.sub(
        r'(?s)<header id="title-block-header">.*?</header>', "", done.stdout.decode(errors="replace"), count=1
    )
    found = _html.parse(page)
    return Parsed(found.blocks, named(found.title), found.hidden)
