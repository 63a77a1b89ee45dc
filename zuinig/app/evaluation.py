"""How well the ladder answers questions whose answers are known, by rung, and what it spends beside plain RAG.

An answer is right where it holds the expected one word for word, or where the two share enough words (token F1 of at
least one half, as SQuAD counts it). Nothing is recorded: neither ledger nor memory knows of it afterwards.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.app.answer import Answers
from zuinig.app.asked import Answered, Ask
from zuinig.core.errors import LLMFailed, NotFound
from zuinig.core.tables import Document
from zuinig.core.types import Principal, ProgressReport, Source
from zuinig.memory.evaluate import Interval, wilson

RIGHT_FROM_F1 = 0.5

_WORD = re.compile(r"\w+")
_MARK = re.compile(r"\[\d{1,3}\]")
_ARTICLES = frozenset("a an the de het een".split())

Verdict = Literal["right", "wrong", "abstained", "failed"]


@dataclass(frozen=True, slots=True)
class Case:
    """expected: any of them will do; none where the documents do not answer it. document: the id, path, file name or
    title of what should be cited.

    contains: where given, what must all stand in the answer, and then nothing else is looked at.
    """

    question: str
    expected: tuple[str, ...]
    contains: tuple[str, ...] = ()
    collection: str | None = None
    document: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """cited: whether the document that should be cited was; None where none was named or nothing was answered.

    how: what made it right. abstained is right where nothing is expected.
    """

    case: Case
    verdict: Verdict
    how: Literal["contained", "overlap"] | None
    source: Source | None
    answer: str
    cited: bool | None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    baseline_tokens: int = 0
    cost: float = 0.0
    baseline_cost: float = 0.0
    ms: float = 0.0
    without_budget: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the questions that ended on one rung, or of all. Shares with their 95 % intervals (Wilson).

    right, wrong: of those answered. by_overlap: how many of the right ones only share enough words.
    cited: of those answered for which a document was named.
    """

    questions: int
    answered: int
    right: Interval
    wrong: Interval
    by_overlap: int
    cited: Interval
    prompt_tokens: int
    completion_tokens: int
    baseline_tokens: int
    cost: float
    baseline_cost: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """answered: of the questions that have an answer; abstained: of those that have none, told so.

    without_budget: how many were answered without a language model, since a budget is used up. failed: the language
    model did not answer, and nothing could be quoted.
    """

    total: Figures
    rungs: dict[str, Figures]
    answered: Interval
    abstained: Interval
    failed: int
    without_budget: int
    judged: tuple[Judged, ...]


def evaluate_answers(
    answers: Answers,
    cases: Sequence[Case],
    documents: Mapping[str, frozenset[str]],
    principal: Principal,
    *,
    memory: Literal["use", "skip"],
    llm: Literal["allow", "never"],
    progress: ProgressReport,
) -> Report:
    """Asks one after the other. documents: see `named`. Raises NotFound for a collection that is not there."""
    judged = []
    for number, case in enumerate(cases, 1):
        collections = [case.collection] if case.collection else None
        ask = Ask(case.question, collections=collections, memory=memory, llm=llm, recorded=False)
        try:
            judged.append(_judge(case, answers.ask(ask, principal), documents.get(case.document or "", frozenset())))
        except LLMFailed as error:
            judged.append(Judged(case, "failed", None, None, error.message, None))
        progress(number, len(cases))
    return report(judged)


def named(session: Session, cases: Sequence[Case]) -> dict[str, frozenset[str]]:
    """The ids of the documents that each name in the cases may mean. Raises NotFound for a name without any."""
    found: dict[str, set[str]] = {case.document: set() for case in cases if case.document}
    for document in session.execute(sa.select(Document.id, Document.path, Document.filename, Document.title)):
        parts = document.path.split("/")
        tails = {"/".join(parts[n:]) for n in range(len(parts))}
        for name in {document.id, document.filename, document.title, *tails} & found.keys():
            found[name].add(document.id)
    for name, ids in found.items():
        if not ids:
            raise NotFound(f"There is no document {name!r}; take it in first, or leave `document` out.")
    return {name: frozenset(ids) for name, ids in found.items()}


def report(judged: Sequence[Judged]) -> Report:
    asked = [j for j in judged if j.verdict != "failed"]
    have, lack = ([j for j in asked if bool(_expects(j.case)) == answerable] for answerable in (True, False))
    rungs = {source: [j for j in asked if j.source == source] for source in Source}
    return Report(
        total=_figures(asked),
        rungs={str(source): _figures(of) for source, of in rungs.items() if of},
        answered=wilson(sum(_answered(j) for j in have), len(have)),
        abstained=wilson(sum(not _answered(j) for j in lack), len(lack)),
        failed=len(judged) - len(asked),
        without_budget=sum(j.without_budget for j in asked),
        judged=tuple(judged),
    )


def overlap(answer: str, expected: str) -> float:
    """Token F1 of SQuAD's evaluation: case, punctuation and articles do not count."""
    got, wanted = _words(answer), _words(expected)
    common = sum((Counter(got) & Counter(wanted)).values())
    return 2 * common / (len(got) + len(wanted)) if common else 0.0


def contains(answer: str, expected: str) -> bool:
    """Whole words, in order and without others between them."""
    got, wanted = _words(answer), _words(expected)
    return bool(wanted) and any(got[i : i + len(wanted)] == wanted for i in range(len(got) - len(wanted) + 1))


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", _MARK.sub(" ", text)).lower()
    return [w for w in _WORD.findall(plain) if w not in _ARTICLES]


def _expects(case: Case) -> bool:
    return bool(case.expected or case.contains)


def _answered(judged: Judged) -> bool:
    return judged.source not in (None, Source.NONE)


def _judge(case: Case, a: Answered, wanted: frozenset[str]) -> Judged:
    how: Literal["contained", "overlap"] | None = None
    if a.source == Source.NONE:
        verdict: Verdict = "abstained" if _expects(case) else "right"
    else:
        how = _how(case, a.answer)
        verdict = "right" if how else "wrong"
    answered = a.source != Source.NONE
    u = a.usage
    return Judged(
        case=case,
        verdict=verdict,
        how=how,
        source=a.source,
        answer=a.answer,
        cited=any(c.document_id in wanted for c in a.citations) if wanted and answered else None,
        prompt_tokens=u.prompt_tokens,
        completion_tokens=u.completion_tokens,
        baseline_tokens=u.baseline_tokens,
        cost=u.cost,
        baseline_cost=u.cost + u.saved_cost,
        ms=a.timing_ms["total"],
        without_budget=a.notice is not None and a.notice.code == "budget_used",
    )


def _how(case: Case, answer: str) -> Literal["contained", "overlap"] | None:
    if case.contains:
        return "contained" if all(contains(answer, piece) for piece in case.contains) else None
    if any(contains(answer, one) for one in case.expected):
        return "contained"
    return "overlap" if any(overlap(answer, one) >= RIGHT_FROM_F1 for one in case.expected) else None


def _figures(judged: Sequence[Judged]) -> Figures:
    answered = [j for j in judged if _answered(j)]
    named_one = [j for j in answered if j.cited is not None]
    times = sorted(j.ms for j in judged)
    return Figures(
        questions=len(judged),
        answered=len(answered),
        right=wilson(sum(j.verdict == "right" for j in answered), len(answered)),
        wrong=wilson(sum(j.verdict == "wrong" for j in answered), len(answered)),
        by_overlap=sum(j.how == "overlap" for j in answered),
        cited=wilson(sum(bool(j.cited) for j in named_one), len(named_one)),
        prompt_tokens=sum(j.prompt_tokens for j in judged),
        completion_tokens=sum(j.completion_tokens for j in judged),
        baseline_tokens=sum(j.baseline_tokens for j in judged),
        cost=sum(j.cost for j in judged),
        baseline_cost=sum(j.baseline_cost for j in judged),
        p50_ms=_percentile(times, 50),
        p95_ms=_percentile(times, 95),
    )


def _percentile(ascending: Sequence[float], percent: int) -> float:
    """Nearest rank, as in the ledger's summary; 0 of nothing."""
    return ascending[max(0, ceil(len(ascending) * percent / 100) - 1)] if ascending else 0.0
