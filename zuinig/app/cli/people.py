"""users, groups: who there is, with role, groups and password. Whoever runs these on the machine may do it all."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from zuinig.app.audit import COMMAND_LINE
from zuinig.app.cli._shared import out, services
from zuinig.app.people import Person
from zuinig.core.types import Role

users = typer.Typer(no_args_is_help=True, help="People who sign in by name.")
groups = typer.Typer(no_args_is_help=True, help="Groups of people, which read and edit collections.")

Named = Annotated[str, typer.Argument(help="The name to sign in with.")]


@users.command()
def create(
    name: Named,
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.READER,
    display_name: Annotated[str, typer.Option(help="The full name.")] = "",
    group: Annotated[list[str] | None, typer.Option(help="May be given several times.")] = None,
    password: Annotated[
        bool,
        typer.Option("--password/--no-password", help="Ask for one, or read it from standard input; or have none."),
    ] = True,
) -> None:
    """Add a user. The password is asked for, or read from standard input; it is no argument, which others could see."""
    secret = _password() if password else None
    with services() as built:
        made = built.people.create(name, role=role, display_name=display_name, password=secret, groups=group or ())
        built.audit.record(COMMAND_LINE, "user_create", made.id, f"{made.name}: {made.role}")
    _said(made, "added")


@users.command("list")
def list_users() -> None:
    """All users."""
    table = Table(
        "name", "full name", "role", "groups", "signs in by", "last sign-in", "closed", box=None, pad_edge=False
    )
    with services() as built:
        for p in built.people.all():
            last, closed = (f"{at:%Y-%m-%d %H:%M}" if at else "" for at in (p.last_sign_in_at, p.disabled_at))
            ways = ", ".join(p.signs_in_by)
            names = escape(p.name), escape(p.display_name), p.role, escape(", ".join(p.groups))
            table.add_row(*names, ways, last, closed)
    out.print(table)


@users.command()
def show(name: Named) -> None:
    """One user, with the keys."""
    with services() as built:
        p = built.people.get(name)
        keys = [k for k in built.auth.all_keys(p.id) if k.revoked_at is None]
    facts = {
        "name": p.name,
        "full name": p.display_name,
        "role": p.role,
        "groups": ", ".join(p.groups),
        "signs in by": ", ".join(p.signs_in_by) or "nothing yet",
        "last sign-in": f"{p.last_sign_in_at:%Y-%m-%d %H:%M} UTC" if p.last_sign_in_at else "never",
        "closed": f"{p.disabled_at:%Y-%m-%d %H:%M} UTC" if p.disabled_at else "",
        "keys": ", ".join(f"{k.id} ({k.name})" for k in keys),
    }
    table = Table(show_header=False, box=None, pad_edge=False)
    for what, value in facts.items():
        if value:
            table.add_row(what, escape(value))
    out.print(table)


@users.command()
def change(
    name: Named,
    role: Annotated[Role | None, typer.Option(help="What the person may do.")] = None,
    display_name: Annotated[str | None, typer.Option(help="The full name.")] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="In place of all groups before; may be given several times.")
    ] = None,
    no_groups: Annotated[bool, typer.Option("--no-groups", help="Take all groups away.")] = False,
) -> None:
    """Change role, full name or groups; what is left out stays."""
    if group and no_groups:
        raise typer.BadParameter("Give --group or --no-groups, not both.")
    with services() as built:
        wanted = [] if no_groups else group or None
        changed = built.people.change(name, role=role, display_name=display_name, groups=wanted)
        detail = f"{changed.role}, {', '.join(changed.groups) or 'no groups'}"
        built.audit.record(COMMAND_LINE, "user_change", changed.id, detail)
    _said(changed, "changed")


@users.command()
def close(name: Named) -> None:
    """Close an account: its sessions and keys end at once. `reopen` undoes it, but for the keys."""
    with services() as built:
        closed = built.people.change(name, disabled=True)
        built.audit.record(COMMAND_LINE, "user_close", closed.id)
    _said(closed, "closed; sessions and keys have ended")


@users.command()
def reopen(name: Named) -> None:
    """Open an account again, with the role and groups it had."""
    with services() as built:
        opened = built.people.change(name, disabled=False)
        built.audit.record(COMMAND_LINE, "user_change", opened.id, "reopened")
    _said(opened, "open again")


@users.command()
def password(name: Named) -> None:
    """Set a new password, asked for or read from standard input. It ends the sessions there are."""
    with services() as built:
        known = built.people.get(name)
        built.people.set_password(known.id, _password())
        built.audit.record(COMMAND_LINE, "password_change", known.id)
    out.print(f"The password of {escape(known.name)} is set; the sessions there were have ended.", highlight=False)


@users.command()
def export(
    name: Annotated[str, typer.Argument(help="A user's name or id, or the name on whose account keys ask.")],
    file: Annotated[Path | None, typer.Argument(help="Standard output if left out.")] = None,
) -> None:
    """All there is of a person, as one JSON document: questions, feedback, uploads, keys, audit rows."""
    with services() as built:
        owner = built.export.find(name)
        built.audit.record(COMMAND_LINE, "export", owner.user_id or name, "personal data")
        if file is None:
            sys.stdout.writelines(built.export.pieces(owner))
            return
        # Nobody else on this machine is to read it.
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:  # noqa: PTH123
            stream.writelines(built.export.pieces(owner))


@groups.command("create")
def create_group(name: str) -> None:
    """Add a group."""
    with services() as built:
        made = built.people.create_group(name)
        built.audit.record(COMMAND_LINE, "group_create", made.id, made.name)
    out.print(f"{escape(made.name)} is added.", highlight=False)


@groups.command("list")
def list_groups() -> None:
    """All groups, with how many members each has, and what it is given."""
    table = Table("name", "members", "reads", "edits", box=None, pad_edge=False)
    with services() as built:
        collections = built.grants.collections()
        for g in built.people.groups():
            reads = ", ".join(c.name for c in collections if g.name in (c.readers or ()))
            edits = ", ".join(c.name for c in collections if g.name in c.editors)
            table.add_row(escape(g.name), str(g.members), escape(reads), escape(edits))
    out.print(table)


@groups.command("delete")
def delete_group(name: str, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete a group. What only it might read, nobody but curators and admins reads from then on."""
    with services() as built:
        gone = built.people.group(name)
        if not yes:
            typer.confirm(f"Delete {gone.name}, with {gone.members} members?", abort=True)
        built.people.delete_group(gone.id)
        built.audit.record(COMMAND_LINE, "group_delete", gone.id, gone.name)
    out.print(f"{escape(gone.name)} is deleted; it had {gone.members} members.", highlight=False)


def _said(person: Person, what: str) -> None:
    about = ", ".join([person.role, *person.groups])
    out.print(f"{escape(person.name)} ({escape(about)}) is {what}.", highlight=False)


def _password() -> str:
    """Asked for twice and not shown; the first line of standard input where nobody sits at it."""
    if sys.stdin.isatty():
        asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return asked
    read = sys.stdin.readline().rstrip("\r\n")
    if not read:
        raise typer.BadParameter("No password came in on standard input; --no-password makes a user without.")
    return read
