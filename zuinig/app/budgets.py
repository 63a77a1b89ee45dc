"""What may be spent on language models in a day or a month (UTC), and what is left of it.

A budget that is used up refuses nobody: the rungs that cost nothing go on answering, and the answer says so. What was
spent is what stands in the ledger. Nothing is reserved and no lock is held while a language model answers, so answers
that are under way at the same time may together go beyond a budget by what they spend, and by no more.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, get_args

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from zuinig.app.notices import Notice
from zuinig.core.db import Database
from zuinig.core.errors import BadRequest, NotFound
from zuinig.core.tables import ApiKey, Budget, LedgerEntry, now
from zuinig.core.types import Principal, Scope, Usage

log = structlog.get_logger()

Subject = Literal["service", "group", "user", "key"]
Period = Literal["day", "month"]
State = Literal["left", "warning", "used"]

WARNS_FROM = 0.8
MOST = 10**15  # tokens, or millionths of the currency: sums stay within an integer of the database

_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "service": sa.literal(""),
    "group": sa.type_coerce(LedgerEntry.group, sa.String),
    "user": sa.type_coerce(LedgerEntry.user, sa.String),
    "key": sa.type_coerce(LedgerEntry.key_id, sa.String),
}
_WHOSE = {
    "service": "The budget",
    "group": "The budget of your group",
    "user": "Your budget",
    "key": "The budget of your key",
}
_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """A budget, and what was spent of it since its period began. Costs: in millionths of the currency.

    name: of the group or user, the id of the key, empty for the service; label: the same as people call it.
    """

    id: str
    subject: Subject
    name: str
    label: str
    period: Period
    tokens: int | None
    cost_micros: int | None
    spent_tokens: int
    spent_micros: int
    begins: datetime
    ends: datetime

    @property
    def share(self) -> float:
        """Of whichever limit is nearer, tokens or money; 1 from the start where the limit is 0."""
        limits = ((self.spent_tokens, self.tokens), (self.spent_micros, self.cost_micros))
        return max(spent / limit if limit else 1.0 for spent, limit in limits if limit is not None)

    @property
    def state(self) -> State:
        return "used" if self.share >= 1 else "warning" if self.share >= WARNS_FROM else "left"

    @property
    def cost(self) -> float | None:
        return self.cost_micros / _MICROS if self.cost_micros is not None else None

    @property
    def spent_cost(self) -> float:
        return self.spent_micros / _MICROS

    def plus(self, usage: Usage) -> "BudgetUse":
        return replace(
            self,
            spent_tokens=self.spent_tokens + usage.prompt_tokens + usage.completion_tokens,
            spent_micros=self.spent_micros + round(usage.cost * _MICROS),
        )


class Budgets:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._told: set[tuple[str, datetime, State]] = set()
        self._telling = threading.Lock()

    def put(
        self,
        subject: Subject,
        name: str,
        period: Period,
        *,
        tokens: int | None,
        cost: Decimal | None,
        by: str | None,
    ) -> BudgetUse:
        """Takes the place of the budget of the same subject and period. cost: in the currency of the settings.

        Raises BadRequest where it makes no sense, NotFound for a key that is not there.
        """
        micros = round(cost * _MICROS) if cost is not None else None
        _check(subject, name, period, tokens, micros)
        with self._db.write() as session:
            if subject == "key":
                key = session.get(ApiKey, name)
                if key is None or key.revoked_at is not None:
                    raise NotFound(f"There is no key {name} in use; `zuinig keys list` shows them.", param="name")
            same = sa.and_(Budget.subject == subject, Budget.name == name, Budget.period == period)
            row = session.scalar(sa.select(Budget).where(same))
            if row is None:
                row = Budget(subject=subject, name=name, period=period)
                session.add(row)
            row.tokens, row.cost_micros, row.created_by = tokens, micros, by
            session.flush()
            [use] = _uses(session, [row])
        return use

    def remove(self, budget_id: str) -> None:
        """Raises NotFound."""
        with self._db.write() as session:
            row = session.get(Budget, budget_id)
            if row is None:
                raise NotFound(f"There is no budget {budget_id}; `zuinig budgets list` shows them.")
            session.delete(row)

    def all(self) -> list[BudgetUse]:
        """The service's own first, then those of groups, users and keys."""
        with self._db.read() as session:
            uses = _uses(session, session.scalars(sa.select(Budget)).all())
        order = get_args(Subject)
        return sorted(uses, key=lambda u: (order.index(u.subject), u.label, u.name, u.period))

    def of(self, principal: Principal) -> list[BudgetUse]:
        """Those that count what this key asks."""
        names = {"service": "", "group": principal.group, "user": principal.user, "key": principal.key_id}
        wanted = [sa.and_(Budget.subject == s, Budget.name == n) for s, n in names.items() if n is not None]
        with self._db.read() as session:
            uses = _uses(session, session.scalars(sa.select(Budget).where(sa.or_(*wanted))).all())
        self._tell(uses)
        return uses

    def warn(self, uses: Sequence[BudgetUse], usage: Usage, principal: Principal) -> Notice | None:
        """uses: as they were before this usage. Only an admin, or whose own budget it is, is told of it."""
        if not usage.prompt_tokens:
            return None
        after = [u.plus(usage) for u in uses]
        self._tell(after)
        seen = [u for u in after if u.share >= WARNS_FROM and _may_see(u, principal)]
        if not seen:
            return None
        fullest = max(seen, key=lambda u: u.share)
        return Notice(
            "budget_warning",
            f"{_WHOSE[fullest.subject]} for language models is {int(fullest.share * 100)} % used; it begins anew on "
            f"{fullest.ends:%Y-%m-%d} (UTC).",
        )

    def _tell(self, uses: Iterable[BudgetUse]) -> None:
        """One line in the log for each budget, period and state; a restarted service may repeat it."""
        for use in uses:
            told = (use.id, use.begins, use.state)
            with self._telling:
                if use.state == "left" or told in self._told:
                    continue
                self._told.add(told)
            log.warning(
                f"budget.{use.state}",
                budget=use.id,
                subject=use.subject,
                period=use.period,
                percent=int(use.share * 100),
                until=use.ends.isoformat(),
            )


def used_up(uses: Iterable[BudgetUse]) -> Notice | None:
    """Of the used-up ones that which begins anew last; None where something is left of all."""
    used = [u for u in uses if u.state == "used"]
    if not used:
        return None
    last = max(used, key=lambda u: u.ends)
    return Notice(
        "budget_used",
        f"{_WHOSE[last.subject]} for language models is used up; until {last.ends:%Y-%m-%d} (UTC) questions are "
        "answered without one.",
    )


def bounds(period: Period, at: datetime) -> tuple[datetime, datetime]:
    """Its first moment, and the first moment after it. at: in UTC."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return midnight, midnight + timedelta(days=1)
    first = midnight.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _may_see(use: BudgetUse, principal: Principal) -> bool:
    return principal.may(Scope.ADMIN) or use.subject in ("user", "key")


def _check(subject: Subject, name: str, period: Period, tokens: int | None, micros: int | None) -> None:
    if subject not in get_args(Subject) or period not in get_args(Period):
        raise BadRequest("A budget is for the service, a group, a user or a key, and for a day or a month.")
    if (subject == "service") != (not name):
        raise BadRequest(
            "Name the group, user or key it is for; a budget of the whole service has no name.", param="name"
        )
    if tokens is None and micros is None:
        raise BadRequest("Say how many tokens or how much money may be spent.", param="tokens")
    for param, limit in (("tokens", tokens), ("cost", micros)):
        if limit is not None and not 0 <= limit <= MOST:
            raise BadRequest("A limit is 0 or more, and at most 10^15 tokens or 10^9 in money.", param=param)


def _uses(session: Session, rows: Sequence[Budget]) -> list[BudgetUse]:
    """One query for each subject and period that there is, however many budgets."""
    at = now()
    together: dict[tuple[Subject, Period], list[Budget]] = {}
    for row in rows:
        together.setdefault((row.subject, row.period), []).append(row)  # type: ignore[arg-type]
    uses = []
    for (subject, period), budgets in together.items():
        begins, ends = bounds(period, at)
        names = [b.name for b in budgets]
        spent = _spent(session, subject, names, begins)
        labels = _labels(session, names) if subject == "key" else {}
        for b in budgets:
            tokens, micros = spent.get(b.name, (0, 0))
            label = labels.get(b.name, b.name)
            uses.append(
                BudgetUse(b.id, subject, b.name, label, period, b.tokens, b.cost_micros, tokens, micros, begins, ends)
            )
    return uses


def _spent(session: Session, subject: Subject, names: Sequence[str], since: datetime) -> dict[str, tuple[int, int]]:
    """Tokens, and millionths of the currency, by name."""
    who = _COLUMNS[subject]
    e = LedgerEntry
    sums = sa.select(who, sa.func.sum(e.prompt_tokens + e.completion_tokens), sa.func.sum(e.cost_micros))
    # Word for word the condition of the index, or SQLite does not use it.
    sums = sums.where(e.created_at >= since, sa.text("prompt_tokens > 0"))
    if subject != "service":
        sums = sums.where(who.in_(names)).group_by(who)
    return {name: (tokens or 0, micros or 0) for name, tokens, micros in session.execute(sums)}


def _labels(session: Session, ids: Sequence[str]) -> dict[str, str]:
    found = session.execute(sa.select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(ids)))
    return {row.id: row.name for row in found}
