"""llama.cpp for the tests that are marked so, compiled while the others run."""

import fcntl
import importlib
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_LOG = ROOT / "build" / "llama.log"
# The compiling process holds it for as long as it runs, and its number stands in it: several processes run the tests.
_LOCK = ROOT / "build" / "llama.lock"
_PACKAGE = "llama-cpp-python"


def start() -> None:
    """Compile, which takes two minutes of a core, unless it is there or another process does."""
    if _installed():
        return
    _LOCK.parent.mkdir(exist_ok=True)
    # Not out of pip's cache, nor into it: what is compiled for the tests is slow.
    command = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--verbose"]
    pins = ["--constraint", str(ROOT / "constraints.txt")]
    with _LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        with _LOG.open("wb") as log:
            process = subprocess.Popen(
                ["nice", "-n", "10", *command, *pins, f"{_PACKAGE}[server]"],
                env={**os.environ, "CMAKE_ARGS": f"-DCMAKE_PROJECT_llama_cpp_INCLUDE={ROOT / 'tests' / 'llama.cmake'}"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )
        lock.truncate(0)
        lock.write(str(process.pid))


def wait() -> None:
    """Until it is there. Skips the test where it cannot be had, and fails it where it could not be made."""
    if _LOCK.exists():
        with _LOCK.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
        importlib.invalidate_caches()
    if not _installed():
        said = _LOG.read_text(errors="replace")
        if "Could not find a version that satisfies the requirement" in said and not os.environ.get("CI"):
            pytest.skip("no package index is at hand, and llama.cpp comes from there")
        pytest.fail(f"llama.cpp was not installed, see {_LOG}: {said[-2000:]}", pytrace=False)


def stop() -> None:
    """With the compilers: they are its children, and in its group."""
    if not _LOCK.exists():
        return
    with _LOCK.open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.killpg(int(lock.read()), 15)


def _installed() -> bool:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    try:
        return all(version(name) == pins[name] for name in (_PACKAGE, "sse-starlette", "starlette-context"))
    except PackageNotFoundError:
        return False
