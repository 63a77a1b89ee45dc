"""What an asker is told beside an answer."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Notice:
    """budget_used: answered without a language model, since a budget is used up. budget_warning: one nearly is.
    not_read: there was no time to read all that was found. still_reading: documents were on their way in meanwhile.
    """

    code: Literal["budget_used", "budget_warning", "not_read", "still_reading"]
    message: str


NOT_READ = Notice(
    "not_read",
    "There was no time to read all that was found, so that the documents may answer this all the same; see "
    "ZUINIG_READER_TIMEOUT_MS.",
)
STILL_READING = Notice(
    "still_reading", "Documents are still being read and were not taken into account; ask again in a while."
)
