"""Who is meant, when somebody's data is asked for or forgotten."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.core.errors import NotFound
from zuinig.core.tables import ApiKey, User
from zuinig.core.types import Principal


@dataclass(frozen=True, slots=True)
class Owner:
    """A person, or somebody who is known only as the name on whose account keys ask.

    key_ids: of that person's keys, and of those that ask on that account. accounts: the name as it stands in the
    ledger, in each spelling. names: what it is called where it is noted who did something.
    """

    user_id: str | None
    key_ids: tuple[str, ...]
    accounts: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """What is asked and uploaded belongs to one of these."""
        return (*((self.user_id,) if self.user_id is not None else ()), *self.key_ids)


def find(session: Session, who: str, *, labels: bool = True) -> Owner:
    """By the id or name of a user, or the name on whose account keys ask. labels: whether a key's `user`, which anybody
    may come to be called, makes it that person's. Raises NotFound.
    """
    name = who.strip().lower()
    user = session.get(User, who) or session.scalar(sa.select(User).where(User.name == name))
    name = user.name if user is not None else name
    # Whoever makes a key may spell the name as they like; SQLite folds no letters beyond ASCII.
    keys = session.scalars(sa.select(ApiKey).order_by(ApiKey.id)).all()
    own = [k for k in keys if user is not None and k.user_id == user.id]
    by_name = [k for k in keys if labels and k.user_id is None and (k.user or "").strip().lower() == name and name]
    if user is None and not by_name:
        raise NotFound("There is no such user, nor a key that asks on that account; `zuinig keys list` shows them.")
    mine = {k.id for k in (*own, *by_name)}
    shared = {k.name for k in keys if k.id not in mine}
    called = dict.fromkeys(k.name for k in by_name if k.name not in shared)
    accounts = dict.fromkeys((name, *(k.user for k in (*own, *by_name) if k.user)))
    names = dict.fromkeys((*((user.name,) if user is not None else ()), *accounts, *called))
    return Owner(user.id if user is not None else None, tuple(sorted(mine)), tuple(accounts), tuple(names))


def of(session: Session, principal: Principal) -> Owner:
    """Who asks: the person, or for a key of no person the key alone."""
    if session.get(User, principal.id) is not None:
        return find(session, principal.id, labels=False)
    return Owner(None, (principal.id,), (), (principal.name,))
