"""Work that nobody waits for: gathering what a curator should decide, removing what has expired, now and then."""

import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import OperationalError

from zuinig.memory.verify import VerifierFailed

log = structlog.get_logger()


class Chore:
    """Does the work every so many seconds in a thread of its own, from start to stop."""

    def __init__(self, name: str, work: Callable[[], object], *, every_s: float) -> None:
        self._name, self._work, self._every_s = name, work, every_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Lets what is under way come to its end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self._work()
            # A database that others keep locked for half a minute is free again the next time.
            except (VerifierFailed, OperationalError) as error:
                log.warning("chore.failed", chore=self._name, reason=str(error))
