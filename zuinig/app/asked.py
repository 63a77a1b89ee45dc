"""A question, and what comes back of it, step by step."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from zuinig.app.notices import Notice
from zuinig.core.types import Citation, Source, Usage
from zuinig.memory.conversation import Turn


@dataclass(frozen=True, slots=True)
class Ask:
    question: str
    conversation_id: str | None = None
    collections: Sequence[str] | None = None
    memory: Literal["use", "skip", "only", "refresh"] = "use"  # refresh: answer anew, and remember that
    llm: Literal["allow", "never"] = "allow"
    # The turns before, oldest first, where the caller keeps the conversation itself.
    history: Sequence[Turn] = ()
    recorded: bool = True  # else the question leaves no trace: not in the ledger, nor in memory, nor in a conversation


@dataclass(frozen=True, slots=True)
class Recalled:
    """What memory said, before anything else is done. request: not asked, by the asker's wish; bypass: a follow-up."""

    outcome: Literal["hit", "miss", "request", "bypass"]


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer, as it comes."""

    text: str


@dataclass(frozen=True, slots=True)
class ServedMemory:
    id: str
    question: str
    verified_by: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    answer_id: str
    conversation_id: str
    question: str
    standalone_question: str
    answer: str
    source: Source
    confidence: float
    citations: Sequence[Citation]
    memory: ServedMemory | None
    usage: Usage
    timing_ms: dict[str, float]
    recalled: Recalled
    remembered: bool
    notice: Notice | None


Step = Recalled | Delta | Answered


def to_dict(answered: Answered) -> dict[str, Any]:
    """As plain data, for clients on the command line."""
    return {**asdict(answered), "source": str(answered.source)}
