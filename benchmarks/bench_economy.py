"""The token economy from end to end: prompt tokens of plain RAG, of RAG behind GPTCache and of Zuinig, for one stream.

Documents are those of SQuAD's development sets, questions those on articles that neither the reader nor what is fitted
on it saw. One question in ten has no answer in them, by SQuAD 2.0's people, who wrote it to look as though it had. Of
the stream a share, --repeats, was asked before, by a colleague: 25 % of these in the same words, 20 % typed otherwise
(case, punctuation), 20 % in a sentence ("Could you tell me: ...") and 35 % in other words, written by a language model
for the 113 questions that are asked most. Which is repeated is drawn by how often it was asked: few are asked much,
most once. All questions are about four articles, many about the same paragraph: near misses of each other.

The model is a server that reads honestly (`honest_model`) and counts the tokens of each prompt it gets, o200k. All
search the same passages; plain RAG sends the first five of them in full, under the same system prompt. GPTCache stands
before plain RAG: a question that it serves costs nothing, any other what plain RAG's cost; it keeps each reply. It runs
at its default threshold, and at the one, of those in steps of 0.01 and chosen afterwards, that spends least while no
more of its answers are wrong than Zuinig's.

Right: an acceptable answer stands in what was answered, word for word, or it was said that there is none, and there is
none. Missed: it was said that there is none. Wrong: all else. Time for reading is not limited, so that no figure
depends on the machine.
"""

import argparse
import json
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog
from gptcache.adapter import api
from langchain_core.messages import HumanMessage, SystemMessage

from benchmarks import repeats
from benchmarks.gptcaches import DEFAULT_THRESHOLD, open_cache
from benchmarks.honest_model import HonestModel
from benchmarks.repeats import Asking
from benchmarks.stands import Verdict, judge
from zuinig.app import llm, prompt
from zuinig.app.asked import Ask
from zuinig.app.llm import openai
from zuinig.app.services import Services, build
from zuinig.core.settings import Settings
from zuinig.core.types import Hit, Principal, Scope, Source
from zuinig.memory.evaluate import wilson
from zuinig.retrieval.embed import MODELS, Vectors
from zuinig.retrieval.pack import BASELINE_PASSAGES, baseline
from zuinig.retrieval.read import Reading
from zuinig.training import document_sets

_WRITTEN = Path(__file__).parent / "data" / "squad_rewordings.jsonl"
_ASKER = Principal("key_benchmark", "key_benchmark", "benchmark", frozenset({Scope.ADMIN}))
_NO_HURRY_S = 600
_STEPS = 20  # thresholds of GPTCache above its default one

Rung = Literal["memory", "specialist", "llm", "none", "cache"]


@dataclass(frozen=True, slots=True)
class Told:
    """said: None where the asker was told that there is no answer. tokens: of the prompts that it took."""

    rung: Rung
    said: str | None
    tokens: int
    calls: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds squad_dev")
    parser.add_argument("--questions", type=int, default=400, help="in the stream")
    parser.add_argument("--repeats", type=float, default=0.5, help="share of them that was asked before")
    parser.add_argument("--reader", type=Path, default=MODELS / Settings.model_fields["reader"].default)
    parser.add_argument("--errors", action="store_true", help="list what Zuinig answers wrongly")
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    found, written = document_sets.squad(args.data), repeats.rewordings(_WRITTEN)
    try:
        stream = repeats.stream(repeats.pool(found.asked, written), written, args.questions, repeats=args.repeats)
    except ValueError as error:
        parser.error(str(error))
    _describe(stream, len(found.texts))
    with tempfile.TemporaryDirectory() as folder:
        print(f"ingesting {len(found.texts)} documents", file=sys.stderr, flush=True)
        services = document_sets.ingest(found.texts, Path(folder, "zuinig"), reader=args.reader)
        model = HonestModel(services.tokens, {a.text: a.asked.answers for a in stream})
        services.close()
        services = _with_model(services.settings, model)
        report(run(services, model, stream, Path(folder)), stream, errors=args.errors)
        services.close()
        model.close()


def _with_model(settings: Settings, model: HonestModel) -> Services:
    changes = {
        "llm": "openai:honest",
        "llm_base_url": model.url,
        "reader_timeout_ms": _NO_HURRY_S * 1000.0,
        "verifier_timeout_s": float(_NO_HURRY_S),
    }
    return build(settings.model_copy(update=changes))


def run(services: Services, model: HonestModel, stream: Sequence[Asking], folder: Path) -> dict[str, list[Told]]:
    """What each contender told, in the order of the stream."""
    # The documents stay as they are: what was found and read for a question serves all contenders that ask it.
    _keep_readings(services)
    plain = _each("plain RAG", stream, _plain(services, model))
    vectors = dict(zip((a.text for a in stream), services.embedder.embed([a.text for a in stream]), strict=True))
    told = {"plain RAG": plain}
    told[f"RAG + GPTCache, default ({DEFAULT_THRESHOLD})"] = _cached(stream, plain, vectors, folder, DEFAULT_THRESHOLD)
    skipped = _each("Zuinig without memory", stream, _zuinig(services, model, remember=False))
    ours = _each("Zuinig", stream, _zuinig(services, model, remember=True))
    most = _count(ours, stream)["wrong"]
    best: tuple[int, float, list[Told]] | None = None
    print("GPTCache: choosing its threshold", file=sys.stderr, flush=True)
    for step in range(_STEPS + 1):
        threshold = round(DEFAULT_THRESHOLD + (1 - DEFAULT_THRESHOLD) * step / _STEPS, 4)
        cached = _cached(stream, plain, vectors, folder, threshold)
        if _count(cached, stream)["wrong"] <= most and (best is None or _spent(cached) < best[0]):
            best = _spent(cached), threshold, cached
    if best is not None:
        told[f"RAG + GPTCache, no more wrong ({best[1]})"] = best[2]
    return {**told, "Zuinig without memory": skipped, "Zuinig": ours}


def _keep_readings(services: Services) -> None:
    read, kept = services.specialist.read, dict[str, Reading]()

    def once(question: str, hits: Sequence[Hit]) -> Reading:
        if question not in kept:
            kept[question] = read(question, hits)
        return kept[question]

    services.specialist.read = once  # type: ignore[method-assign]


def _each(name: str, stream: Sequence[Asking], tell: Callable[[str], Told]) -> list[Told]:
    told = []
    for n, asking in enumerate(stream):
        if n % 50 == 0:
            print(f"{name}: {n} of {len(stream)}", file=sys.stderr, flush=True)
        told.append(tell(asking.text))
    return told


def _plain(services: Services, model: HonestModel) -> Callable[[str], Told]:
    (endpoint,) = llm.endpoints(services.settings)
    client = openai.build(endpoint)

    def tell(question: str) -> Told:
        hits = services.search.search(question, BASELINE_PASSAGES)
        asked = prompt.user_message(baseline(hits), question)
        before = model.spent
        messages = [SystemMessage(prompt.SYSTEM), HumanMessage(asked)]
        said = "".join(chunk.text for chunk in client.stream(messages))
        return Told("llm", _unless_none(said), model.spent - before, 1)

    return tell


def _unless_none(said: str) -> str | None:
    return None if said.startswith(prompt.NOT_COVERED) else said


def _cached(
    stream: Sequence[Asking], plain: Sequence[Told], vectors: Mapping[str, Vectors], folder: Path, threshold: float
) -> list[Told]:
    """What plain RAG told stands for what it would tell again: its model says the same to the same."""
    told = []
    with tempfile.TemporaryDirectory(dir=folder) as own:
        dimension = len(vectors[stream[0].text])
        cache = open_cache(Path(own), vectors.__getitem__, dimension, room=2 * len(stream), threshold=threshold)
        for asking, anew in zip(stream, plain, strict=True):
            kept = api.get(asking.text, cache_obj=cache)
            if kept is None:
                api.put(asking.text, anew.said or prompt.NOT_COVERED, cache_obj=cache)
            told.append(anew if kept is None else Told("cache", _unless_none(kept), 0, 0))
    return told


def _zuinig(services: Services, model: HonestModel, *, remember: bool) -> Callable[[str], Told]:
    def tell(question: str) -> Told:
        spent, calls = model.spent, model.calls
        ask = Ask(question) if remember else Ask(question, memory="skip", recorded=False)
        answered = services.answers.ask(ask, _ASKER)
        said = None if answered.source is Source.NONE else answered.answer
        return Told(answered.source.value, said, model.spent - spent, model.calls - calls)

    return tell


def report(contenders: Mapping[str, Sequence[Told]], stream: Sequence[Asking], *, errors: bool) -> None:
    plain = _spent(contenders["plain RAG"])
    _head("", "prompt tokens", "a question", "fewer than plain RAG", "calls", "right", "missed", "wrong")
    for name, told in contenders.items():
        tokens, counted = _spent(told), _count(told, stream)
        shares = " | ".join(_shown(counted[v], len(stream)) for v in ("right", "missed", "wrong"))
        fewer = f"{plain / tokens:.1f} times" if tokens else "all"
        each = f"{tokens / len(stream):.0f}"
        print(f"| {name} | {tokens} | {each} | {fewer} | {sum(t.calls for t in told)} | {shares} |")
    _head("Zuinig, answered by", "questions", "prompt tokens", "right", "missed", "wrong")
    ours = contenders["Zuinig"]
    for rung in ("memory", "specialist", "llm", "none"):
        pairs = [(t, a) for t, a in zip(ours, stream, strict=True) if t.rung == rung]
        counted = _count([t for t, _ in pairs], [a for _, a in pairs])
        shares = " | ".join(str(counted[v]) for v in ("right", "missed", "wrong"))
        print(f"| {rung} | {len(pairs)} | {_spent([t for t, _ in pairs])} | {shares} |")
    _by_kind(contenders, stream)
    for told, asking in zip(ours, stream, strict=True) if errors else ():
        if _verdict(told, asking) == "wrong":
            row = [told.rung, asking.kind, asking.text, asking.asked.question, asking.asked.answers, told.said]
            print(json.dumps(row, ensure_ascii=False))


def _by_kind(contenders: Mapping[str, Sequence[Told]], stream: Sequence[Asking]) -> None:
    """How many of each kind of question came out of a memory."""
    names = [name for name in contenders if name == "Zuinig" or "GPTCache" in name]
    _head("asked", "questions", *(f"of memory, {name} (wrong)" for name in names))
    for kind, count in Counter(a.kind for a in stream).items():
        cells = []
        for name in names:
            pairs = [(t, a) for t, a in zip(contenders[name], stream, strict=True) if a.kind == kind]
            served = [_verdict(t, a) for t, a in pairs if t.rung in ("memory", "cache")]
            cells.append(f"{len(served)} ({served.count('wrong')})")
        print(f"| {kind} | {count} | {' | '.join(cells)} |")


def _describe(stream: Sequence[Asking], documents: int) -> None:
    distinct = Counter(a.asked.question for a in stream)
    kinds = Counter(a.kind for a in stream)
    without = sum(not a.asked.answers for a in stream)
    print(
        f"{len(stream)} questions of {documents} documents, {len(distinct)} distinct, the one asked most "
        f"{max(distinct.values())} times; {without / len(stream):.0%} without an answer; "
        + ", ".join(f"{n / len(stream):.0%} {kind}" for kind, n in kinds.most_common())
    )


def _verdict(told: Told, asking: Asking) -> Verdict:
    return judge(told.said, asking.asked.answers)


def _count(told: Sequence[Told], stream: Sequence[Asking]) -> Counter[Verdict]:
    return Counter(_verdict(t, a) for t, a in zip(told, stream, strict=True))


def _spent(told: Sequence[Told]) -> int:
    return sum(t.tokens for t in told)


def _shown(count: int, of: int) -> str:
    found = wilson(count, of)
    return f"{found.share:.1%} ({found.low:.1%} to {found.high:.1%})"


def _head(*names: str) -> None:
    print(f"\n| {' | '.join(names)} |\n{'| --- ' * len(names)}|")


if __name__ == "__main__":
    main()
