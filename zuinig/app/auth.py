"""Who asks: API keys, one-time sign-in links, passwords, and the sessions of the portal."""

import hashlib
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy.orm import Session

from zuinig.app import rights
from zuinig.app.attempts import Attempts
from zuinig.core.db import Database
from zuinig.core.errors import BadRequest, NotFound, Unauthenticated
from zuinig.core.settings import Settings
from zuinig.core.tables import ApiKey, PortalSession, SignIn, User, now
from zuinig.core.types import Principal, Scope

_SIGN_IN_HOURS = 24
_WRONG = "Name or password is wrong."

_hasher = PasswordHasher()
# Compared with where there is no such name, so that it takes as long as where there is.
_NOBODY = _hasher.hash(secrets.token_urlsafe(16))


@dataclass(frozen=True, slots=True)
class KeyInfo:
    id: str
    name: str
    scopes: tuple[str, ...]
    collections: tuple[int, ...] | None
    user_id: str | None
    user: str | None
    group: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class Auth:
    def __init__(self, db: Database, settings: Settings) -> None:
        self._db, self._settings, self._attempts = db, settings, Attempts()

    # Keys

    def create_key(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        collections: Iterable[int] | None = None,
        user_id: str | None = None,
        user: str | None = None,
        group: str | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[KeyInfo, str]:
        """The key itself is shown once; only its hash is kept. collections: ids of those it may read; None for all.

        user_id: the person whose rights it has at most. user, group: on whose account the ledger and budgets put what
        it asks.

        Raises BadRequest for a key that may change things but not read everything, NotFound for nobody's.
        """
        scopes = sorted(set(scopes))
        if collections is not None and not {Scope.READ, Scope.ASK}.issuperset(scopes):
            raise BadRequest("A key that reads some collections only can have the scopes read and ask, no others.")
        if expires_at is not None and expires_at <= now():
            raise BadRequest("A key that has expired already is of no use; give a later moment.", param="expires_at")
        key = f"zk_{secrets.token_urlsafe(32)}"
        with self._db.write() as session:
            if user_id is not None and session.get(User, user_id) is None:
                raise NotFound("There is no such user.", param="user_id")
            row = ApiKey(
                name=name,
                key_hash=_hash(key),
                scopes=scopes,
                collections=sorted(set(collections)) if collections is not None else None,
                user_id=user_id,
                user=user,
                group=group,
                expires_at=expires_at,
            )
            session.add(row)
            session.flush()
            return _info(row), key

    def all_keys(self, user_id: str | None = None) -> list[KeyInfo]:
        """Oldest first. user_id: of this person only."""
        wanted = sa.select(ApiKey).order_by(ApiKey.id)
        if user_id is not None:
            wanted = wanted.where(ApiKey.user_id == user_id)
        with self._db.read() as session:
            return [_info(row) for row in session.scalars(wanted)]

    def revoke(self, key_id: str, *, user_id: str | None = None) -> None:
        """Takes effect with the next request; sessions opened with the key end too. Raises NotFound.

        user_id: only a key of this person.
        """
        with self._db.write() as session:
            row = session.get(ApiKey, key_id)
            if row is None or (user_id is not None and row.user_id != user_id):
                raise NotFound(f"There is no key {key_id}; `zuinig keys list` shows them.")
            row.revoked_at = row.revoked_at or now()
            session.execute(sa.delete(PortalSession).where(PortalSession.key_id == key_id))

    def ensure_admin_key(self) -> Path:
        """The first admin key, in a file that only its owner reads. Made anew where the file or its key is gone."""
        path = self._settings.data_dir / "admin.key"
        if path.exists():
            try:
                if self.of_key(path.read_text().strip()).may(Scope.ADMIN):
                    return path
            except Unauthenticated:
                path.unlink()
        _, key = self.create_key("admin", [Scope.ADMIN])
        _write_private(path, f"{key}\n")
        return path

    def of_key(self, key: str) -> Principal:
        """Raises Unauthenticated."""
        with self._db.read() as session:
            # A lookup by hash tells nothing by its timing: the hash of a guess is not near the hash of the key.
            return rights.of_key(session, session.scalar(sa.select(ApiKey).where(ApiKey.key_hash == _hash(key))))

    def again(self, principal: Principal) -> Principal:
        """The same, by what it may do now; for what goes on for long. Raises Unauthenticated."""
        with self._db.read() as session:
            if principal.key_id == principal.id and principal.id.startswith("usr_"):
                return rights.of_user(session, session.get(User, principal.id))
            return rights.of_key(session, session.get(ApiKey, principal.key_id))

    # Signing in

    def sign_in_link(self, key_id: str | None = None) -> str:
        """A link that opens the portal once, within a day. key_id: whose rights; the admin key's where unset."""
        if key_id is None:
            key_id = self.of_key(self.ensure_admin_key().read_text().strip()).key_id
        token = secrets.token_urlsafe(32)
        with self._db.write() as session:
            session.execute(sa.delete(SignIn).where(SignIn.expires_at < now()))
            expires = now() + timedelta(hours=_SIGN_IN_HOURS)
            session.add(SignIn(token_hash=_hash(token), key_id=key_id, expires_at=expires))
        return f"{self._settings.base_url}/portal/sign-in?token={token}"

    def redeem(self, token: str) -> str:
        """A session for a sign-in token, which is used up by it. Raises Unauthenticated."""
        with self._db.write() as session:
            row = session.get(SignIn, _hash(token))
            if row is not None:
                session.delete(row)
            valid = row is not None and row.expires_at > now()
        if row is None or not valid:
            raise Unauthenticated(
                "This sign-in link was used already or has expired; `zuinig keys sign-in` prints a new one."
            )
        return self._open(key_id=row.key_id)

    def sign_in_with_key(self, key: str) -> str:
        """A session for an API key. Raises Unauthenticated."""
        return self._open(key_id=self.of_key(key).key_id)

    def sign_in(self, name: str, password: str, *, address: str = "") -> str:
        """A session for a person. Raises Unauthenticated; after some wrong passwords in a row also for the right one,
        until the wait is over. address: whose attempts count together.
        """
        return self.open_for(self.prove(name, password, address=address))

    def prove(self, name: str, password: str, *, address: str = "") -> str:
        """The id of the person whose name and password these are. Raises Unauthenticated, as `sign_in` does."""
        name = name.strip().lower()
        self._attempts.take(name, address)
        with self._db.read() as session:
            user = session.scalar(sa.select(User).where(User.name == name))
        right = matches(user.password_hash if user is not None else None, password)
        if user is None or not right or user.disabled_at is not None:
            raise Unauthenticated(_WRONG, code="wrong_password")
        self._attempts.right(name, address)
        if _hasher.check_needs_rehash(user.password_hash or ""):
            self._rehash(user.id, password)
        return user.id

    def _rehash(self, user_id: str, password: str) -> None:
        with self._db.write() as session:
            session.execute(sa.update(User).where(User.id == user_id).values(password_hash=hashed(password)))

    def open_for(self, user_id: str) -> str:
        """A session for a person who is known to be that person. Raises Unauthenticated."""
        with self._db.write() as session:
            user = session.get(User, user_id)
            rights.of_user(session, user)
            assert user is not None
            user.last_sign_in_at = now()
        return self._open(user_id=user_id)

    # Sessions

    def _open(self, *, user_id: str | None = None, key_id: str | None = None) -> str:
        token = secrets.token_urlsafe(32)
        with self._db.write() as session:
            session.execute(sa.delete(PortalSession).where(PortalSession.expires_at < now()))
            expires = now() + timedelta(hours=self._settings.session_hours)
            session.add(PortalSession(token_hash=_hash(token), user_id=user_id, key_id=key_id, expires_at=expires))
        return token

    def of_session(self, cookie: str) -> Principal:
        """Raises Unauthenticated."""
        with self._db.read() as session:
            row = session.get(PortalSession, _hash(cookie))
            if row is None or row.expires_at <= now():
                raise Unauthenticated("Your session has ended; sign in again.", code="session_ended")
            if row.user_id is not None:
                return rights.of_user(session, session.get(User, row.user_id))
            return rights.of_key(session, session.get(ApiKey, row.key_id))

    def close_session(self, cookie: str) -> None:
        """Signing out ends it here too: a copy of the cookie is of no use."""
        with self._db.write() as session:
            session.execute(sa.delete(PortalSession).where(PortalSession.token_hash == _hash(cookie)))


def name_of(session: Session, owner_id: str | None) -> str | None:
    """What a user or a key is called; the id itself where it is neither."""
    if owner_id is None:
        return None
    found = session.get(User, owner_id) or session.get(ApiKey, owner_id)
    return found.name if found is not None else owner_id


def hashed(password: str) -> str:
    """Argon2id, with a salt of its own."""
    return _hasher.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether it is the password; as slow where there is none."""
    try:
        return _hasher.verify(password_hash or _NOBODY, password) and password_hash is not None
    except VerifyMismatchError:
        return False


def _info(row: ApiKey) -> KeyInfo:
    return KeyInfo(
        id=row.id,
        name=row.name,
        scopes=tuple(row.scopes),
        collections=tuple(row.collections) if row.collections is not None else None,
        user_id=row.user_id,
        user=row.user,
        group=row.group,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def _hash(secret: str) -> str:
    # A key has 256 random bits: a slow hash, as for passwords, would add nothing but time.
    return hashlib.sha256(secret.encode()).hexdigest()


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
