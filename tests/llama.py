"""llama.cpp for the tests that are marked so, compiled while the others run."""

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_LOG = ROOT / "build" / "llama.log"
_PACKAGE = "llama-cpp-python"


class Build:
    """Compiling takes two minutes of a core: begun when a test is found to need it, awaited by those that do."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if _installed():
            return
        _LOG.parent.mkdir(exist_ok=True)
        # Not out of pip's cache, nor into it: what is compiled for the tests is slow.
        command = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--verbose"]
        pins = ["--constraint", str(ROOT / "constraints.txt")]
        with _LOG.open("wb") as log:
            self._process = subprocess.Popen(
                ["nice", "-n", "10", *command, *pins, f"{_PACKAGE}[server]"],
                env={**os.environ, "CMAKE_ARGS": f"-DCMAKE_PROJECT_llama_cpp_INCLUDE={ROOT / 'tests' / 'llama.cmake'}"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        if self._process is not None and self._process.wait() != 0:
            said = _LOG.read_text(errors="replace")
            if "Could not find a version that satisfies the requirement" in said and not os.environ.get("CI"):
                pytest.skip("no package index is at hand, and llama.cpp comes from there")
            pytest.fail(f"llama.cpp was not installed, see {_LOG}: {said[-2000:]}", pytrace=False)

    def stop(self) -> None:
        """With the compilers: they are its children, and in its group."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, 15)
            self._process.wait()


def _installed() -> bool:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    try:
        return all(version(name) == pins[name] for name in (_PACKAGE, "sse-starlette", "starlette-context"))
    except PackageNotFoundError:
        return False
