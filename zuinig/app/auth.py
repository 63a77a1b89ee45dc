"""Who asks: API keys, one-time sign-in links, and sessions of the portal."""

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from zuinig.core.db import Database
from zuinig.core.errors import BadRequest, Forbidden, NotFound, Unauthenticated
from zuinig.core.settings import Settings
from zuinig.core.tables import ApiKey, SignIn, now
from zuinig.core.types import Principal, Scope

_SIGN_IN_HOURS = 24


@dataclass(frozen=True, slots=True)
class KeyInfo:
    id: str
    name: str
    scopes: tuple[str, ...]
    collections: tuple[int, ...] | None
    user: str | None
    group: str | None
    created_at: datetime
    revoked_at: datetime | None


class Auth:
    def __init__(self, db: Database, settings: Settings) -> None:
        self._db, self._settings = db, settings
        self._secret = _secret(settings.data_dir / "session.secret")

    # Keys

    def create_key(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        collections: Iterable[int] | None = None,
        user: str | None = None,
        group: str | None = None,
    ) -> tuple[KeyInfo, str]:
        """The key itself is shown once; only its hash is kept. collections: ids of those it may read; None for all.

        user, group: on whose account the ledger and budgets put what it asks.

        Raises BadRequest for an admin key that may not read everything.
        """
        scopes = sorted(set(scopes))
        if collections is not None and (Scope.ADMIN in scopes or Scope.UPLOAD in scopes):
            raise BadRequest("A key that reads some collections only can have the scopes read and ask, no others.")
        key = f"zk_{secrets.token_urlsafe(32)}"
        with self._db.write() as session:
            chosen = sorted(set(collections)) if collections is not None else None
            row = ApiKey(name=name, key_hash=_hash(key), scopes=scopes, collections=chosen, user=user, group=group)
            session.add(row)
            session.flush()
            return _info(row), key

    def all_keys(self) -> list[KeyInfo]:
        with self._db.read() as session:
            return [_info(row) for row in session.scalars(sa.select(ApiKey).order_by(ApiKey.id))]

    def revoke(self, key_id: str) -> None:
        """Takes effect with the next request, sessions opened with the key included. Raises NotFound."""
        with self._db.write() as session:
            row = session.get(ApiKey, key_id)
            if row is None:
                raise NotFound(f"There is no key {key_id}; `zuinig keys list` shows them.")
            row.revoked_at = row.revoked_at or now()

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
            row = session.scalar(sa.select(ApiKey).where(ApiKey.key_hash == _hash(key)))
        return _principal(row)

    # Sign-in links and sessions

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
        return self._session(row.key_id)

    def open_session(self, key: str) -> str:
        """A session for an API key. Raises Unauthenticated."""
        return self._session(self.of_key(key).key_id)

    def _session(self, key_id: str) -> str:
        until = int(time.time() + self._settings.session_hours * 3600)
        return f"{key_id}.{until}.{self._sign(key_id, until)}"

    def of_session(self, cookie: str) -> Principal:
        """Raises Unauthenticated."""
        key_id, _, rest = cookie.partition(".")
        until, _, signature = rest.partition(".")
        sound = (
            until.isdigit()
            and len(until) < 12
            and hmac.compare_digest(self._sign(key_id, int(until)).encode(), signature.encode())
        )
        if not sound or int(until) < time.time():
            raise Unauthenticated("Your session has ended; sign in again.", code="session_ended")
        with self._db.read() as session:
            row = session.get(ApiKey, key_id)
        return _principal(row)

    def _sign(self, key_id: str, until: int) -> str:
        return hmac.new(self._secret, f"{key_id}.{until}".encode(), hashlib.sha256).hexdigest()


def require(principal: Principal, scope: Scope) -> None:
    """Raises Forbidden."""
    if not principal.may(scope):
        raise Forbidden(f"The key {principal.name!r} lacks the scope {scope!r}; ask for one that has it.")


def _principal(row: ApiKey | None) -> Principal:
    if row is None or row.revoked_at is not None:
        raise Unauthenticated("This API key is not valid; send `Authorization: Bearer` with one that is.")
    readable = frozenset(row.collections) if row.collections is not None else None
    return Principal(row.id, row.name, frozenset(Scope(s) for s in row.scopes), readable, row.user, row.group)


def _info(row: ApiKey) -> KeyInfo:
    collections = tuple(row.collections) if row.collections is not None else None
    return KeyInfo(
        row.id, row.name, tuple(row.scopes), collections, row.user, row.group, row.created_at, row.revoked_at
    )


def _hash(secret: str) -> str:
    # A key has 256 random bits: a slow hash, as for passwords, would add nothing but time.
    return hashlib.sha256(secret.encode()).hexdigest()


def _secret(path: Path) -> bytes:
    if not path.exists():
        _write_private(path, secrets.token_hex(32))
    return bytes.fromhex(path.read_text().strip())


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
