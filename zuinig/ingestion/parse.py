"""Reads files in a child process with a time and a memory limit, so that no file can stall or end the service."""

import json
import logging
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

import psutil

import zuinig
from zuinig.core.errors import DocumentError
from zuinig.core.types import Block, BlockKind, Hidden, Parsed

logger = logging.getLogger(__name__)

_TICK_S = 0.1
_RECYCLE_SHARE = 0.5  # of the memory limit; a child that holds more after a file is replaced
_FULL_SHARE = 0.8  # a child that died above this share of the limit died of memory
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_QUIET = {
    # unstructured reports itself to its makers on import unless told not to.
    "DO_NOT_TRACK": "1",
    "UNSTRUCTURED_DISABLE_NOTICE": "1",
    "HF_HUB_OFFLINE": "1",
    # Threads and malloc arenas reserve address space, which the memory limit counts.
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class Cancelled(Exception):
    """The caller's cancel() said so; the child was killed."""


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """label: magika's word for what the file is, as in "pdf" or "markdown"."""

    parsed: Parsed
    label: str


class Parser:
    """One file at a time, from one thread at a time; for more, make more. The child starts with the first file."""

    def __init__(
        self,
        *,
        timeout_s: float = 60,
        memory_mb: int = 2048,
        max_text_chars: int = 10_000_000,
        recycle_after: int = 200,
    ) -> None:
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._max_text_chars = max_text_chars
        self._recycle_after = recycle_after
        self._child: subprocess.Popen[bytes] | None = None
        self._files = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def parse(self, path: Path, filename: str, *, cancel: Callable[[], bool] = lambda: False) -> ParsedFile:
        """filename: what the uploader called it; never opened. Raises DocumentError with a code, Cancelled."""
        request = json.dumps({"path": str(path.absolute()), "filename": filename}).encode() + b"\n"
        child = self._ask(request)
        try:
            answer = json.loads(self._wait(child, cancel))
            read = None if "code" in answer else _parsed_file(answer)
        except (ValueError, KeyError, TypeError) as error:
            self.close()
            raise self._error("crashed") from error
        except BaseException:
            self.close()
            raise
        self._files += 1
        if self._files >= self._recycle_after or _resident_mb(child.pid, deep=False) > self._memory_mb * _RECYCLE_SHARE:
            self.close()
        return read or self._refuse(answer, filename)

    def close(self) -> None:
        """Kill the child, and what it started. The next file starts a new one."""
        child, self._child, self._files = self._child, None, 0
        if child is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()

    def _ask(self, request: bytes) -> subprocess.Popen[bytes]:
        """The child, with the request sent; an idle one may have died since the last file."""
        if self._child is not None:
            with suppress(OSError):
                return self._send(self._child, request)
            self.close()
        self._child = self._start()
        return self._send(self._child, request)

    @staticmethod
    def _send(child: subprocess.Popen[bytes], request: bytes) -> subprocess.Popen[bytes]:
        if child.stdin is None or child.poll() is not None:
            raise BrokenPipeError
        child.stdin.write(request)
        child.stdin.flush()
        return child

    def _start(self) -> subprocess.Popen[bytes]:
        limits = (self._memory_mb, math.ceil(self._timeout_s), self._max_text_chars)
        # Where this process found the package, which need not be installed. Nothing else of the environment goes along:
        # the child reads hostile files, and the environment holds keys.
        roots = [str(Path(zuinig.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "zuinig.ingestion.parse_child", *map(str, limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # its own process group, so that what it starts is killed with it
            env=kept | _QUIET | {"PYTHONPATH": os.pathsep.join(roots), "PYTHONUTF8": "1"},
        )

    def _wait(self, child: subprocess.Popen[bytes], cancel: Callable[[], bool]) -> bytes:
        """One line from the child, however it writes it."""
        assert child.stdout is not None
        deadline = time.monotonic() + self._timeout_s
        line, peak_mb = bytearray(), 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while True:
                if selector.select(_TICK_S):
                    piece = os.read(child.stdout.fileno(), 1 << 20)
                    line += piece
                    if piece.endswith(b"\n"):
                        return bytes(line)
                    if not piece:
                        raise self._error("out_of_memory" if peak_mb > _FULL_SHARE * self._memory_mb else "crashed")
                else:
                    # Also where the kernel limits nothing, and for the programs that the child starts.
                    peak_mb = max(peak_mb, _resident_mb(child.pid))
                    if peak_mb > self._memory_mb:
                        raise self._error("out_of_memory")
                if cancel():
                    raise Cancelled
                if time.monotonic() > deadline:
                    raise self._error("timeout")

    def _refuse(self, answer: dict[str, Any], filename: str) -> NoReturn:
        logger.info("%r was not read: %s (%s)", filename, answer["code"], answer["cause"])
        if answer["code"] in ("out_of_memory", "crashed"):
            self.close()
            raise self._error(answer["code"])
        raise DocumentError(answer["message"], code=answer["code"])

    def _error(self, code: str) -> DocumentError:
        smaller = "and was stopped; split it into smaller files, or ask an administrator to raise the limit."
        reason = {
            "timeout": f"Reading this file took longer than {self._timeout_s:g} s {smaller}",
            "out_of_memory": f"Reading this file needed more than {self._memory_mb} MB of memory {smaller}",
            "crashed": "The program that reads files ended unexpectedly on this one; save it again in the program that "
            "made it, or as PDF, and upload the new copy.",
        }
        return DocumentError(reason[code], code=code)


def _parsed_file(answer: dict[str, Any]) -> ParsedFile:
    blocks = (Block(BlockKind(kind), text, level=level, page=page) for kind, text, level, page in answer["blocks"])
    hidden = tuple(Hidden(how, text, page) for how, text, page in answer["hidden"])
    return ParsedFile(Parsed(tuple(blocks), answer["title"], hidden), answer["label"])


def _resident_mb(pid: int, *, deep: bool = True) -> float:
    """deep: with all that the process started."""
    try:
        process = psutil.Process(pid)
        resident = process.memory_info().rss
        children = process.children(recursive=True) if deep else []
    except psutil.Error:
        return 0.0
    for each in children:
        with suppress(psutil.Error):
            resident += each.memory_info().rss
    return float(resident / (1 << 20))
