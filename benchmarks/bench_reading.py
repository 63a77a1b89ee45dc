"""The specialist reader: what it ranks first, what it packs, what it answers alone, and how long it reads.

Three sets of documents are ingested as a company's are, and their questions asked of the service's own search: SQuAD,
with questions on articles that no reader was trained on; and privacy policies and papers, of which it never saw any.
Of SQuAD and of the papers no article is asked about that `fit_reader` fitted on. All is measured on the same passages
found. Time for reading is not limited, so that figures but those of time do not depend on the machine.

Packing: `kept` is the share of the questions that plain RAG's context, the first five passages in full, holds an
acceptable answer to, word for word, whose answer stands in the smaller context too; `evidence kept` the same of those
questions alone for which one of the five passages is out of the paragraph that was asked about: elsewhere an answer of
a word or two stands by chance. `of plain RAG`: mean tokens beside its. Each way to pack has settings; the summary reads
off its best curve.

The specialist: an answer is right where one of its quotes says an acceptable answer, out of the paragraph that was
asked about; then the same with what is said elsewhere in the document counted as right too. Policies and papers say
many things more than once in other words, and only one place is marked: what is right there is more than what counts.
Of the questions on policies, which are categories, the label says next to nothing on that.
"""

import argparse
import logging
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import structlog

from benchmarks.lookups import Stages, alternate
from benchmarks.packers import BUDGETS, peers
from benchmarks.stands import stands
from zuinig.app.services import Services
from zuinig.core.settings import Settings
from zuinig.core.tokens import Tokens
from zuinig.core.types import Hit, Packing
from zuinig.memory.evaluate import Interval, wilson
from zuinig.retrieval import evidence, sentences
from zuinig.retrieval.embed import MODELS
from zuinig.retrieval.pack import baseline, pack
from zuinig.retrieval.read import Reading, Specialist
from zuinig.retrieval.reader import Reader
from zuinig.retrieval.sentences import Sentence
from zuinig.training import document_sets
from zuinig.training.document_sets import Asked, DocumentSet
from zuinig.training.fit_reader import holds, says
from zuinig.training.streams import served_at

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_SETS = {"squad": document_sets.squad, "policyqa": document_sets.policies, "covid_qa": document_sets.papers}
_KEPT = 0.98
_FRACTION = 1 / 8
_WRONG = 0.05
_STAGES = ("reader", "sentences", "features")


@dataclass(frozen=True, slots=True)
class Found:
    """holding: the passages, by id, that hold the answer."""

    asked: Asked
    hits: Sequence[Hit]
    reading: Reading
    holding: frozenset[int]


@dataclass(frozen=True, slots=True)
class Packed:
    """Of one way to pack: tokens (n,) and whether the answer stands in the context (n,), by question."""

    name: str
    setting: str
    tokens: Floats
    kept: Flags


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder that holds squad_dev, {', '.join(_SETS)}")
    parser.add_argument("--questions", type=int, default=500, help="of each set, and as many that have no answer")
    parser.add_argument("--reader", type=Path, default=MODELS / Settings.model_fields["reader"].default)
    parser.add_argument("--sets", nargs="+", choices=_SETS, default=list(_SETS))
    parser.add_argument(
        "--timed", type=int, default=100, help="how many questions reading is timed on, of the first set"
    )
    parser.add_argument("--errors", type=int, default=0, help="list so many apparent errors of each set")
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    logging.getLogger("langchain_text_splitters").setLevel(logging.ERROR)  # of each chunk that is longer than asked for
    for n, name in enumerate(args.sets):
        found = _SETS[name](args.data)
        with tempfile.TemporaryDirectory() as folder:
            print(f"{name}: ingesting {len(found.texts)} documents", file=sys.stderr, flush=True)
            services = document_sets.ingest(found.texts, Path(folder), reader=args.reader)
            timed = 0 if n else args.timed
            measure(services, found, args.reader, args.questions, timed=timed, listed=args.errors)
            services.close()


def measure(services: Services, found: DocumentSet, model: Path, questions: int, *, timed: int, listed: int) -> None:
    reader = Reader(model, threads=services.settings.embed_threads)
    specialist = _specialist(services, reader, services.settings.reader_passages)
    cases = list(_read(services, specialist, found.sample(questions, questions)))
    answerable = [case for case in cases if case.asked.answers]
    print(
        f"\n{found.name}: {len(found.texts)} documents, {len(answerable)} questions with an answer and "
        f"{len(cases) - len(answerable)} without, {specialist.passages} passages read"
    )
    ranking(answerable)
    packing(services, answerable, specialist.passages)
    alone(found, cases)
    errors(cases, listed)
    if timed:
        latency(services, reader, cases, timed)


def _specialist(services: Services, reader: Reader, passages: int) -> Specialist:
    budget = services.settings.specialist_wrong_budget
    return Specialist(reader, wrong_budget=budget, passages=passages)


def _read(services: Services, specialist: Specialist, asked: Sequence[Asked]) -> Iterator[Found]:
    for n, a in enumerate(asked):
        if n % 100 == 0:
            print(f"  {n} of {len(asked)} read", file=sys.stderr, flush=True)
        hits = services.search.search(a.question, specialist.passages)
        holding = frozenset(hit.passage_id for hit in hits if any(holds(s, a) for s in sentences.of_hit(hit)))
        yield Found(a, hits, specialist.read(a.question, hits), holding)


def ranking(cases: Sequence[Found]) -> None:
    _head("passages, by", "recall@1", "@5", "@10")
    orders: dict[str, Callable[[Found], Sequence[Hit]]] = {
        "search": lambda c: c.hits,
        "reader": lambda c: c.reading.hits,
    }
    for name, order in orders.items():
        shares = [
            wilson(sum(any(h.passage_id in c.holding for h in order(c)[:k]) for c in cases), len(cases))
            for k in (1, 5, 10)
        ]
        print(f"| {name} | {' | '.join(map(_shown, shares))} |")


def packing(services: Services, cases: Sequence[Found], passages: int) -> None:
    plain = _packed("plain RAG", "five passages", [baseline(c.hits) for c in cases], cases, services.tokens)
    asked = [c for c, kept in zip(cases, plain.kept, strict=True) if kept]
    tokens = float(plain.tokens[plain.kept].mean())
    evident = np.array([any(h.passage_id in c.holding for h in c.hits[:5]) for c in asked])
    print(
        f"\nPlain RAG: {plain.tokens.mean():.0f} tokens, the answer in them of "
        f"{_shown(wilson(plain.kept.sum(), len(cases)))}; evidence of {evident.sum()} of those {len(asked)}"
    )
    made = [*_ours(asked, services.tokens), *_theirs(asked, services, passages)]
    by_name: dict[str, list[Packed]] = {}
    for packed in made:
        by_name.setdefault(packed.name, []).append(packed)
    _head("packed by", f"of plain RAG where {_KEPT:.0%} kept", "evidence", f"kept at {_FRACTION}", "evidence")
    for name, settings in by_name.items():
        curves = [
            curve([(p.tokens.mean() / tokens, float(p.kept[chosen].mean())) for p in settings])
            for chosen in (np.ones(len(asked), bool), evident)
        ]
        cells = [*map(_least, curves), *(f"{np.interp(_FRACTION, *zip(*c, strict=True)):.1%}" for c in curves)]
        print(f"| {name} | {' | '.join(cells)} |")
    _head("packed by", "setting", "tokens", "of plain RAG", "kept", "evidence kept")
    for p in made:
        kept = _shown(wilson(p.kept.sum(), len(p.kept)))
        fraction = _fraction(p.tokens.mean() / tokens)
        print(
            f"| {p.name} | {p.setting} | {p.tokens.mean():.0f} | {fraction} | {kept} | {p.kept[evident].mean():.1%} |"
        )


def _ours(cases: Sequence[Found], tokens: Tokens) -> Iterator[Packed]:
    for level in (Packing.SENTENCES, Packing.TIGHT):
        for budget in BUDGETS:
            contexts = [pack(c.reading, tokens, budget, level).context for c in cases]
            yield _packed(f"Zuinig, {level}", f"{budget} tokens", contexts, cases, tokens)


def _theirs(cases: Sequence[Found], services: Services, passages: int) -> Iterator[Packed]:
    for packer in peers(services.embedder, services.tokens, passages):
        contexts = [packer.pack(c.asked.question, c.hits) for c in cases]
        yield _packed(packer.name, packer.setting, contexts, cases, services.tokens)


def _packed(name: str, setting: str, contexts: Sequence[str], cases: Sequence[Found], tokens: Tokens) -> Packed:
    return Packed(
        name,
        setting,
        np.array([tokens.count(context) for context in contexts], float),
        np.array([stands(context, c.asked.answers) for context, c in zip(contexts, cases, strict=True)]),
    )


def curve(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of (fraction of tokens, share kept) those that no cheaper one equals, rising, from nothing on."""
    best = [(0.0, 0.0)]
    for fraction, kept in sorted(points, key=lambda p: (p[0], -p[1])):
        if kept > best[-1][1]:
            best.append((fraction, kept))
    return best


def _least(points: Sequence[tuple[float, float]]) -> str:
    """The fraction at which so much is kept, between two settings in proportion."""
    if points[-1][1] < _KEPT:
        return f"not reached: {points[-1][1]:.1%} at {points[-1][0]:.3f}"
    return _fraction(float(np.interp(_KEPT, [kept for _, kept in points], [f for f, _ in points])))


def _fraction(of: float) -> str:
    return f"{of:.3f}, 1/{1 / of:.1f}" if of else "0"


def alone(found: DocumentSet, cases: Sequence[Found]) -> None:
    """What the specialist answers without a language model."""
    can = np.array([bool(c.asked.answers) for c in cases])
    answered = np.array([bool(c.reading.quotes) for c in cases])
    _head("the specialist", "share")
    print(f"| answered, of the questions with an answer | {_shown(wilson(answered[can].sum(), can.sum()))} |")
    if not can.all():
        print(f"| not answered, of the questions without | {_shown(wilson((~answered[~can]).sum(), (~can).sum()))} |")
    for where, right in (("", _right), (", taking the answer from all over the document", _said)):
        wrong = answered & ~np.array([right(c.reading.quotes, c.asked) for c in cases])
        share = _shown(wilson(wrong[can].sum(), answered[can].sum()))
        print(f"| wrong, of what it answers of those with{where} | {share} |")
        if not can.all():
            # As many without an answer as there are beside those with one, in the documents that have both.
            both_kinds = {a.document for a in found.asked if not a.answers}
            natural = np.mean([not a.answers for a in found.asked if a.document in both_kinds])
            natural /= 1 - natural
            each = natural * can.sum() / (~can).sum()
            of = answered[can].sum() + each * answered[~can].sum()
            both = wilson(wrong[can].sum() + each * wrong[~can].sum(), of)
            print(f"| wrong, with {natural:.2f} without to each with an answer{where} | {_shown(both)} |")
        closest = np.array([right(c.reading.closest, c.asked) for c in cases])[can]
        confidence = np.array([c.reading.confidence for c in cases])[can]
        most = served_at(confidence, closest, int(can.sum()), _WRONG)[0]
        print(f"| right, of those with, at {_WRONG:.0%} wrong by a threshold chosen afterwards{where} | {most:.1%} |")
        print(f"| right, of those with, were it always to answer{where} | {_shown(wilson(closest.sum(), can.sum()))} |")


def _right(quotes: Sequence[Sentence], asked: Asked) -> bool:
    return any(holds(quote, asked) for quote in quotes)


def _said(quotes: Sequence[Sentence], asked: Asked) -> bool:
    """Or says an acceptable answer somewhere else in the document."""
    return any(says(quote, asked) for quote in quotes)


def errors(cases: Sequence[Found], most: int) -> None:
    """The surest of what it answers, or would, that counts as wrong."""
    wrong = [c for c in cases if not _right(c.reading.closest, c.asked)]
    for c in sorted(wrong, key=lambda c: -c.reading.confidence)[:most]:
        says = " / ".join(" ".join(quote.text.split()) for quote in c.reading.closest)
        print(f"{c.reading.confidence:.3f} {c.asked.question} | {c.asked.answers} | {says}")


def latency(services: Services, reader: Reader, cases: Sequence[Found], count: int) -> None:
    chosen = random.Random(1).sample(list(cases), min(count, len(cases)))
    by_question = {c.asked.question: c for c in chosen}
    stages = Stages()
    stages.watch(reader, "read", "reader")
    stages.watch(sentences, "of_hit", "sentences")
    stages.watch(evidence, "features", "features")

    def reads(passages: int) -> Callable[[str], bool]:
        specialist = _specialist(services, reader, passages)

        def read(question: str) -> bool:
            case = by_question[question]
            return bool(specialist.read(question, case.hits).quotes)

        return read

    most = services.settings.reader_passages
    finders = {f"top {n}": reads(n) for n in (most, most // 2)}
    taken = alternate(finders, list(by_question), stages, warm_up=min(10, len(by_question)))
    _head("ms to read", "p50", "p95", *(f"{stage} p50" for stage in (*_STAGES, "rest")))
    for name, of in taken.items():
        parts = " | ".join(f"{of.at(0.5, stage):.1f}" for stage in (*_STAGES, "rest"))
        print(f"| {name} | **{of.at(0.5):.0f}** | {of.at(0.95):.0f} | {parts} |")


def _head(*names: str) -> None:
    print(f"\n| {' | '.join(names)} |\n{'| --- ' * len(names)}|")


def _shown(of: Interval) -> str:
    return f"{of.share:.1%} ({of.low:.1%} to {of.high:.1%})"


if __name__ == "__main__":
    main()
