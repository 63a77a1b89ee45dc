"""Signing in by an identity provider: OpenID Connect Core 1.0, authorization code with PKCE (RFC 7636)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.integrations.httpx_client.oauth2_client import httpx2 as http
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from zuinig.app import people
from zuinig.core import outbound
from zuinig.core.db import Database
from zuinig.core.errors import ConfigurationError, Conflict, Forbidden, NotReady, Unauthenticated
from zuinig.core.settings import Settings
from zuinig.core.tables import Group, Membership, User
from zuinig.core.types import Role

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Claims:
    """What the provider says of a person. subject: its issuer and its own name for the person, which never changes.

    groups: None where it says nothing of them.
    """

    subject: str
    name: str
    display_name: str
    groups: tuple[str, ...] | None


class _Checked(AsyncOAuth2Client):  # type: ignore[misc]
    """What the provider's own metadata names is called too, but for the addresses that nobody names by right."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        outbound.guard(self, "local")


class Provider:
    """Made only where ZUINIG_OIDC_ISSUER is set."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigurationError."""
        if not settings.oidc_client_id:
            raise ConfigurationError("ZUINIG_OIDC_ISSUER is set, so ZUINIG_OIDC_CLIENT_ID has to be too.")
        self._settings = settings
        secret = settings.oidc_client_secret
        issuer = (settings.oidc_issuer or "").rstrip("/")
        self._client: Any = OAuth().register(
            "provider",
            client_id=settings.oidc_client_id,
            client_secret=secret.get_secret_value() if secret is not None else None,
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": settings.oidc_scopes,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic" if secret is not None else "none",
                "timeout": 10,
            },
        )
        self._client.client_cls = _Checked

    async def begin(self, request: Request, callback: str) -> Response:
        """To the provider's page. Raises NotReady where it does not answer."""
        try:
            response: Response = await self._client.authorize_redirect(request, callback)
        except (OAuthError, http.HTTPError, ValueError, RuntimeError) as error:
            raise _unreachable(error) from error
        return response

    async def finish(self, request: Request) -> Claims:
        """Of who came back from there. Raises Unauthenticated for what does not hold, NotReady."""
        try:
            token = await self._client.authorize_access_token(request)
        except (OAuthError, JoseError, KeyError) as error:
            log.warning("oidc.refused", reason=str(error)[:300])
            raise Unauthenticated("Signing in did not succeed; try again.", code="oidc_failed") from error
        except (http.HTTPError, ValueError, RuntimeError) as error:
            raise _unreachable(error) from error
        # Nothing but an ID token is signed for us; without one somebody else's access token would do.
        claims = dict(token.get("userinfo") or {})
        if not claims.get("sub") or not claims.get("iss"):
            raise Unauthenticated("The identity provider did not say who you are.", code="oidc_nobody")
        return self._claims(claims | await self._more(token, claims["sub"]))

    async def _more(self, token: Mapping[str, Any], subject: str) -> dict[str, Any]:
        """What the provider tells of the person only when it is asked. Nothing of another person counts."""
        metadata = await self._client.load_server_metadata()
        if "userinfo_endpoint" not in metadata:
            return {}
        try:
            found = dict(await self._client.userinfo(token=token))
        except (OAuthError, http.HTTPError, ValueError, RuntimeError) as error:
            raise _unreachable(error) from error
        kept = ("preferred_username", "email", "email_verified", "name", self._settings.oidc_groups_claim)
        return {k: v for k, v in found.items() if k in kept} if found.get("sub") == subject else {}

    def _claims(self, found: Mapping[str, Any]) -> Claims:
        claim = self._settings.oidc_name_claim
        if claim == "email" and found.get("email_verified") is not True:
            raise Unauthenticated("The identity provider has not verified your e-mail address.", code="oidc_unverified")
        named = found.get(claim) or found["sub"]
        groups = found.get(self._settings.oidc_groups_claim)
        listed = [groups] if isinstance(groups, str) else groups
        return Claims(
            subject=f"{found['iss']}|{found['sub']}",
            name=str(named),
            display_name=str(found.get("name") or "")[:200],
            groups=tuple(str(g) for g in listed) if isinstance(listed, list) else None,
        )


def _unreachable(error: Exception) -> NotReady:
    log.error("oidc.unreachable", reason=str(error)[:300])
    message = "The identity provider does not answer as it should; the service's log says why."
    return NotReady(message, code="oidc_unreachable")


def known(db: Database, settings: Settings, claims: Claims) -> str:
    """The id of the user whom the claims are of, made or brought up to date.

    Raises Forbidden where nobody may be made, Conflict where the name is somebody else's.
    """
    with db.write() as session:
        user = session.scalar(sa.select(User).where(User.subject == claims.subject))
        if user is None:
            user = _first_time(session, settings, claims)
        user.display_name = claims.display_name or user.display_name
        if claims.groups is not None or _follows(session, settings, user):
            # Many providers leave the claim out where there are none.
            _groups(session, settings, user, claims.groups or ())
        return user.id


def _follows(session: Session, settings: Settings, user: User) -> bool:
    """Whether what the person may hangs on what the provider says."""
    claimed = sa.select(Membership.user_id).where(Membership.user_id == user.id, Membership.claimed).limit(1)
    return bool(settings.oidc_admin_group or settings.oidc_curator_group) or session.scalar(claimed) is not None


def _first_time(session: Session, settings: Settings, claims: Claims) -> User:
    name = people.clean_name(claims.name)
    user = session.scalar(sa.select(User).where(User.name == name))
    if user is None:
        if not settings.oidc_create_users:
            raise Forbidden("You have no account here yet; ask an admin for one.", code="no_account")
        user = User(name=name, subject=claims.subject)
        session.add(user)
    elif user.password_hash is not None or user.subject is not None:
        # Whoever may choose a name at the provider must not get into the account of that name here.
        raise Conflict(f"The name {name!r} is another person's here; ask an admin.", code="name_taken")
    user.subject = claims.subject
    session.flush()
    return user


def _groups(session: Session, settings: Settings, user: User, names: Iterable[str]) -> None:
    """Those of the provider's groups that there are here; the role where it hangs on one."""
    said = set(names)
    ids = session.scalars(sa.select(Group.id).where(Group.name.in_(sorted(said)))).all()
    people.put_into(session, user.id, ids, claimed=True)
    by_group = {Role.ADMIN: settings.oidc_admin_group, Role.CURATOR: settings.oidc_curator_group}
    if any(by_group.values()):
        user.role = next((role for role, group in by_group.items() if group and group in said), Role.READER)
