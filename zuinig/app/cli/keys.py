"""keys: make, list and revoke API keys; a new sign-in link."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from zuinig.app.audit import COMMAND_LINE
from zuinig.app.cli._shared import out, services
from zuinig.core.types import Scope

app = typer.Typer(no_args_is_help=True, help="API keys and sign-in links.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key, or what for.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="May be given several times; read and ask if left out.")
    ] = None,
    collection: Annotated[
        list[str] | None,
        typer.Option(help="May read the documents of this collection only; may be given several times."),
    ] = None,
    user: Annotated[str | None, typer.Option(help="On whose account the ledger and budgets put it.")] = None,
    group: Annotated[str | None, typer.Option(help="The group that budgets count it with.")] = None,
) -> None:
    """Make a key. It is shown once."""
    with services() as built:
        collections = built.search.collection_ids(collection or None)
        info, key = built.auth.create_key(
            name, scope or [Scope.READ, Scope.ASK], collections=collections, user=user, group=group
        )
        built.audit.record(COMMAND_LINE, "key_create", info.id, f"{info.name}: {', '.join(info.scopes)}")
    out.print(f"{info.id} ({', '.join(info.scopes)})", highlight=False)
    out.print(key, markup=False, highlight=False, soft_wrap=True)


@app.command("list")
def list_keys() -> None:
    """All keys; never the keys themselves."""
    table = Table("id", "name", "user", "group", "scopes", "reads", "made", "revoked", box=None, pad_edge=False)
    with services() as built:
        names = built.documents.collections()
        for k in built.auth.all_keys():
            revoked = f"{k.revoked_at:%Y-%m-%d}" if k.revoked_at else ""
            reads = "all" if k.collections is None else ", ".join(escape(names.get(i, "?")) for i in k.collections)
            who = escape(k.name), escape(k.user or ""), escape(k.group or "")
            table.add_row(k.id, *who, ", ".join(k.scopes), reads, f"{k.created_at:%Y-%m-%d}", revoked)
    out.print(table)


@app.command()
def revoke(key_id: str) -> None:
    """End a key and every session that was opened with it, at once."""
    with services() as built:
        built.auth.revoke(key_id)
        built.audit.record(COMMAND_LINE, "key_revoke", key_id)
    out.print(f"{key_id} is revoked.", highlight=False)


@app.command("sign-in")
def sign_in(
    key_id: Annotated[str | None, typer.Argument(help="Whose rights; the admin's where left out.")] = None,
) -> None:
    """A new sign-in link for the portal, good once within a day."""
    with services() as built:
        link = built.auth.sign_in_link(key_id)
        built.audit.record(COMMAND_LINE, "sign_in_link", key_id)
        out.print(link, markup=False, highlight=False, soft_wrap=True)
