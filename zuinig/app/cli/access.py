"""access: who reads and edits a collection, or reads a single document."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from zuinig.app.audit import COMMAND_LINE
from zuinig.app.cli._shared import out, services
from zuinig.app.grants import CollectionGrants, Readers
from zuinig.app.services import Services
from zuinig.core.errors import NotFound

app = typer.Typer(no_args_is_help=True, help="Who reads and edits collections and documents.")

Collection = Annotated[str | None, typer.Argument(help="Name of the collection.")]
Document = Annotated[str | None, typer.Option(help="Id of a document, in place of a collection.")]


@app.command()
def show(collection: Collection = None, document: Document = None) -> None:
    """Of all collections, of one, or of a document."""
    if collection and document:
        raise typer.BadParameter("Name a collection or --document, not both.")
    with services() as built:
        if document:
            _show_document(document, built.grants.readers(document))
        else:
            _show([built.grants.collection(collection)] if collection else built.grants.collections())


@app.command("set")
def set_access(
    collection: Collection = None,
    document: Document = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="Everybody reads it.")] = False,
    reader: Annotated[list[str] | None, typer.Option(help="This group reads it; may be given several times.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Only editors, curators and admins read it.")] = False,
    inherit: Annotated[
        bool, typer.Option("--inherit", help="Of a document: who reads its collection reads it again.")
    ] = False,
    editor: Annotated[
        list[str] | None,
        typer.Option(help="Of a collection: this group edits it, and reads all of it; may be given several times."),
    ] = None,
    no_editors: Annotated[bool, typer.Option("--no-editors", help="Of a collection: only admins edit it.")] = False,
) -> None:
    """Say who reads and edits; it counts at once. What is left out stays. A collection that is not there is made."""
    said = sum((everyone, bool(reader), nobody, inherit))
    if (collection is None) == (document is None):
        raise typer.BadParameter("Name one collection, or one --document.")
    if said > 1:
        raise typer.BadParameter("Give one of --everyone, --reader, --nobody and --inherit.")
    readers = None if everyone else reader or []
    with services() as built:
        if document is not None:
            if not said or editor or no_editors:
                raise typer.BadParameter("Of a document say --everyone, --reader, --nobody or --inherit.")
            found = built.grants.set_document(document, readers, own=not inherit)
            _note(built, document, found.groups, own=found.own)
            _show_document(document, found)
        elif collection is not None:
            if inherit or (editor and no_editors) or not (said or editor or no_editors):
                raise typer.BadParameter("Of a collection say who reads it, who edits it (--editor), or both.")
            before = _before(built, collection)
            editors = [] if no_editors else editor or before.editors
            wanted = readers if said else before.readers
            granted = built.grants.set_collection(collection, readers=wanted, editors=editors)
            _note(built, f"collection {collection}", granted.readers, editors=granted.editors)
            _show([granted])


def _note(built: Services, target: str, readers: Sequence[str] | None, **more: object) -> None:
    built.audit.record(COMMAND_LINE, "grant", target, json.dumps({"readers": readers, **more}, ensure_ascii=False))


def _before(built: Services, name: str) -> CollectionGrants:
    """What is said of it by now; of one that is not there what an upload would say."""
    try:
        return built.grants.collection(name)
    except NotFound:
        readers = None if built.settings.new_collections == "everyone" else ()
        return CollectionGrants(id=0, name=name, readers=readers, editors=(), documents=0, apart=0)


def _show(found: Sequence[CollectionGrants]) -> None:
    heads = "collection", "readers", "editors", "documents", "with readers of their own"
    table = Table(*heads, box=None, pad_edge=False)
    for c in found:
        editors = escape(", ".join(c.editors)) or "admins"
        table.add_row(escape(c.name), _readers(c.readers), editors, str(c.documents), str(c.apart or ""))
    out.print(table)


def _show_document(document: str, readers: Readers) -> None:
    whose = "its own" if readers.own else "of its collection"
    out.print(f"{escape(document)}: {_readers(readers.groups)} ({whose})", highlight=False)


def _readers(groups: Sequence[str] | None) -> str:
    return "everyone" if groups is None else escape(", ".join(groups)) or "nobody"
