"""budgets: what may be spent on language models."""

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from zuinig.app.audit import COMMAND_LINE
from zuinig.app.budgets import BudgetUse, Period, Subject
from zuinig.app.cli._shared import out, services

app = typer.Typer(no_args_is_help=True, help="What may be spent on language models in a day or a month.")


def _money(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise typer.BadParameter(f"{text!r} is not an amount of money, such as 12.50.")
    return amount


@app.command("set")
def set_budget(
    per: Annotated[Period, typer.Option(help="What the limit is for; days and months begin at midnight, UTC.")],
    tokens: Annotated[int | None, typer.Option(min=0, help="Most tokens, prompts and answers together.")] = None,
    cost: Annotated[
        Decimal | None,
        typer.Option(parser=_money, help="Most money, in ZUINIG_CURRENCY, at the prices set."),
    ] = None,
    group: Annotated[str | None, typer.Option(help="Counts what keys of this group spend, together.")] = None,
    user: Annotated[str | None, typer.Option(help="Counts what keys of this user spend, together.")] = None,
    key: Annotated[str | None, typer.Option(help="Counts what this key spends; its id.")] = None,
) -> None:
    """Set a budget, in place of the one before; without --group, --user or --key for the whole service.

    Once it is used up, questions are answered without a language model until the period ends, and answers say so.
    """
    given: list[tuple[Subject, str]] = [("group", group or ""), ("user", user or ""), ("key", key or "")]
    named = [(subject, name.strip()) for subject, name in given if name.strip()]
    if len(named) > 1:
        raise typer.BadParameter("Name one of --group, --user and --key; each has a budget of its own.")
    subject, name = named[0] if named else ("service", "")
    with services() as built:
        use = built.budgets.put(subject, name, per, tokens=tokens, cost=cost, by=COMMAND_LINE)
        limits = ", ".join(f"{n} {unit}" for n, unit in ((tokens, "tokens"), (cost, "money")) if n is not None)
        built.audit.record(COMMAND_LINE, "budget_set", use.id, f"{subject} {name} a {per}: {limits}")
        _show([use], built.settings.currency)


@app.command("list")
def list_budgets() -> None:
    """All budgets, with what is used of them in the present day or month."""
    with services() as built:
        _show(built.budgets.all(), built.settings.currency)


@app.command()
def remove(budget_id: str) -> None:
    """Take a budget away; what it counted may be spent without limit from now on."""
    with services() as built:
        built.budgets.remove(budget_id)
        built.audit.record(COMMAND_LINE, "budget_remove", budget_id)
    out.print(f"{budget_id} is removed.", highlight=False)


def _show(uses: list[BudgetUse], currency: str) -> None:
    table = Table("id", "of", "name", "per", "tokens", currency, "used", "begins anew", box=None, pad_edge=False)
    for u in uses:
        tokens = f"{u.spent_tokens:,} of {u.tokens:,}" if u.tokens is not None else ""
        cost = f"{u.spent_cost:.2f} of {u.cost:.2f}" if u.cost is not None else ""
        style = {"used": "red", "warning": "yellow"}.get(u.state)
        shown = tokens, cost, f"{int(u.share * 100)} %", f"{u.ends:%Y-%m-%d}"
        table.add_row(u.id, u.subject, escape(u.label), u.period, *shown, style=style)
    out.print(table)
