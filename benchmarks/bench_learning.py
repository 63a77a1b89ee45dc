"""The learning curve: how many calls of a language model a service saves after so many dialogs, once it is trained.

    scripts/bench learning --data ../shared/data --domain covid_qa|policyqa [--dialogs 0,200,1000] [--kinds reader]

The domain's documents are ingested into a service of its own. Its questions are asked in a random order and answered by
the ladder, whose language model is scripted: it answers with the sentence that holds the answer that people marked, and
cites it, where that is in what it was sent, and else says that it is not covered. After so many dialogs the models are
trained on the memory as `zuinig train` does, which takes a new one only if it is better. Held-out questions, which are
never asked, then meet memory and specialist: what neither answers would go to the language model.

A right answer holds the marked answer in the paragraph that it was marked in; the same said elsewhere counts as wrong,
so that the shares of wrong answers are upper bounds.
"""

import argparse
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from zuinig.app import logs, prompt
from zuinig.app.asked import Ask
from zuinig.app.services import Services, build, follow_models
from zuinig.core.errors import BadRequest
from zuinig.core.settings import Settings
from zuinig.core.types import Citation, Principal, Scope
from zuinig.retrieval.read import cite
from zuinig.retrieval.sentences import split
from zuinig.training import document_sets, from_memory
from zuinig.training.document_sets import Asked

_DOMAINS = {"covid_qa": document_sets.papers, "policyqa": document_sets.policies}
_SOURCE = re.compile(r"^\[(\d+)\] ", re.MULTILINE)
_MARK = re.compile(r"\[\d+\]")


class Scripted(BaseChatModel):
    """Answers with the marked sentence. calls: how often it was asked."""

    known: dict[str, Any]
    calls: int = 0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        chunks = [c.message.text for c in self._stream(messages)]
        return ChatResult(generations=[ChatGeneration(message=AIMessageChunk("".join(chunks)))])

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        self.calls += 1
        sources, _, question = messages[-1].text.rpartition("\n</sources>\nQuestion: ")
        about = {"finish_reason": "stop"}
        text = self._answer(sources, self.known[question])
        yield ChatGenerationChunk(message=AIMessageChunk(text, response_metadata=about))

    def _answer(self, sources: str, asked: Asked) -> str:
        marks = [*_SOURCE.finditer(sources)]
        for mark, after in zip(marks, [*marks[1:], None], strict=True):
            text = sources[mark.end() : after.start() if after else len(sources)]
            for start, end in split(text):
                if says(text[start:end], asked):
                    return f"{_MARK.sub('', text[start:end])} [{mark[1]}]"
        return prompt.NOT_COVERED


def says(sentence: str, asked: Asked) -> bool:
    """Whether it holds a marked answer, or is most of one, out of the paragraph that it was marked in."""
    text, around = _folded(sentence), _folded(asked.around)
    if len(text) < 20 or (text not in around and around not in text and text[: len(text) // 2] not in around):
        return False
    return any(a in text or (text in a and 2 * len(text) >= len(a)) for a in map(_folded, asked.answers))


def _folded(text: str) -> str:
    return " ".join(text.split())


def right(citations: Sequence[Citation], asked: Asked) -> bool:
    return any(_folded(asked.document) in _folded(c.title) and says(c.quote, asked) for c in citations)


def measure(services: Services, held: Sequence[Asked]) -> str:
    """What would answer each held-out question; nothing is recorded."""
    by, wrong, first = Counter[str](), Counter[str](), 0
    for asked in held:
        found = services.recall.find(asked.question)
        if found.hit is not None:
            rung, citations = "memory", [Citation(**c) for c in found.hit.citations]
        else:
            vector = services.embedder.embed([asked.question])
            hits = services.search.search(asked.question, services.specialist.passages, vector=vector)
            reading = services.specialist.read(asked.question, hits)
            first += bool(reading.sentences) and says(reading.sentences[0].text, asked)
            rung = "specialist" if reading.quotes else "llm" if reading.near else "none"
            citations = [cite(s) for s in reading.quotes]
        by[rung] += 1
        wrong[rung] += rung in ("memory", "specialist") and not right(citations, asked)
    n, alone = len(held), by["memory"] + by["specialist"]
    saved, mistaken = alone / n, (wrong["memory"] + wrong["specialist"]) / max(alone, 1)
    shares = ", ".join(f"{rung} {by[rung] / n:.1%}" for rung in ("memory", "specialist", "llm", "none"))
    return (
        f"{shares}; calls saved per 100 questions: {100 * saved:.1f}, of them wrong {mistaken:.1%} "
        f"({wrong['memory'] + wrong['specialist']} of {alone}); likeliest sentence right: {first / n:.1%} of {n}"
    )


def teach(services: Services, kind: Any, minutes: float, threads: int) -> str:
    begun = time.monotonic()
    try:
        found = from_memory.run(services, kind, from_memory.by_torch(minutes, threads))
    except BadRequest as error:
        return f"{kind}: {error.message}"
    return f"{kind}: {found.verdict.why} ({(time.monotonic() - begun) / 60:.1f} min)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--domain", choices=_DOMAINS, default="covid_qa")
    parser.add_argument("--dialogs", default="0,200,1000")
    parser.add_argument("--held", type=int, default=200, help="questions to measure on")
    parser.add_argument("--kinds", default="reader", help="what is trained, such as reader,embedder")
    parser.add_argument("--passages", type=int, default=10, help="ZUINIG_READER_PASSAGES")
    parser.add_argument("--minutes", type=float, default=60, help="the longest that one training may take")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    found = _DOMAINS[args.domain](args.data)
    asked = [a for a in found.asked if a.answers]
    random.Random(1).shuffle(asked)
    held, asked = asked[: args.held], asked[args.held :]
    # What the reader that comes along was fitted on may be asked; it is not reported on.
    fitted = document_sets.papers(args.data, kept_for="fit").asked if args.domain == "covid_qa" else ()
    asked += [a for a in fitted if a.answers]
    random.Random(2).shuffle(asked)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            ingest_workers=0,
            llm="openai:scripted",
            llm_base_url="http://127.0.0.1:9/v1",
            reader_passages=args.passages,
            reader_timeout_ms=60_000,
        )
        logs.configure(settings.model_copy(update={"log_level": "warning"}))
        llm = Scripted(known={a.question: a for a in asked})
        services = build(settings, llm=llm)
        document_sets.fill(services, found.texts)
        print(f"{args.domain}: {len(found.texts)} documents, {services.passages.count()} passages", flush=True)
        asker, done = Principal("bench", "bench", "bench", frozenset(Scope)), 0
        for goal in map(int, args.dialogs.split(",")):
            before, sources = llm.calls, Counter[str]()
            for n, question in enumerate(asked[done:goal], done + 1):
                sources[services.answers.ask(Ask(question.question), asker).source] += 1
                if n % 50 == 0:
                    print(f"  {n} dialogs, answered by {dict(sources)}, {llm.calls - before} calls", flush=True)
            done = min(goal, len(asked))
            if done:
                for kind in args.kinds.split(","):
                    print(f"after {done} dialogs, {teach(services, kind, args.minutes, args.threads)}", flush=True)
                    if kind == "embedder":
                        services.close()
                        services = build(settings, llm=llm)
                follow_models(settings, services.specialist, services.verifier)
            print(f"after {done} dialogs: {measure(services, held)}", flush=True)
        services.close()
