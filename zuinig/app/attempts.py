"""Wrong passwords in a row: each after the first few doubles the wait.

They are counted by name and address, so that nobody is locked out by what others try elsewhere, and for names that
nobody has as for those that somebody has. `limits` bounds what one address tries in all. A restart forgets them.
"""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from zuinig.core.errors import Unauthenticated
from zuinig.core.tables import now

_FREE = 4
_LONGEST_WAIT_S = 900
_MOST = 10_000


class Attempts:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tries: OrderedDict[tuple[str, str], tuple[int, datetime]] = OrderedDict()

    def take(self, name: str, address: str) -> None:
        """Before the password is looked at: of many at a time none slips in. Raises Unauthenticated while one waits."""
        with self._lock:
            count, until = self._tries.pop((name, address), (0, now()))
            wait = (until - now()).total_seconds()
            if wait <= 0:
                count += 1
                over = count - _FREE
                until = now() + timedelta(seconds=min(2.0**over, _LONGEST_WAIT_S) if over > 0 else 0)
            self._tries[name, address] = count, until
            while len(self._tries) > _MOST:
                self._tries.popitem(last=False)
        if wait > 0:
            raise Unauthenticated(
                f"There were too many wrong passwords; try again in {int(wait) + 1} seconds.", code="locked"
            )

    def right(self, name: str, address: str) -> None:
        with self._lock:
            self._tries.pop((name, address), None)
