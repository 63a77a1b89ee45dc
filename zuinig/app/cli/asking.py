"""ask: one question from the command line."""

import json
from dataclasses import asdict, replace
from typing import Annotated

import typer

from zuinig.app.asked import Ask
from zuinig.app.audit import COMMAND_LINE
from zuinig.app.cli._shared import out, services


def register(app: typer.Typer) -> None:
    app.command()(ask)


def ask(
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    collection: Annotated[list[str] | None, typer.Option(help="Ask only of these collections.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole answer as JSON.")] = False,
    no_llm: Annotated[bool, typer.Option("--no-llm", help="Leave the language model out.")] = False,
) -> None:
    """Answer a question, with where the answer comes from and what it cost."""
    if not question.strip():
        raise typer.BadParameter("The question is empty.")
    with services() as built:
        admin = built.auth.of_key(built.auth.ensure_admin_key().read_text().strip())
        answered = built.answers.ask(
            Ask(question.strip(), collections=collection, llm="never" if no_llm else "allow"),
            replace(admin, name=COMMAND_LINE),
        )
    if as_json:
        out.print_json(json.dumps(asdict(answered), default=str))
        return
    out.print(answered.answer, markup=False, highlight=False, soft_wrap=True)
    for number, c in enumerate(answered.citations, 1):
        page = f", page {c.page}" if c.page else ""
        out.print(f"[{number}] {c.title}{page} (version {c.version})", markup=False, highlight=False, soft_wrap=True)
    if answered.notice is not None:
        out.print(answered.notice.message, style="yellow", highlight=False, soft_wrap=True)
    u = answered.usage
    spent = u.prompt_tokens + u.completion_tokens
    out.print(
        f"from {answered.source}; {spent} tokens, {u.saved_tokens} fewer than plain RAG", style="dim", highlight=False
    )
