"""keys: make, list and revoke API keys; a new sign-in link."""

from datetime import timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from zuinig.app.audit import COMMAND_LINE
from zuinig.app.cli._shared import out, services
from zuinig.core.tables import now
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
    person: Annotated[
        str | None, typer.Option("--for", help="The user whose rights it has at most; counts on their account.")
    ] = None,
    expires: Annotated[int | None, typer.Option(min=1, help="Days until it is no longer valid.")] = None,
) -> None:
    """Make a key. It is shown once."""
    with services() as built:
        collections = built.search.collection_ids(collection or None)
        info, key = built.auth.create_key(
            name,
            scope or [Scope.READ, Scope.ASK],
            collections=collections,
            user_id=built.people.get(person).id if person else None,
            user=user,
            group=group,
            expires_at=now() + timedelta(days=expires) if expires else None,
        )
        built.audit.record(COMMAND_LINE, "key_create", info.id, f"{info.name}: {', '.join(info.scopes)}")
    out.print(f"{info.id} ({', '.join(info.scopes)})", highlight=False)
    out.print(key, markup=False, highlight=False, soft_wrap=True)


@app.command("list")
def list_keys() -> None:
    """All keys; never the keys themselves."""
    heads = "id", "name", "for", "user", "group", "scopes", "reads", "made", "expires", "revoked"
    # An id that is cut is of no use.
    table = Table(Column(heads[0], no_wrap=True, min_width=len("key_") + 26), *heads[1:], box=None, pad_edge=False)
    with services() as built:
        people = {p.id: p.name for p in built.people.all()}
        names = built.documents.collections()
        for k in built.auth.all_keys():
            moments = (f"{at:%Y-%m-%d}" if at else "" for at in (k.created_at, k.expires_at, k.revoked_at))
            reads = "all" if k.collections is None else ", ".join(escape(names.get(i, "?")) for i in k.collections)
            person = people.get(k.user_id or "", "")
            who = escape(k.name), escape(person), escape(k.user or ""), escape(k.group or "")
            table.add_row(k.id, *who, ", ".join(k.scopes), reads, *moments)
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
