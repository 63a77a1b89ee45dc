"""Nothing leaves: the service does its main job with the network cut, and tries to reach nobody."""

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "offline.py"


def namespaces() -> list[str]:
    """The command that gives a program a network of its own, where this machine lets us."""
    command = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
        return command
    warnings.warn("no network namespaces here: libraries that are not Python went unwatched", stacklevel=1)
    return []


@pytest.mark.timeout(400)
def test_the_service_works_with_the_network_cut_and_calls_nobody_but_its_language_model(tmp_path):
    cut = namespaces()
    ended = subprocess.run([*cut, sys.executable, PROGRAM, tmp_path], capture_output=True, text=True, timeout=380)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-6000:]
    assert ended.stdout.splitlines()[-1] == ("cut off" if cut else "watched")
