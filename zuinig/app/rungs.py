"""The rungs of the language models: the small one answers first, the large one where that does not hold.

With one model it just answers. Each call becomes a step in the ledger, with what came of it.
"""

import time
from collections.abc import Generator, Hashable, Sequence
from dataclasses import dataclass, field, replace

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.messages.ai import UsageMetadata

from zuinig.app import prompt
from zuinig.app.flights import Flights
from zuinig.app.ledger import Call, Outcome
from zuinig.app.lengths import output_tokens
from zuinig.app.llm._call import Model, stream_text
from zuinig.app.prompt import Checked
from zuinig.app.router import Router, signs
from zuinig.core.errors import LLMFailed
from zuinig.core.settings import Settings
from zuinig.core.tokens import Tokens
from zuinig.core.types import Citation
from zuinig.retrieval.pack import Packed, pack
from zuinig.retrieval.read import Reading

# A reader that is right nine times in ten, against a small model that misses an answer which is there one time in ten,
# and sees that there is none nine times in ten: from here on its denial is as likely wrong as right.
_READER_SURE = 0.9
# Half of what the answer says stands neither in the question nor in the sources it names. On SQuAD (1,353 questions,
# the answering sentence as the source) 4 % of the other sentences of its passage get by, and 1 % of those of others;
# half is left to a model's own words.
_LEAST_AGREEMENT = 0.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the language models are asked. reading: what the specialist made of the documents. same: equal for questions
    that may share one answer; None for one that may not. begun: when it was asked (`time.perf_counter`).
    """

    question: str
    reading: Reading
    same: Hashable | None
    begun: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of it. text: "" where the model says that the sources do not answer. sound: whether it wholly stands
    on the documents, so that it may be told to others. flagged: whether the model read of a flagged passage.
    error: why there is no reply; what was shown then broke off.
    """

    text: str = ""
    citations: Sequence[Citation] = ()
    confidence: float = 0.5
    sound: bool = False
    flagged: bool = False
    model: str | None = None
    calls: tuple[Call, ...] = ()
    error: LLMFailed | None = None


@dataclass(slots=True)
class _Said:
    """One call as it goes. shown: what the asker saw of it."""

    text: str = ""
    shown: str = ""
    usage: UsageMetadata | None = None
    cut: bool = False
    error: LLMFailed | None = None
    checked: Checked | None = None
    flagged: bool = False
    begun: float = field(default_factory=time.perf_counter)

    @property
    def not_covered(self) -> bool:
        return self.text.strip().startswith(prompt.NOT_COVERED) or not self.text.strip()


class Rungs:
    """models: the small one first; none, one or two."""

    def __init__(self, models: Sequence[Model], router: Router | None, tokens: Tokens, settings: Settings) -> None:
        self._models, self._router, self._tokens, self._settings = models, router, tokens, settings
        self._flights = Flights[Reply]()
        self._roomy: set[str] = set()  # models that think aloud before they answer, on the same tokens

    def __bool__(self) -> bool:
        return bool(self._models)

    def ask(self, wanted: Wanted) -> Generator[str, None, Reply]:
        """The answer as it comes, then all of it. An identical question that is being asked already shares its answer,
        and pays nothing.
        """
        reply, first = yield from self._flights.ask(wanted.same, lambda: self._climb(wanted), begun=wanted.begun)
        if first:
            return reply
        served = next((c for c in reply.calls if c.model == reply.model), reply.calls[-1])
        return replace(reply, sound=False, calls=(Call(served.rung, served.model, served.signs, "shared"),))

    def _climb(self, wanted: Wanted) -> Generator[str, None, Reply]:
        calls: list[Call] = []
        *smaller, last = self._models
        shown = signs(wanted.question, wanted.reading.sentences, wanted.reading.confidence)
        wanting: Reply | None = None
        for model in smaller:
            if self._router is not None and self._router.hard(wanted.question, shown):
                calls.append(Call(model.endpoint.rung, model.endpoint.name, shown, "hard"))
                continue
            said = yield from self._answer(model, wanted, shown, calls, show=False)
            reply = _reply(said, calls[-1])
            if calls[-1].outcome in ("answered", "not_covered"):
                yield reply.text
                return replace(reply, calls=tuple(calls))
            wanting = reply if reply.text else None
        said = yield from self._answer(last, wanted, shown, calls, show=True)
        reply = _reply(said, calls[-1])
        # What was found wanting is what a single model would have said: better than nothing.
        if reply.error is not None and wanting is not None and not said.shown:
            yield wanting.text
            reply = wanting
        return replace(reply, calls=tuple(calls))

    def _answer(
        self, model: Model, wanted: Wanted, shown: str, calls: list[Call], *, show: bool
    ) -> Generator[str, None, _Said]:
        """As `_call`, and once more with all the room there is where a model thought until the limit and said nothing:
        it needs that room now, and from now on.
        """
        about = model.endpoint
        most = about.max_output_tokens
        too_short = any(c.outcome == "cut_off" for c in calls) or about.name in self._roomy
        limit = most if too_short else output_tokens(wanted.question, most)
        said = yield from self._call(model, wanted, limit, shown, calls, show=show)
        if said.cut and said.not_covered and limit < most:
            self._roomy.add(about.name)
            said = yield from self._call(model, wanted, most, shown, calls, show=show)
        return said

    def _call(
        self, model: Model, wanted: Wanted, limit: int, shown: str, calls: list[Call], *, show: bool
    ) -> Generator[str, None, _Said]:
        """One call of one model, noted in calls. show: tell the pieces as they come; else "" for each, a sign of life.
        shown: the question's signs.
        """
        about = model.endpoint
        room = prompt.room_for_context(
            self._tokens,
            wanted.question,
            budget=self._settings.context_budget_tokens,
            window=about.window_tokens,
            output=limit,
        )
        packed = pack(wanted.reading, self._tokens, room, self._settings.packing)
        asked = prompt.user_message(packed.context, wanted.question)
        messages = [SystemMessage(prompt.SYSTEM), HumanMessage(asked)]
        said = _Said(flagged=packed.flagged)
        try:
            for piece in stream_text(model.limit(model.client, limit), messages, self._settings.llm_retries):
                said.text, said.usage, said.cut = said.text + piece.text, piece.usage, piece.cut
                # Held back while it may still turn out to be the mark for "not covered".
                if show and not prompt.may_be_not_covered(said.text):
                    yield said.text[len(said.shown) :]
                    said.shown = said.text
                else:
                    yield ""
        except LLMFailed as error:
            said.error = error
        if show and said.error is None and not said.not_covered and not said.shown:
            yield said.text
            said.shown = said.text
        if said.error is None:
            said.checked = prompt.check(said.text, packed, wanted.question)
        calls.append(self._noted(model, wanted, said, packed, shown))
        return said

    def _noted(self, model: Model, wanted: Wanted, said: _Said, packed: Packed, shown: str) -> Call:
        """What the provider says of tokens counts; for a server that says nothing they are counted here."""
        about = model.endpoint
        # A prompt of no tokens: the server told them where the client does not look (Anthropic's protocol).
        if said.usage and said.usage["input_tokens"]:
            spent, made = said.usage["input_tokens"], said.usage["output_tokens"]
        elif said.error is not None and not said.text:
            spent, made = 0, 0
        else:
            spent = prompt.prompt_tokens(self._tokens, packed.context, wanted.question)
            made = self._tokens.count(said.text)
        return Call(
            rung=about.rung,
            model=about.name,
            signs=shown,
            outcome=_outcome(said, wanted.reading.confidence),
            prompt_tokens=spent,
            completion_tokens=made,
            cost_micros=about.cost_micros(spent, made),
            ms=round((time.perf_counter() - said.begun) * 1000, 2),
        )


def _outcome(said: _Said, confidence: float) -> Outcome:
    if said.error is not None or said.checked is None:
        return "failed"
    if said.cut:
        return "cut_off"
    if said.not_covered:
        return "denied" if confidence >= _READER_SURE else "not_covered"
    if said.checked.dropped or not said.checked.citations:
        return "citations"
    return "answered" if said.checked.grounded and said.checked.agreement >= _LEAST_AGREEMENT else "disagrees"


def _reply(said: _Said, call: Call) -> Reply:
    if said.error is not None or said.checked is None:
        return Reply(model=call.model, error=said.error)
    if said.not_covered:
        if said.cut:
            message = (
                f"The language model spent all of its {call.completion_tokens} tokens before it answered; raise "
                "ZUINIG_LLM_MAX_OUTPUT_TOKENS."
            )
            return Reply(model=call.model, error=LLMFailed(message, code="llm_cut_off"))
        return Reply(model=call.model)
    checked = said.checked
    kept = len(checked.citations)
    return Reply(
        text=checked.text,
        citations=checked.citations,
        confidence=round(kept / max(1, kept + checked.dropped), 3),
        sound=bool(kept) and not checked.dropped and checked.grounded and not said.cut,
        flagged=said.flagged,
        model=call.model,
    )
