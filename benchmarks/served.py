"""The service as a process of its own, and questions fired at it."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil


class Served:
    def __init__(self, url: str, key: str, process: subprocess.Popen[bytes], data: Path) -> None:
        self.url, self.process, self.data = url, process, data
        self.client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=1200)

    def memory_mb(self) -> float:
        """Resident, children included."""
        root = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in [root, *root.children(recursive=True)]) / 1e6


@contextlib.contextmanager
def served() -> Iterator[Served]:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "ZUINIG_DATA_DIR": folder, "ZUINIG_PORT": str(port), "ZUINIG_LOG_LEVEL": "warning"}
        command = [sys.executable, "-c", "from zuinig.app.cli import main; main()", "serve"]
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(f"{url}/readyz").status_code == 200:
                        break
                time.sleep(0.1)
            yield Served(url, Path(folder, "admin.key").read_text().strip(), process, Path(folder))
        finally:
            process.terminate()
            process.wait(30)


def fire(send: Callable[[int], float], count: int, clients: int) -> str:
    """send(n) -> seconds. Returns p50, p95 and requests a second."""
    took: list[float] = []
    lock, numbers = threading.Lock(), iter(range(count))

    def work() -> None:
        while True:
            with lock:
                n = next(numbers, None)
            if n is None:
                return
            seconds = send(n)
            with lock:
                took.append(seconds)

    begun = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = count / (time.perf_counter() - begun)
    took.sort()
    p50, p95 = took[len(took) // 2] * 1000, took[int(len(took) * 0.95)] * 1000
    return f"{clients} clients: p50 {p50:.1f} ms, p95 {p95:.1f} ms, {rate:.0f} requests/s"
