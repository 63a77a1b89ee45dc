"""A folder and a collection kept alike: skip the unchanged, add, replace, and on request remove what is gone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from zuinig.core.db import Database
from zuinig.core.errors import ZuinigError
from zuinig.core.tables import Collection, Document
from zuinig.ingestion.files import clean_path
from zuinig.ingestion.upload import Uploads

Action = Literal["added", "replaced", "unchanged", "removed", "rejected"]


@dataclass(frozen=True, slots=True)
class Synced:
    path: str
    action: Action
    document_id: str | None = None
    reason: str = ""


def sync(
    db: Database,
    uploads: Uploads,
    roots: Sequence[Path],
    collection: str,
    *,
    prune: bool,
    readers: Sequence[str] | None = None,
    progress: Callable[[Synced], None] = lambda _: None,
) -> list[Synced]:
    """Queue what is new or changed under the roots.

    readers: ids of the groups that alone read what is added or replaced; None leaves that as it is.
    prune: delete what came from folders of these names and is there no more; what else the collection holds stays.
    """
    results: list[Synced] = []
    seen: set[str] = set()
    for path, relative in walk(roots):
        name = clean_path(relative)
        seen.add(name)
        result = _one(uploads, path, name, collection, readers)
        results.append(result)
        progress(result)
    if prune:
        # By id too: a file that was renamed, or that has a copy, is one document under the name it first had.
        found = {r.document_id for r in results}
        folders = tuple(f"{clean_path(_name(root))}/" for root in roots if root.is_dir())
        for document_id, name in _others(db, collection, seen):
            if document_id in found or not name.startswith(folders):
                continue
            uploads.delete(document_id)
            results.append(Synced(name, "removed", document_id))
            progress(results[-1])
    return results


def walk(roots: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """(file, its path from the root's name on), sorted. Hidden files and folders are left out, links not followed."""
    for root in roots:
        if root.is_file():
            yield root, root.name
            continue
        for path in sorted(root.rglob("*")):
            relative = path.relative_to(root)
            hidden = any(part.startswith(".") for part in relative.parts)
            if path.is_file() and not path.is_symlink() and not hidden:
                yield path, f"{_name(root)}/{relative.as_posix()}"


def _name(root: Path) -> str:
    return root.resolve().name or "root"


def _one(uploads: Uploads, path: Path, name: str, collection: str, readers: Sequence[str] | None) -> Synced:
    try:
        with path.open("rb") as stream:
            accepted = uploads.accept(name, stream, collection, readers=readers)
    except ZuinigError as error:
        return Synced(name, "rejected", reason=error.message)
    except OSError as error:
        return Synced(name, "rejected", reason=f"It cannot be read: {error.strerror}.")
    action: Action = {"created": "added", "replaces": "replaced", "unchanged": "unchanged"}[accepted.outcome]  # type: ignore[assignment]
    return Synced(name, action, accepted.document_id)


def _others(db: Database, collection: str, seen: set[str]) -> list[tuple[str, str]]:
    with db.read() as session:
        rows = session.execute(
            sa.select(Document.id, Document.path)
            .join(Collection, Collection.id == Document.collection_id)
            .where(Collection.name == collection)
            .order_by(Document.path)
        )
        return [(row.id, row.path) for row in rows if row.path not in seen]
