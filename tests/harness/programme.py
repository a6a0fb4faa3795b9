"""A programme without Temporal: the decisions of the store as workflows call them, each asked for twice."""

import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from referrals.domain.campaign import Campaign
from referrals.domain.events import Customer, parse_event
from referrals.errors import NotPossibleError
from referrals.store import Store, lookups, schema
from referrals.store.campaigns import versions
from referrals.store.codes import publications
from referrals.store.codes.publications import Request
from referrals.store.customers import profiles
from referrals.store.db.sql import Tx
from referrals.store.flow import receiving, responses
from referrals.store.flow.event_loop import decision
from referrals.store.inbox import inbox_events
from referrals.store.referrals import (
    conversions,
    milestones,
    order_changes,
    signups,
    timers,
)

Decide = Callable[[Tx, str, datetime], Awaitable[Any]]


class Programme:
    """One campaign, two advocates with a code each, and a clock that moves a second with every operation."""

    def __init__(self, store: Store, definition: dict[str, Any]) -> None:
        self.store = store
        self.campaign = Campaign.model_validate(definition)
        self.codes: list[str] = []
        self._now = datetime(2026, 3, 4, 10, tzinfo=UTC)
        self._ids = itertools.count(1)

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def skip(self, duration: timedelta) -> None:
        """Later, but no timer has fired."""
        self._now += duration

    async def begin(self, *advocates: str) -> None:
        async with decision(self.store) as tx:
            await versions.apply(tx, self.campaign, "marketer", self.now())
            for name in advocates:
                who = await profiles.upsert(tx, Customer(id=name), self.now())
                request = Request(self.campaign.campaign, who, "shop")
                row = await publications.publish_code(tx, request, self.now())
                self.codes.append(row.code)

    async def sign_up(self, friend: str, code: str) -> dict[str, Any]:
        data = {"friend": {"id": friend}, "code": code}
        return await self._event("referral_signed_up", data, signups.sign_up)

    async def convert(self, friend: str, code: str | None, **order: str) -> dict[str, Any]:
        data = {"friend": {"id": friend}, "order": {"currency": "EUR"} | order}
        named = {"code": code} if code else {"campaign": self.campaign.campaign}
        return await self._event("referral_converted", data | named, conversions.convert)

    async def _event(self, kind: str, data: dict[str, Any], decide: Decide) -> dict[str, Any]:
        row = await self.receive(kind, data)
        first, again = [await self.decide(decide, row.id) for _ in range(2)]
        assert first == again
        return dict(first)

    async def reverse(self, kind: str, order: str, amount: str | None = None) -> None:
        """`order_refunded` or `order_cancelled`."""
        told = {"id": order} | ({"amount": amount} if amount else {})
        row = await self.receive(kind, {"order": told})
        for _ in range(2):
            async with self.store.begin() as tx:
                found = await order_changes.record(tx, row.id)
            for referral in found:
                async with decision(self.store) as tx:
                    await order_changes.apply_to_referral(tx, row.id, referral.id, self.now())

    async def command(self, kind: str, referral: str, decide: Decide) -> None:
        """An operator's; what is not possible is refused and changes nothing."""
        row = await self.ask(kind, referral)
        for _ in range(2):
            with suppress(NotPossibleError):
                await self.decide(decide, row.id)

    async def pass_time(self, duration: timedelta) -> None:
        """Later, and every timer that is due has fired."""
        self.skip(duration)
        friends = {row.friend_id for row in await self.all(schema.referrals)}
        for friend in sorted(friends):
            async with decision(self.store) as tx:
                await timers.process_due(tx, self.campaign.campaign, friend, "engine", self.now())

    async def settle(self) -> None:
        """The advocates have been told of every milestone won or lost."""
        for milestone in await self.all(schema.milestones):
            async with decision(self.store) as tx:
                await milestones.process(tx, milestone.id, "engine", self.now())

    async def all(self, table: Any) -> list[Any]:
        async with self.store.read() as tx:
            return list((await tx.execute(select(table).order_by(*table.primary_key))).all())

    async def receive(self, kind: str, data: dict[str, Any]) -> Any:
        """The row of an event that has come in."""
        number = next(self._ids)
        raw = {"specversion": "1.0", "id": f"e-{number}", "source": "shop"}
        event = parse_event(raw | {"type": kind, "data": data})
        async with self.store.begin() as tx:
            received = await receiving.receive(tx, event, "shop", self.now())
        return received.row

    async def ask(self, kind: str, referral: str) -> Any:
        """The row of an operator's command."""
        async with self.store.begin() as tx:
            row = await lookups.get_referral(tx, referral)
            return await inbox_events.store_command(
                tx,
                kind,
                "operator",
                self.now(),
                data={"referral": referral, "reason": "By hand"},
                campaign_id=row.campaign_id,
                customer_id=row.friend_id,
            )

    async def decide(self, decide: Decide, event: str) -> Any:
        async with self.store.begin() as tx:
            return await responses.decide(tx, lambda tx: decide(tx, event, self.now()))
