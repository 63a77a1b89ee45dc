"""The service as a process of its own, as people start it."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

_LINK = re.compile(r"(http://127\.0\.0\.1:\d+)/portal/sign-in\?token=\S+")


@dataclass(frozen=True)
class Serving:
    """link: the one to sign in with. client: with the admin key. said: a file of all that it wrote to the terminal."""

    url: str
    link: str
    key: str
    client: httpx.Client
    said: Path


@contextmanager
def serving(folder: Path, *, variables: Mapping[str, str] | None = None, **settings: object) -> Iterator[Serving]:
    """settings: as those of the service, in lower case."""
    data, said = folder / "data", folder / "said"
    own = {"data_dir": data, "port": _free_port(), **settings}
    with said.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", "from zuinig.app.cli import main; main()", "serve"],
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("ZUINIG_")},
                "PYTHONPATH": str(Path(__file__).parents[1]),
                **{f"ZUINIG_{name.upper()}": str(value) for name, value in own.items()},
                **(variables or {}),
            },
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        while not (found := _LINK.search(said.read_text())):
            assert process.poll() is None, said.read_text()
            time.sleep(0.1)
        key = (data / "admin.key").read_text().strip()
        transport = httpx.HTTPTransport(retries=20)  # the link is printed a moment before the service listens
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(base_url=found[1], headers=headers, timeout=120, transport=transport) as client:
            yield Serving(found[1], found[0], key, client, said)
    finally:
        process.terminate()
        process.wait(60)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
