"""forget, retention: what is removed of people, on request and by age."""

from typing import Annotated

import typer

from zuinig.app.audit import COMMAND_LINE
from zuinig.app.cli._shared import out, services
from zuinig.app.forget import Forgotten


def register(app: typer.Typer) -> None:
    app.command()(forget)
    app.command()(retention)


def forget(
    user: Annotated[str, typer.Argument(help="A user's name or id, or the name on whose account keys ask.")],
    account: Annotated[bool, typer.Option("--account", help="Remove the account too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Remove a person's questions, conversations, feedback, keys and sessions, and the name from what stays."""
    with services() as built:
        if not yes:
            _tell(built.forget.run(user, by=COMMAND_LINE, account=account, dry_run=True), "Would remove", "Would keep")
            typer.confirm("Remove it? It cannot be undone.", abort=True)
        _tell(built.forget.run(user, by=COMMAND_LINE, account=account), "Removed", "Kept")


def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing; say what would go.")] = False,
) -> None:
    """Remove what is older than the settings ZUINIG_KEEP_..._DAYS say; a running service does so each hour."""
    with services() as built:
        if not built.retention.wanted:
            out.print("Everything is kept for ever; the settings ZUINIG_KEEP_..._DAYS change that.", soft_wrap=True)
            return
        done = built.retention.dry_run() if dry_run else built.retention.run(by=COMMAND_LINE)
    out.print(f"{'Would remove' if dry_run else 'Removed'}: {done}", highlight=False, soft_wrap=True)


def _tell(done: Forgotten, removed: str, kept: str) -> None:
    gone = (
        f"{done.conversations} conversations with {done.questions} questions, {done.feedback} verdicts on answers, "
        f"{done.suggestions} suggestions, {done.memories} memories that nobody confirmed, {done.keys} keys, "
        f"{done.sessions} sessions, {done.budgets} budgets{', the account' if done.account else ''}"
    )
    stays = (
        f"{done.kept_memories} memories that others confirmed, {done.kept_documents} uploaded documents and "
        f"{done.kept_ledger_entries} entries of the ledger, all without the name; {done.kept_audit_events} rows of the "
        "audit log, which is never changed"
    )
    out.print(f"{removed}: {gone}.", highlight=False, soft_wrap=True)
    out.print(f"{kept}: {stays}.", highlight=False, soft_wrap=True)
