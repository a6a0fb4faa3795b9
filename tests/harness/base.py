"""Operations that every harness offers: what a shop and an operator do, and queries for what it led to."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from referrals.domain.campaign import Campaign
from referrals.store import Store, schema
from referrals.store.campaigns import applying, versions
from referrals.store.campaigns.applying import AppliedVersion
from referrals.store.journeys import runs


class Harness(ABC):
    """A referral programme under test, with its own database and clock."""

    store: Store

    @abstractmethod
    def now(self) -> datetime:
        """Return the current time of the test."""

    @abstractmethod
    async def event(self, kind: str, data: dict[str, Any], **envelope: Any) -> dict[str, Any]:
        """Send an event, wait until it is processed, and return the response."""

    @abstractmethod
    async def command(self, kind: str, referral: str, reason: str = "By hand") -> dict[str, Any]:
        """Have an operator `approve`, `reject` or `roll_back` a referral."""

    @abstractmethod
    async def publish(self, campaign: str, customer: str, **body: Any) -> str:
        """Publish a code to a customer and return the code."""

    @abstractmethod
    async def click(self, code: str, channel: str = "link") -> str:
        """Follow the referral link and return the id of the click."""

    async def apply(self, definition: dict[str, Any]) -> AppliedVersion:
        """Apply a campaign definition."""
        campaign = Campaign.model_validate(definition)
        async with self.store.begin() as tx:
            return await applying.apply(tx, campaign, "marketer", self.now())

    async def set_state(self, campaign: str, state: str) -> None:
        """Pause, archive or activate a campaign."""
        async with self.store.begin() as tx:
            await versions.set_state(tx, campaign, state)
            await runs.apply_campaign_state(tx, campaign, state, "operator", self.now())

    async def sign_up(self, code: str, friend: str, **envelope: Any) -> dict[str, Any]:
        """Sign a friend up with a code."""
        data = {"code": code, "friend": {"id": friend}}
        return await self.event("referral_signed_up", data, **envelope)

    async def convert(
        self,
        code: str | None,
        friend: str,
        amount: str = "100.00",
        order: str | None = None,
        kind: str = "referral_converted",
        campaign: str | None = None,
        **envelope: Any,
    ) -> dict[str, Any]:
        """Place an order as a friend; each friend has an order of their own unless `order` names one."""
        data: dict[str, Any] = {
            "friend": {"id": friend},
            "order": {"id": order or f"order-of-{friend}", "amount": amount, "currency": "EUR"},
        }
        optional = {"code": code, "campaign": campaign}
        data |= {name: value for name, value in optional.items() if value}
        return await self.event(kind, data, **envelope)

    async def register(self, customer: str, **envelope: Any) -> dict[str, Any]:
        """Register a customer at the shop."""
        return await self.event("customer_registered", {"customer": {"id": customer}}, **envelope)

    async def merge(self, customer: str, merged: str, reason: str = "Same person") -> Any:
        """Merge the customer `merged` into `customer` and return the report."""
        data = {"customer": {"id": customer}, "from": merged, "reason": reason}
        return (await self.event("customer_merged", data))["merge"]

    async def share(self, code: str, channel: str = "link", **envelope: Any) -> dict[str, Any]:
        """Share the link of a code."""
        data = {"code": code, "channel": channel}
        return await self.event("referral_link_shared", data, **envelope)

    async def refund(
        self, order: str, amount: str | None = None, **envelope: Any
    ) -> dict[str, Any]:
        """Refund an order, all of it unless an amount is given."""
        data = {"id": order} | ({"amount": amount} if amount else {})
        return await self.event("order_refunded", {"order": data}, **envelope)

    async def cancel(self, order: str) -> dict[str, Any]:
        """Cancel an order."""
        return await self.event("order_cancelled", {"order": {"id": order}})

    async def roll_back(self, referral: str, reason: str = "By hand") -> dict[str, Any]:
        """Roll a referral back as an operator."""
        return await self.command("roll_back", referral, reason)

    async def all(self, table: Any, **where: Any) -> list[Any]:
        """Return the rows of a table, ordered by primary key."""
        async with self.store.read() as tx:
            statement = select(table).filter_by(**where).order_by(*table.primary_key)
            return list((await tx.execute(statement)).all())

    async def balance(self, customer: str, kind: str = "wallet", unit: str = "points") -> int:
        """Return credits less debits of one of the customer's accounts."""
        accounts, entries = schema.ledger_accounts, schema.ledger_entries
        account = (
            select(accounts.c.id)
            .join(schema.customers, schema.customers.c.id == accounts.c.owner)
            .where(
                schema.customers.c.external_id == customer,
                accounts.c.kind == kind,
                (accounts.c.type == unit) | (accounts.c.currency == unit),
            )
        )
        total = func.coalesce(func.sum(entries.c.amount), 0)
        credit = select(total).where(entries.c.credit_id.in_(account)).scalar_subquery()
        debit = select(total).where(entries.c.debit_id.in_(account)).scalar_subquery()
        async with self.store.read() as tx:
            return int((await tx.execute(select(credit - debit))).scalar_one())

    async def state(self, referral: str) -> str:
        """Return the state of a referral."""
        (row,) = await self.all(schema.referrals, id=referral)
        return str(row.state)

    async def reason(self, referral: str) -> tuple[str, str]:
        """Return code and message of why a referral was rejected or rolled back."""
        (row,) = await self.all(schema.referrals, id=referral)
        return row.reason_code, row.reason

    async def activity(self, **where: Any) -> list[str]:
        """Return the types in the activity log, in order, without those about messages."""
        rows = await self.all(schema.activity, **where)
        return [row.type for row in rows if not row.type.startswith("message_")]

    async def messages(self) -> list[tuple[str, str, str]]:
        """Return (template, recipient, state) of every message, in order."""
        rows = await self.all(schema.messages)
        names = {row.id: row.external_id for row in await self.all(schema.customers)}
        return [(row.template, names.get(row.customer_id, "operator"), row.state) for row in rows]

    async def advocate(self, customer: str) -> Any:
        """Return the row of a customer who is an advocate in one campaign."""
        (row,) = await self.all(schema.advocates, customer_id=await self.customer_id(customer))
        return row

    async def customer_id(self, customer: str) -> str:
        """Return the internal id of a customer."""
        (row,) = await self.all(schema.customers, external_id=customer)
        return str(row.id)


Decide = Callable[[Any, str, datetime], Awaitable[Any]]
"""A decision in a transaction, for the event with this id, at this time."""
