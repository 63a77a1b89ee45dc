"""What may be spent on language models, and what is left of it: for admins."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from zuinig.app.api.deps import Admin, Served
from zuinig.app.budgets import MOST, Period, State, Subject

router = APIRouter(prefix="/v1/budgets", tags=["budgets"])


class BudgetIn(BaseModel):
    """name: of the group or the user, or the id of the key; left out for the whole service. cost: in the currency."""

    model_config = ConfigDict(extra="forbid")
    subject: Subject
    name: Annotated[str, Field(max_length=200)] = ""
    period: Period
    tokens: Annotated[int, Field(ge=0, le=MOST)] | None = None
    cost: Annotated[Decimal, Field(ge=0, le=MOST // 1_000_000, decimal_places=6)] | None = None


class BudgetOut(BaseModel):
    """label: the name as people call it. share: of whichever limit is nearer; `warning` from 0.8, `used` from 1.

    begins, ends: the period that is counted now, in UTC.
    """

    model_config = ConfigDict(from_attributes=True)
    id: str
    subject: Subject
    name: str
    label: str
    period: Period
    tokens: int | None
    cost: float | None
    spent_tokens: int
    spent_cost: float
    share: float
    state: State
    begins: datetime
    ends: datetime


class BudgetsOut(BaseModel):
    currency: str
    data: list[BudgetOut]


@router.get("")
def budgets(served: Served, _: Admin) -> BudgetsOut:
    """All of them: the service's own first, then those of groups, users and keys."""
    data = [BudgetOut.model_validate(use) for use in served.budgets.all()]
    return BudgetsOut(currency=served.settings.currency, data=data)


@router.put("")
def put(body: BudgetIn, served: Served, admin: Admin) -> BudgetOut:
    """Takes the place of the budget of the same subject, name and period. With both limits the nearer one counts.

    Once it is used up, questions are answered without a language model until the period ends, and answers say so.
    """
    use = served.budgets.put(
        body.subject, body.name.strip(), body.period, tokens=body.tokens, cost=body.cost, by=admin.name
    )
    served.audit.record(admin, "budget_set", use.id, body.model_dump_json(exclude_none=True))
    return BudgetOut.model_validate(use)


@router.delete("/{budget_id}", status_code=204)
def delete(budget_id: str, served: Served, admin: Admin) -> None:
    served.budgets.remove(budget_id)
    served.audit.record(admin, "budget_remove", budget_id)
