"""Full-text search by SQLite FTS5. It stands in the transaction of the rows, so it is never behind them."""

import re
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.tables import FTS_TABLE
from zuinig.retrieval.words import content_words

_APOSTROPHE = re.compile("['’]")
_MOST_TERMS = 32  # a pasted e-mail is no better found by its hundredth word


def add(session: Session, rows: Iterable[tuple[int, int, str, str]]) -> None:
    """rows: (passage id, shelf id, context, text)."""
    values = [{"id": i, "scope": _token(shelf), "context": c, "text": t} for i, shelf, c, t in rows]
    if values:
        session.execute(
            sa.text(f"INSERT INTO {FTS_TABLE}(rowid, scope, context, text) VALUES (:id, :scope, :context, :text)"),  # noqa: S608
            values,
        )


def remove_version(session: Session, version_id: int) -> None:
    """Take the passages of a document version out; their rows must still be there."""
    session.execute(
        sa.text(f"DELETE FROM {FTS_TABLE} WHERE rowid IN (SELECT id FROM passages WHERE version_id = :version)"),  # noqa: S608
        {"version": version_id},
    )


def reshelve(session: Session, ids: Sequence[int], shelf_id: int) -> None:
    """The passages stand on another shelf from now on."""
    for i in ids:
        session.execute(
            sa.text(f"UPDATE {FTS_TABLE} SET scope = :scope WHERE rowid = :id"),  # noqa: S608
            {"scope": _token(shelf_id), "id": i},
        )


def search(session: Session, query: str, limit: int, shelves: Sequence[int] | None) -> dict[int, float]:
    """Passage id -> BM25, higher is better; at most limit. shelves: ids, or None for all."""
    found = content_words(query)
    # A genitive is looked for with and without its ending: "lamp's" is in no document that says "the lamp".
    found += [w for word in found for w in _APOSTROPHE.split(word)[:1] if len(word) > len(w) > 2]
    terms = list(dict.fromkeys(found))[:_MOST_TERMS]
    if not terms or (shelves is not None and not shelves):
        return {}
    match = f"{{context text}} : ({_any(terms)})"
    if shelves is not None:
        # Inside the MATCH: a filter beside it would throw away the best rows of other shelves after ranking them.
        match = f"(scope : ({_any(map(_token, shelves))})) AND ({match})"
    rows = session.execute(
        sa.text(
            f"SELECT rowid, -bm25({FTS_TABLE}, 0.0, 1.0, 1.0) FROM {FTS_TABLE} WHERE {FTS_TABLE} MATCH :match "  # noqa: S608
            f"ORDER BY bm25({FTS_TABLE}, 0.0, 1.0, 1.0) LIMIT :limit"
        ),
        {"match": match, "limit": limit},
    )
    return {int(rowid): float(score) for rowid, score in rows}


def rebuild(session: Session) -> None:
    """Make it anew from the passages of the live versions."""
    session.execute(sa.text(f"DELETE FROM {FTS_TABLE}"))  # noqa: S608
    session.execute(
        sa.text(
            f"INSERT INTO {FTS_TABLE}(rowid, scope, context, text) "  # noqa: S608
            "SELECT p.id, 'c' || d.shelf_id, p.context, p.text FROM passages p "
            "JOIN document_versions v ON v.id = p.version_id JOIN documents d ON d.id = v.document_id WHERE v.live"
        )
    )


def _token(shelf_id: int) -> str:
    # By the letter of what it was before there were shelves: the index need not be made anew.
    return f"c{shelf_id}"


def _any(terms: Iterable[str]) -> str:
    # Quoted, a word is a word: NEAR, AND, * and the rest of the query language have no meaning in it.
    return " OR ".join(f'"{term}"' for term in terms)
