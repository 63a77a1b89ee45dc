"""What somebody may do and read. It is worked out anew for each request, out of rows that a change has written."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core import tables
from zuinig.core.errors import Forbidden, Unauthenticated
from zuinig.core.tables import ApiKey, Group, Membership, Shelf, User, now
from zuinig.core.types import Principal, Role, Scope
from zuinig.retrieval.shelves import Readable

_INVALID = "This API key is not valid; send `Authorization: Bearer` with one that is."


def require(principal: Principal, scope: Scope) -> None:
    """Raises Forbidden."""
    if not principal.may(scope):
        raise Forbidden(f"{principal.name!r} lacks the scope {scope.value!r}; ask an admin for it.")


def of_key(session: Session, row: ApiKey | None) -> Principal:
    """A person's key may do what it says and the person may; another what it says. Raises Unauthenticated."""
    if row is None or row.revoked_at is not None:
        raise Unauthenticated(_INVALID)
    if row.expires_at is not None and row.expires_at <= now():
        raise Unauthenticated("This API key has expired; ask for a new one.", code="expired_api_key")
    scopes = frozenset(Scope(s) for s in row.scopes)
    if row.user_id is None:
        readable = _shelves(session, row.collections) if row.collections is not None else None
        return Principal(row.id, row.id, row.name, scopes, readable, None, row.user, row.group)
    user = of_user(session, session.get(User, row.user_id))
    readable = user.readable
    if row.collections is not None:
        inside = _shelves(session, row.collections)
        readable = inside if readable is None else inside & readable
    limited = Principal(user.id, row.id, user.name, scopes)
    both = frozenset(s for s in Scope if limited.may(s) and user.may(s))
    group, narrow = row.group or user.group, row.collections is not None or row.expires_at is not None
    return Principal(user.id, row.id, user.name, both, readable, user.editable, user.user, group, narrow)


def of_user(session: Session, user: User | None) -> Principal:
    """Raises Unauthenticated for who is here no more."""
    if user is None or user.disabled_at is not None:
        raise Unauthenticated("This account is closed; ask an admin.", code="account_closed")
    groups = dict(
        session.execute(
            sa.select(Group.id, Group.name)
            .join(Membership, Membership.group_id == Group.id)
            .where(Membership.user_id == user.id)
            .order_by(Group.name)
        ).all()
    )
    role = Role(user.role)
    scopes, read, edited = role.scopes, *_given_to(session, groups)
    editable = None if role == Role.ADMIN else edited
    if editable:
        scopes |= {Scope.UPLOAD}
    # A curator decides on answers that may rest on anything.
    readable = read if role == Role.READER else None
    # Budgets and the ledger know one group of each person: the first by name.
    account = next(iter(groups.values()), None)
    return Principal(user.id, user.id, user.name, scopes, readable, editable, user.name, account)


def require_whole(principal: Principal) -> None:
    """A key that was limited must make or end no other, nor tell all there is of a person. Raises Forbidden."""
    if principal.limited:
        raise Forbidden("A key of some collections, or one that expires, cannot do this; sign in.", code="limited_key")


def may_edit(principal: Principal, collection_id: int | None) -> bool:
    """collection_id: None for one that is not there yet."""
    return principal.editable is None or collection_id in principal.editable


def require_edit(principal: Principal, collection_id: int | None) -> None:
    """Raises Forbidden."""
    if not may_edit(principal, collection_id):
        raise Forbidden("You may not change the documents of this collection; ask an admin.", param="collection")


def _given_to(session: Session, groups: Collection[str]) -> tuple[Readable, frozenset[int]]:
    """The shelves open to all or to one of these groups, or of a collection that one of them edits, None for all; and
    the collections that one of them edits.
    """
    rows = session.execute(
        sa.select(Shelf.id, Shelf.readers, Shelf.collection_id, tables.Collection.editors).join(
            tables.Collection, tables.Collection.id == Shelf.collection_id
        )
    ).all()
    edited = frozenset(r.collection_id for r in rows if not set(r.editors).isdisjoint(groups))
    read = frozenset(
        r.id for r in rows if r.readers is None or r.collection_id in edited or not set(r.readers).isdisjoint(groups)
    )
    return None if len(read) == len(rows) else read, edited


def _shelves(session: Session, collections: Iterable[int]) -> frozenset[int]:
    return frozenset(session.scalars(sa.select(Shelf.id).where(Shelf.collection_id.in_(sorted(collections)))))
