"""What there is of a person: a copy of all of it, and its removal."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from zuinig.app.api.deps import Admin, Asker, Served
from zuinig.app.personal import Owner
from zuinig.app.rights import require_whole
from zuinig.app.services import Services
from zuinig.core.errors import Conflict
from zuinig.retrieval.shelves import Readable


class ForgottenOut(BaseModel):
    """What was removed; and what stays, which the name was taken from but for the audit log.

    memories: those learnt from the person's questions that nobody confirmed; kept_memories: those that a curator
    verified, or that answered others too.
    """

    model_config = ConfigDict(from_attributes=True)
    dry_run: bool = False
    conversations: int
    questions: int
    feedback: int
    suggestions: int
    memories: int
    keys: int
    sessions: int
    budgets: int
    account: bool
    kept_memories: int
    kept_documents: int
    kept_ledger_entries: int
    kept_audit_events: int


router = APIRouter(prefix="/v1", tags=["personal data"])


@router.get("/me/export", response_class=StreamingResponse)
def own_export(served: Served, who: Asker) -> StreamingResponse:
    """All there is of you. Answers that rest on what you may no longer read are left out of it."""
    require_whole(who)
    served.audit.record(who, "export", who.id, "personal data")
    return _file(served, served.export.own(who), who.readable)


@router.get("/users/{user_id}/export", response_class=StreamingResponse)
def export(user_id: str, served: Served, admin: Admin) -> StreamingResponse:
    """All there is of a person. user_id: also a name, or the name on whose account keys ask."""
    owner = served.export.find(user_id)
    served.audit.record(admin, "export", owner.user_id or user_id, "personal data")
    return _file(served, owner, None)


@router.delete("/users/{user_id}/data")
def forget(
    user_id: str,
    served: Served,
    admin: Admin,
    account: Annotated[bool, Query(description="The account too: nobody can sign in by it any more.")] = False,
    dry_run: Annotated[bool, Query(description="Remove nothing; say what would be.")] = False,
) -> ForgottenOut:
    """Removes a person's questions, conversations, feedback, keys and sessions, and the name from what stays.

    user_id: also a name, or the name on whose account keys ask. It cannot be undone.
    """
    if account and served.export.find(user_id).user_id == admin.id:
        raise Conflict("You cannot remove your own account; let another admin do it.", code="own_account")
    done = served.forget.run(user_id, by=admin, account=account, dry_run=dry_run)
    return ForgottenOut.model_validate(done).model_copy(update={"dry_run": dry_run})


def _file(served: Services, owner: Owner, readable: Readable) -> StreamingResponse:
    return StreamingResponse(
        served.export.pieces(owner, readable),
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="personal-data.json"'},
    )
