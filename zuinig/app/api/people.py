"""People, their groups and their keys; and what somebody may find out and change of themselves."""

import json
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from zuinig.app.api.deps import Admin, Asker, Person, Served
from zuinig.app.api.schemas import Name
from zuinig.app.audit import Action, address
from zuinig.app.auth import KeyInfo
from zuinig.app.rights import require_whole
from zuinig.app.services import Services
from zuinig.core.errors import Conflict, Forbidden, Unauthenticated
from zuinig.core.types import Principal, Role, Scope

Password = Annotated[str, Field(max_length=1024, json_schema_extra={"format": "password"})]
Names = Annotated[list[Name], Field(max_length=1000)]


class UserOut(BaseModel):
    """groups: names. signs_in_by: password, provider (OpenID Connect), or none yet."""

    id: str
    name: str
    display_name: str
    role: Role
    groups: list[str]
    signs_in_by: list[str]
    last_sign_in_at: datetime | None
    created_at: datetime
    disabled_at: datetime | None


class UserIn(BaseModel):
    name: Name
    display_name: Annotated[str, Field(max_length=200)] = ""
    role: Role = Role.READER
    password: Password | None = None
    groups: Names = []


class UserPatch(BaseModel):
    """What is left out stays. disabled: true ends the sessions and revokes the keys of the person at once."""

    display_name: Annotated[str, Field(max_length=200)] | None = None
    role: Role | None = None
    groups: Names | None = None
    disabled: bool | None = None


class PasswordIn(BaseModel):
    password: Password


class OwnPasswordIn(BaseModel):
    old: Password
    new: Password


class GroupOut(BaseModel):
    id: str
    name: str
    members: int
    created_at: datetime


class GroupIn(BaseModel):
    name: Name


class KeyOut(BaseModel):
    """collections: names of those it may read; null for all. user_id: the person whose rights it has at most."""

    id: str
    name: str
    scopes: list[str]
    collections: list[str] | None
    user_id: str | None
    user: str | None
    group: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKeyOut(KeyOut):
    """key: shown this once."""

    key: str


class OwnKeyIn(BaseModel):
    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1)] = [Scope.READ, Scope.ASK]
    expires_at: AwareDatetime | None = None


class KeyIn(OwnKeyIn):
    """user, group: on whose account the ledger and budgets put what it asks."""

    collections: Names | None = None
    user_id: str | None = None
    user: Name | None = None
    group: Name | None = None


class MeOut(BaseModel):
    id: str
    name: str
    scopes: list[Scope]
    reads_everything: bool


class UsersOut(BaseModel):
    data: list[UserOut]


class GroupsOut(BaseModel):
    data: list[GroupOut]


class KeysOut(BaseModel):
    data: list[KeyOut]


router = APIRouter(prefix="/v1", tags=["people"])


@router.get("/me")
def me(who: Person) -> MeOut:
    return MeOut(
        id=who.id,
        name=who.name,
        scopes=[s for s in Scope if who.may(s)],
        reads_everything=who.readable is None,
    )


@router.put("/me/password", status_code=204)
def change_password(body: OwnPasswordIn, served: Served, who: Person) -> None:
    """Ends all sessions, this one too; keys go on."""
    _require_whole(who)
    try:
        served.auth.prove(who.name, body.old, address=address.get() or "")
    except Unauthenticated as error:
        served.audit.record(who, "sign_in_failed", who.id, f"password change: {error.code}")
        if error.code == "locked":
            raise Forbidden(error.message, code="locked") from error
        raise Forbidden("The present password is wrong.", code="wrong_password", param="old") from error
    served.people.set_password(who.id, body.new)
    served.audit.record(who, "password_change", who.id)


@router.get("/me/keys")
def own_keys(served: Served, who: Person) -> KeysOut:
    _require_user(who)
    return KeysOut(data=[key_out(served, k) for k in served.auth.all_keys(who.id)])


@router.post("/me/keys", status_code=201)
def create_own_key(body: OwnKeyIn, served: Served, who: Asker) -> NewKeyOut:
    """A key that may do no more than you may."""
    _require_whole(who)
    lacking = [s for s in body.scopes if not who.may(s)]
    if lacking:
        raise Forbidden(f"You lack the scope {lacking[0]!r} yourself.", param="scopes")
    info, key = served.auth.create_key(body.name, body.scopes, user_id=who.id, expires_at=body.expires_at)
    _note_key(served, who, info)
    return NewKeyOut(**key_out(served, info).model_dump(), key=key)


@router.delete("/me/keys/{key_id}", status_code=204)
def revoke_own_key(key_id: str, served: Served, who: Person) -> None:
    _require_whole(who)
    served.auth.revoke(key_id, user_id=who.id)
    served.audit.record(who, "key_revoke", key_id)


@router.get("/users")
def users(served: Served, _: Admin) -> UsersOut:
    return UsersOut(data=[UserOut.model_validate(p, from_attributes=True) for p in served.people.all()])


@router.post("/users", status_code=201)
def create_user(body: UserIn, served: Served, admin: Admin) -> UserOut:
    made = served.people.create(
        body.name, role=body.role, display_name=body.display_name, password=body.password, groups=body.groups
    )
    served.audit.record(admin, "user_create", made.id, f"{made.name}: {made.role}")
    return UserOut.model_validate(made, from_attributes=True)


@router.get("/users/{user_id}")
def user(user_id: str, served: Served, _: Admin) -> UserOut:
    return UserOut.model_validate(served.people.get(user_id), from_attributes=True)


@router.patch("/users/{user_id}")
def change_user(user_id: str, body: UserPatch, served: Served, admin: Admin) -> UserOut:
    """What is left out stays."""
    leaves = body.disabled or body.role not in (None, Role.ADMIN)
    if leaves and served.people.get(user_id).id == admin.id:
        raise Conflict("You cannot close or demote your own account; let another admin do it.", code="own_account")
    changed = served.people.change(
        user_id, role=body.role, display_name=body.display_name, groups=body.groups, disabled=body.disabled
    )
    sent = body.model_dump(mode="json", exclude_none=True, exclude={"display_name"})
    action: Action = "user_close" if body.disabled else "user_change"
    served.audit.record(admin, action, changed.id, json.dumps(sent, ensure_ascii=False) if sent else None)
    return UserOut.model_validate(changed, from_attributes=True)


@router.put("/users/{user_id}/password", status_code=204)
def set_password(user_id: str, body: PasswordIn, served: Served, admin: Admin) -> None:
    """Ends the person's sessions."""
    served.people.set_password(user_id, body.password)
    served.audit.record(admin, "password_change", served.people.get(user_id).id)


@router.get("/groups")
def groups(served: Served, _: Admin) -> GroupsOut:
    return GroupsOut(data=[GroupOut.model_validate(g, from_attributes=True) for g in served.people.groups()])


@router.post("/groups", status_code=201)
def create_group(body: GroupIn, served: Served, admin: Admin) -> GroupOut:
    made = served.people.create_group(body.name)
    served.audit.record(admin, "group_create", made.id, made.name)
    return GroupOut.model_validate(made, from_attributes=True)


@router.delete("/groups/{group_id}", status_code=204)
def delete_group(group_id: str, served: Served, admin: Admin) -> None:
    """What only it might read, nobody but admins and curators reads from then on."""
    served.people.delete_group(group_id)
    served.audit.record(admin, "group_delete", group_id)


@router.get("/keys")
def keys(served: Served, _: Admin) -> KeysOut:
    """All keys; never the keys themselves."""
    return KeysOut(data=[key_out(served, k) for k in served.auth.all_keys()])


@router.post("/keys", status_code=201)
def create_key(body: KeyIn, served: Served, admin: Admin) -> NewKeyOut:
    info, key = served.auth.create_key(
        body.name,
        body.scopes,
        collections=served.search.collection_ids(body.collections),
        user_id=body.user_id,
        user=body.user,
        group=body.group,
        expires_at=body.expires_at,
    )
    _note_key(served, admin, info)
    return NewKeyOut(**key_out(served, info).model_dump(), key=key)


@router.delete("/keys/{key_id}", status_code=204)
def revoke_key(key_id: str, served: Served, admin: Admin) -> None:
    """Counts from the next request on; sessions opened with the key end too."""
    served.auth.revoke(key_id)
    served.audit.record(admin, "key_revoke", key_id)


def key_out(served: Services, k: KeyInfo) -> KeyOut:
    names = served.documents.collections() if k.collections is not None else {}
    return KeyOut(
        id=k.id,
        name=k.name,
        scopes=list(k.scopes),
        collections=[names[i] for i in k.collections if i in names] if k.collections is not None else None,
        user_id=k.user_id,
        user=k.user,
        group=k.group,
        created_at=k.created_at,
        expires_at=k.expires_at,
        revoked_at=k.revoked_at,
    )


def _note_key(served: Services, who: Principal, made: KeyInfo) -> None:
    of = f", of {made.user_id}" if made.user_id is not None else ""
    served.audit.record(who, "key_create", made.id, f"{made.name}: {', '.join(made.scopes)}{of}")


def _require_user(who: Principal) -> None:
    if not who.id.startswith("usr_"):
        raise Forbidden("This is for people; the key that was sent is no person's.", code="no_person")


def _require_whole(who: Principal) -> None:
    _require_user(who)
    require_whole(who)
