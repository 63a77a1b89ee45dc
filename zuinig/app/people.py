"""Users and groups: who there is, what role and groups they have, and what goes with them when they leave."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from zuinig.app.auth import hashed
from zuinig.core.db import Database
from zuinig.core.errors import Conflict, NotFound, Unprocessable
from zuinig.core.tables import ApiKey, Collection, Group, Membership, PortalSession, Shelf, User, now
from zuinig.core.types import Role

_NAME = re.compile(r"[\w.@+'-]{1,200}")
# Length is what makes a password hard to guess (NIST SP 800-63B); Argon2 need not be given more than the longest.
_SHORTEST_PASSWORD, _LONGEST_PASSWORD = 10, 1024


@dataclass(frozen=True, slots=True)
class Person:
    """groups: names. signs_in_by: "password", "provider" (OpenID Connect), both or neither."""

    id: str
    name: str
    display_name: str
    role: Role
    groups: tuple[str, ...]
    signs_in_by: tuple[str, ...]
    last_sign_in_at: datetime | None
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class GroupInfo:
    id: str
    name: str
    members: int
    created_at: datetime


class People:
    def __init__(self, db: Database) -> None:
        self._db = db

    # Users

    def create(
        self,
        name: str,
        *,
        role: Role = Role.READER,
        display_name: str = "",
        password: str | None = None,
        groups: Iterable[str] = (),
    ) -> Person:
        """groups: names. Raises Conflict for a name that is taken, NotFound, Unprocessable."""
        name = clean_name(name)
        password_hash = hashed(_sound(password)) if password is not None else None
        with self._db.write() as session:
            if session.scalar(sa.select(User.id).where(User.name == name)) is not None:
                raise Conflict(f"There is a user {name!r} already.", code="exists", param="name")
            user = User(name=name, display_name=display_name, role=role, password_hash=password_hash)
            session.add(user)
            session.flush()
            put_into(session, user.id, group_ids(session, groups))
            return _person(session, user)

    def any(self) -> bool:
        """Whether somebody could sign in by name."""
        with self._db.read() as session:
            return session.scalar(sa.select(User.id).limit(1)) is not None

    def all(self) -> list[Person]:
        """By name."""
        with self._db.read() as session:
            return [_person(session, u) for u in session.scalars(sa.select(User).order_by(User.name))]

    def get(self, user_id: str) -> Person:
        """By id or name. Raises NotFound."""
        with self._db.read() as session:
            return _person(session, find(session, user_id))

    def change(
        self,
        user_id: str,
        *,
        role: Role | None = None,
        display_name: str | None = None,
        groups: Iterable[str] | None = None,
        disabled: bool | None = None,
    ) -> Person:
        """What is None stays. Closing an account ends its sessions and keys at once. Raises NotFound, Conflict."""
        with self._db.write() as session:
            user = find(session, user_id)
            if role is not None:
                user.role = role
            if display_name is not None:
                user.display_name = display_name
            if groups is not None:
                put_into(session, user.id, group_ids(session, groups))
            if disabled is not None:
                user.disabled_at = (user.disabled_at or now()) if disabled else None
            if disabled:
                end_access(session, user.id)
            session.flush()
            return _person(session, user)

    def set_password(self, user_id: str, password: str) -> None:
        """Ends the sessions there are; keys go on. Raises NotFound, Unprocessable."""
        password_hash = hashed(_sound(password))
        with self._db.write() as session:
            user = find(session, user_id)
            user.password_hash = password_hash
            end_sessions(session, user.id)

    # Groups

    def create_group(self, name: str) -> GroupInfo:
        """Raises Conflict for a name that is taken, Unprocessable."""
        name = " ".join(name.split())
        if not name or len(name) > 200:
            raise Unprocessable("A group's name has 1 to 200 characters.", param="name")
        with self._db.write() as session:
            if session.scalar(sa.select(Group.id).where(Group.name == name)) is not None:
                raise Conflict(f"There is a group {name!r} already.", code="exists", param="name")
            group = Group(name=name)
            session.add(group)
            session.flush()
            return GroupInfo(group.id, group.name, 0, group.created_at)

    def groups(self) -> list[GroupInfo]:
        """By name."""
        count = sa.func.count(Membership.user_id)
        wanted = sa.select(Group, count).outerjoin(Membership).group_by(Group.id).order_by(Group.name)
        with self._db.read() as session:
            return [GroupInfo(g.id, g.name, n, g.created_at) for g, n in session.execute(wanted)]

    def group(self, name: str) -> GroupInfo:
        """By name. Raises NotFound."""
        found = next((g for g in self.groups() if g.name == name), None)
        if found is None:
            raise NotFound(f"There is no group {name[:100]!r}; `zuinig groups list` shows them.", param="groups")
        return found

    def delete_group(self, group_id: str) -> None:
        """What only it might read, nobody but admins and curators reads from then on. Raises NotFound."""
        with self._db.write() as session:
            group = session.get(Group, group_id)
            if group is None:
                raise NotFound("There is no such group.")
            for shelf in session.scalars(sa.select(Shelf).where(Shelf.readers.is_not(None))):
                shelf.readers = [g for g in shelf.readers or () if g != group_id]
            for collection in session.scalars(sa.select(Collection)):
                collection.editors = [g for g in collection.editors if g != group_id]
            session.delete(group)


def clean_name(name: str) -> str:
    """As it is kept. Raises Unprocessable."""
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise Unprocessable(
            "A user's name has 1 to 200 letters, digits or . @ + ' _ -, as an address has.",
            code="invalid_name",
            param="name",
        )
    return name


def find(session: Session, user_id: str) -> User:
    """By id or name. Raises NotFound."""
    user = session.get(User, user_id) or session.scalar(sa.select(User).where(User.name == user_id.strip().lower()))
    if user is None:
        raise NotFound("There is no such user; `zuinig users list` shows them.")
    return user


def group_ids(session: Session, names: Iterable[str]) -> list[str]:
    """Raises NotFound for a name that no group has."""
    wanted = list(dict.fromkeys(names))
    found = {g.name: g.id for g in session.execute(sa.select(Group.name, Group.id).where(Group.name.in_(wanted)))}
    for name in wanted:
        if name not in found:
            raise NotFound(f"There is no group {name[:100]!r}.", param="groups")
    return [found[name] for name in wanted]


def put_into(session: Session, user_id: str, ids: Sequence[str], *, claimed: bool = False) -> None:
    """The groups of a person, in place of those there were. claimed: those alone that the identity provider names."""
    mine = sa.delete(Membership).where(Membership.user_id == user_id)
    session.execute(mine.where(Membership.claimed) if claimed else mine)
    kept = set(session.scalars(sa.select(Membership.group_id).where(Membership.user_id == user_id)))
    session.add_all(Membership(user_id=user_id, group_id=g, claimed=claimed) for g in ids if g not in kept)
    session.flush()


def end_sessions(session: Session, user_id: str) -> None:
    """Those opened by the person's keys too."""
    keys = sa.select(ApiKey.id).where(ApiKey.user_id == user_id)
    mine = sa.or_(PortalSession.user_id == user_id, PortalSession.key_id.in_(keys))
    session.execute(sa.delete(PortalSession).where(mine))


def end_access(session: Session, user_id: str) -> None:
    """Sessions and keys of a person, at once."""
    end_sessions(session, user_id)
    session.execute(
        sa.update(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None)).values(revoked_at=now())
    )


def _sound(password: str) -> str:
    if not _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise Unprocessable(f"A password has at least {_SHORTEST_PASSWORD} characters.", param="password")
    return password


def _person(session: Session, user: User) -> Person:
    groups = session.scalars(
        sa.select(Group.name)
        .join(Membership, Membership.group_id == Group.id)
        .where(Membership.user_id == user.id)
        .order_by(Group.name)
    )
    ways = {"password": user.password_hash, "provider": user.subject}
    return Person(
        id=user.id,
        name=user.name,
        display_name=user.display_name,
        role=Role(user.role),
        groups=tuple(groups),
        signs_in_by=tuple(way for way, known in ways.items() if known is not None),
        last_sign_in_at=user.last_sign_in_at,
        created_at=user.created_at,
        disabled_at=user.disabled_at,
    )
