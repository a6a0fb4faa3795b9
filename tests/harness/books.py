"""A programme played on the database alone: what the workflows would do, one step after another."""

import itertools
from datetime import UTC, datetime
from typing import Any

from referrals.domain.campaign import Campaign
from referrals.domain.events import Customer, parse_event
from referrals.store import Store, lookups, schema
from referrals.store.campaigns import versions
from referrals.store.codes import clicks, publications, shares
from referrals.store.codes.publications import Request
from referrals.store.customers import profiles
from referrals.store.flow import receiving, responses
from referrals.store.flow.event_loop import decision
from referrals.store.inbox import inbox_events
from referrals.store.referrals import conversions, milestones, roll_backs, signups

START = datetime(2026, 3, 4, 10, tzinfo=UTC)
DECIDE = {
    "referral_signed_up": signups.sign_up,
    "referral_converted": conversions.convert,
    "referral_link_shared": shares.record,
    "referral_link_clicked": shares.record,
}


class Books:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = START
        self._numbers = itertools.count(1)

    async def apply(self, definition: dict[str, Any]) -> None:
        async with self.store.begin() as tx:
            await versions.apply(tx, Campaign.model_validate(definition), "marketer", self.now)

    async def publish(self, campaign: str, customer: str) -> str:
        async with decision(self.store) as tx:
            customer_id = await profiles.upsert(tx, Customer(id=customer), self.now)
            request = Request(campaign, customer_id, "shop")
            code = await publications.publish_code(tx, request, self.now)
        return str(code.code)

    async def event(self, kind: str, **data: Any) -> dict[str, Any]:
        envelope = {"specversion": "1.0", "id": f"event-{next(self._numbers)}", "source": "shop"}
        event = parse_event(envelope | {"type": kind, "data": data})
        async with self.store.begin() as tx:
            received = await receiving.receive(tx, event, "shop", self.now)
        async with self.store.begin() as tx:
            response = await responses.decide(
                tx, lambda tx: DECIDE[kind](tx, received.row.id, self.now)
            )
        assert response is not None
        return response

    async def click(self, code: str, channel: str = "link") -> str:
        """A visit of the referral link; returns the click's id."""
        click = clicks.new_click(code)
        async with self.store.begin() as tx:
            campaign = await lookups.find_campaign_of_code(tx, code)
            assert campaign
            row = await inbox_events.store_click(tx, click, code, channel, campaign.id, self.now)
            await responses.decide(tx, lambda tx: shares.record(tx, row.id, self.now))
        return click

    async def convert(self, code: str, friend: str, amount: str = "100.00") -> str:
        """The id of the referral, whatever becomes of it."""
        order = {"id": f"order-of-{friend}", "amount": amount, "currency": "EUR"}
        answer = await self.event(
            "referral_converted", code=code, friend={"id": friend}, order=order
        )
        return str(answer["referral"])

    async def sign_up(self, code: str, friend: str) -> str:
        answer = await self.event("referral_signed_up", code=code, friend={"id": friend})
        return str(answer["referral"])

    async def roll_back(self, referral: str) -> None:
        async with self.store.begin() as tx:
            found = (
                await tx.execute(schema.referrals.select().where(schema.referrals.c.id == referral))
            ).one()
            row = await inbox_events.store_command(
                tx,
                "roll_back",
                "operator",
                self.now,
                data={"referral": referral, "reason": "By hand."},
                campaign_id=found.campaign_id,
                customer_id=found.friend_id,
            )
            await responses.decide(
                tx, lambda tx: roll_backs.roll_back_by_operator(tx, row.id, self.now)
            )

    async def settle_milestones(self) -> None:
        """Grant the rewards of those reached, take back those of the ones lost."""
        async with decision(self.store) as tx:
            for milestone in (await tx.execute(schema.milestones.select())).all():
                await milestones.process(tx, milestone.id, "engine", self.now)
