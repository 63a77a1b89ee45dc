"""What each answer cost, and what plain RAG would have spent on the same question."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy.orm import Session

from zuinig.app.llm import Rung
from zuinig.core.db import insert
from zuinig.core.settings import Settings
from zuinig.core.tables import LedgerDocument, LedgerEntry, new_id
from zuinig.core.types import Source, Usage

_MICROS = 1_000_000

Outcome = Literal[
    "answered",
    "not_covered",  # it says that the documents do not answer
    "denied",  # it says so although the reader is sure that they do
    "citations",  # none, or some that do not hold
    "disagrees",  # says what stands neither in the question nor in the sources that it names
    "cut_off",  # ended at the limit of output
    "failed",  # no answer came
    "hard",  # left out: the question went straight to the large model
    "shared",  # an identical question that was being asked had this answer too, and paid for it
]
FAILED = frozenset({"denied", "citations", "disagrees", "cut_off"})
CHECKED = frozenset({"answered", "not_covered", *FAILED})


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a language model, or why there was none. signs: see `app/router.py`. cost: in millionths."""

    rung: Rung
    model: str
    signs: str
    outcome: Outcome
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int = 0
    ms: float = 0.0


class Ledger:
    def __init__(self, settings: Settings) -> None:
        """Plain RAG is priced with the model that it would have asked each time: the large one where there are two."""
        self._price_prompt, self._price_completion = settings.llm_price_prompt, settings.llm_price_completion
        if settings.llm_large:
            self._price_prompt = settings.llm_large_price_prompt
            self._price_completion = settings.llm_large_price_completion

    def usage(
        self,
        *,
        calls: Sequence[Call],
        baseline_prompt: int,
        baseline_completion: int,
        model: str | None,
    ) -> Usage:
        """What the calls cost in all, each by the prices of its model, beside what plain RAG would have. Baselines in
        tokens. model: the one whose answer is served.
        """
        cost = sum(c.cost_micros for c in calls)
        instead = round(baseline_prompt * self._price_prompt + baseline_completion * self._price_completion)
        return Usage(
            sum(c.prompt_tokens for c in calls),
            sum(c.completion_tokens for c in calls),
            baseline_prompt + baseline_completion,
            cost / _MICROS,
            (instead - cost) / _MICROS,
            model,
        )

    def write(
        self,
        session: Session,
        *,
        answer_id: str,
        key_id: str,
        source: Source,
        scope: str,
        usage: Usage,
        timing_ms: dict[str, float],
        calls: Sequence[Call] = (),
        user: str | None = None,
        group: str | None = None,
        documents: Iterable[str] = (),
        notice: str | None = None,
    ) -> None:
        """documents: the ids of those that the answer cites, each once. notice: the code of what the asker was told."""
        entry_id = new_id("led")
        entry = {
            "id": entry_id,
            "answer_id": answer_id,
            "key_id": key_id,
            "user": user,
            "group": group,
            "source": source,
            "scope": scope,
            "model": usage.model,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "baseline_tokens": usage.baseline_tokens,
            "cost_micros": round(usage.cost * _MICROS),
            "saved_cost_micros": round(usage.saved_cost * _MICROS),
            "timing_ms": timing_ms,
            "steps": [asdict(c) for c in calls],
            "notice": notice,
        }
        insert(session, LedgerEntry, entry)
        insert(session, LedgerDocument, *({"ledger_id": entry_id, "document_id": d} for d in documents))
