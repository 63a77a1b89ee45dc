"""The process that reads files. JSON lines in: {"path", "filename"}; out: {"label", "title", "blocks", "hidden"} or
{"code", "message", "cause"}.

`ingestion.parse` runs it as `python -m zuinig.ingestion.parse_child MEMORY_MB TIMEOUT_S MAX_TEXT_CHARS`. It ends when
its standard input does, and by an alarm when a file takes longer than its supervisor should have waited.
"""

import functools
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from zuinig.core import plugins
from zuinig.core.errors import DocumentError
from zuinig.core.types import Parsed
from zuinig.ingestion import formats
from zuinig.ingestion.formats import _detect

_GRACE_S = 10
_NETWORK = frozenset(
    {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}
)


def main() -> None:
    memory_mb, timeout_s, max_text_chars = map(int, sys.argv[1:4])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    # From here on a library that prints, in Python or in C, prints into nothing.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # elsewhere the call succeeds or fails without limiting anything
        resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    sys.addaudithook(_offline)
    for line in sys.stdin:
        # An alarm kills even while native code holds the interpreter, and after the supervisor died. PR_SET_PDEATHSIG
        # would not do: it fires when the thread that started this process ends, and a pool's threads come and go.
        signal.alarm(timeout_s + _GRACE_S)
        answer = _answer(json.loads(line), max_text_chars)
        signal.alarm(0)
        answers.write(json.dumps(answer, ensure_ascii=False) + "\n")
        answers.flush()


def _offline(event: str, _: tuple[Any, ...]) -> None:
    if event in _NETWORK:
        raise PermissionError("reading a file needs no network")


def _answer(request: dict[str, str], max_text_chars: int) -> dict[str, Any]:
    try:
        label, parsed = _read(Path(request["path"]), request["filename"], max_text_chars)
    except DocumentError as error:
        return {"code": error.code, "message": error.message, "cause": _where(error.__cause__)}
    except MemoryError as error:
        return {"code": "out_of_memory", "cause": _where(error)}
    except Exception as error:  # noqa: BLE001  whatever a reader does, the next file gets its turn
        return {"code": "crashed", "cause": _where(error)}
    blocks = [(block.kind.value, block.text, block.level, block.page) for block in parsed.blocks]
    hidden = [(each.how, each.text, each.page) for each in parsed.hidden]
    return {"label": label, "title": parsed.title, "blocks": blocks, "hidden": hidden}


def _read(path: Path, filename: str, max_text_chars: int) -> tuple[str, Parsed]:
    label = _detect.label(path, filename)
    parsed = _readers()[label].read(path)
    length = sum(len(block.text) for block in parsed.blocks)
    if length > max_text_chars:
        raise DocumentError(
            f"This file holds {length:,} characters of text, more than the {max_text_chars:,} that are read from one "
            "file; split it into smaller files.",
            code="too_large",
        )
    return label, parsed


@functools.cache
def _readers() -> dict[str, ModuleType]:
    """By magika label."""
    modules = (plugins.load(formats, name, setting="format") for name in plugins.names(formats))
    return {label: module for module in modules for label in module.LABELS}


def _where(error: BaseException | None) -> str:
    """For the log: type and place of an error, without its text, which may quote the document."""
    if error is None:
        return ""
    frame = (traceback.extract_tb(error.__traceback__) or [None])[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}" if frame else type(error).__name__


if __name__ == "__main__":
    main()
