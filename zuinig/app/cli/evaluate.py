"""evaluate: how well it does on your own questions."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import Progress
from rich.table import Table

from zuinig.app.cli._shared import err, out, services
from zuinig.app.evaluation import RIGHT_FROM_F1, Case, Figures, Report, evaluate_answers, named
from zuinig.core.errors import BadRequest
from zuinig.memory.evaluate import Interval, LabelledPair, evaluate

app = typer.Typer(no_args_is_help=True, help="How well it does on your own questions.")

_BUDGETS = [0.005, 0.01, 0.02, 0.05]
_TRUE, _FALSE = {"1", "true", "yes", "ja"}, {"0", "false", "no", "nee"}


@app.command()
def memory(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV or JSON lines of stored, asked, same.")
    ],
    budget: Annotated[list[float] | None, typer.Option(help="Share of wrong answers allowed; repeatable.")] = None,
) -> None:
    """How many repeats memory would serve, and how many of its answers would be wrong, with 95 % intervals."""
    pairs = _read(file)
    table = Table("wrong allowed", "repeats served", "wrong among served", "served of asked", box=None, pad_edge=False)
    with services() as built:
        for o in evaluate(pairs, built.embedder, built.verifier, budget or _BUDGETS):
            table.add_row(f"{o.budget:.1%}", _shown(o.hits), _shown(o.wrong), f"{o.served} of {o.asked}")
    out.print(table)


@app.command()
def answers(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="JSON lines of question and answer (one, a list of acceptable ones, or null where the documents do "
            "not say), perhaps contains (a list of what must all stand in the answer), collection, document.",
        ),
    ],
    memory: Annotated[
        Literal["skip", "use"], typer.Option(help="Whether memory may answer; nothing is written into it.")
    ] = "skip",
    llm: Annotated[
        Literal["allow", "never"],
        typer.Option(help="Whether the language model may be asked, for money."),
    ] = "allow",
    as_json: Annotated[bool, typer.Option("--json", help="All figures and every answer as JSON.")] = False,
) -> None:
    """Ask every question, and count what each rung answers rightly and what it spends, with 95 % intervals.

    Nothing is recorded: neither the ledger nor memory nor a budget knows of it afterwards.
    """
    cases = _cases(file)
    with services() as built, Progress(console=err, transient=True) as bar:
        with built.db.read() as session:
            documents = named(session, cases)
        key = built.auth.ensure_admin_key().read_text().strip()
        task = bar.add_task("Asking", total=len(cases))
        found = evaluate_answers(
            built.answers,
            cases,
            documents,
            built.auth.of_key(key),
            memory=memory,
            llm=llm,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
        currency = built.settings.currency
    if as_json:
        out.print_json(json.dumps({"currency": currency, "right_from_f1": RIGHT_FROM_F1, **asdict(found)}, default=str))
        return
    _tell(found, currency)


def _tell(found: Report, currency: str) -> None:
    rungs = {**found.rungs, "all": found.total}
    columns = [_column(f) for f in rungs.values()]
    # Rungs side by side: intervals are wide, and there are more figures than rungs.
    table = Table("", *rungs, box=None, pad_edge=False)
    heads = (
        "questions",
        "right",
        "wrong",
        "document cited",
        "tokens",
        "of plain RAG",
        currency,
        "of plain RAG",
        "p50",
        "p95",
    )
    for head, *cells in zip(heads, *columns, strict=True):
        table.add_row(head, *cells)
    out.print(table)
    lines = [f"{_shown(found.answered)} of the questions that have an answer were answered."]
    if found.abstained.high < 1 or found.abstained.share:
        lines.append(f"{_shown(found.abstained)} of those that have none were told so.")
    lines.append(
        f"Right: the expected answer stands in it, or they share words (token F1 of at least {RIGHT_FROM_F1}; "
        f"so it was for {found.total.by_overlap})."
    )
    if found.without_budget:
        lines.append(f"{found.without_budget} were answered without a language model, since a budget is used up.")
    if found.failed:
        lines.append(f"{found.failed} were left out, since the language model did not answer.")
    out.print("\n".join(lines), highlight=False, soft_wrap=True)


def _column(f: Figures) -> Sequence[str]:
    shares = [_shown(x) if f.answered else "" for x in (f.right, f.wrong)]
    cited = _shown(f.cited) if f.cited.share or f.cited.high < 1 else ""
    tokens = f"{f.prompt_tokens + f.completion_tokens:,}", f"{f.baseline_tokens:,}"
    money = f"{f.cost:.4f}", f"{f.baseline_cost:.4f}"
    return str(f.questions), *shares, cited, *tokens, *money, f"{f.p50_ms:.0f} ms", f"{f.p95_ms:.0f} ms"


def _cases(file: Path) -> list[Case]:
    """Raises BadRequest with the line that cannot be read."""
    cases = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            cases.append(_case(json.loads(line.decode("utf-8-sig"))))
        except (ValueError, TypeError) as error:
            raise BadRequest(f"{file.name}, line {number}: {error}.") from error
    if not cases:
        raise BadRequest(f"{file.name} holds no questions.")
    return cases


def _case(row: Any) -> Case:
    """Raises ValueError, saying what is missing."""
    if not isinstance(row, dict) or "answer" not in row:
        raise ValueError("needs an object with `question` and `answer`; an answer of null says that there is none")
    question = row.get("question")
    if not isinstance(question, str) or not question.strip():
        raise ValueError("`question` must be text that is not empty")
    one, several = row["answer"], row.get("contains") or []
    expected = one if isinstance(one, list) else [] if one is None else [one]
    if not isinstance(several, list) or not all(isinstance(x, str) and x.strip() for x in (*expected, *several)):
        raise ValueError("`answer` and `contains` must be texts that are not empty")
    collection, document = row.get("collection"), row.get("document")
    if not all(x is None or isinstance(x, str) for x in (collection, document)):
        raise ValueError("`collection` and `document` must be names")
    return Case(question.strip(), tuple(expected), tuple(several), collection or None, document or None)


def _shown(x: Interval) -> str:
    return f"{x.share:.1%} ({x.low:.1%} to {x.high:.1%})"


def _read(file: Path) -> list[LabelledPair]:
    """Raises BadRequest with the line that cannot be read."""
    rows: list[dict[str, Any]]
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            is_csv = file.suffix.lower() == ".csv"
            rows = list(csv.DictReader(lines)) if is_csv else [json.loads(x) for x in lines if x.strip()]
    except (ValueError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file.name} is neither CSV nor JSON lines: {error}") from error
    pairs = []
    for number, row in enumerate(rows, 1):
        same = str(row.get("same", "")).strip().lower()
        stored, asked = (str(row.get(name) or "").strip() for name in ("stored", "asked"))
        if not stored or not asked or same not in _TRUE | _FALSE:
            raise BadRequest(f"{file.name}, row {number}: needs `stored`, `asked` and `same` (true or false).")
        pairs.append(LabelledPair(stored, asked, same in _TRUE))
    if not pairs:
        raise BadRequest(f"{file.name} holds no rows.")
    return pairs
