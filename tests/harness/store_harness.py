"""A referral programme on the database alone: decisions are called one after another, as workflows would."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from referrals.domain.actors import SYSTEM_ACTOR
from referrals.domain.events import Customer, parse_event
from referrals.settings import Settings
from referrals.store import Store, lookups, schema
from referrals.store.activity import log
from referrals.store.codes import clicks, publications, shares
from referrals.store.customers import profiles
from referrals.store.flow import receiving, responses
from referrals.store.flow.event_loop import decision
from referrals.store.inbox import inbox_events
from referrals.store.merging import merge
from referrals.store.referrals import (
    conversions,
    milestones,
    order_changes,
    reinstatements,
    reviews,
    roll_backs,
    signups,
    timers,
)
from tests.harness.base import Decide, Harness

MAX_AGE = Settings().events_max_age
START = datetime(2026, 3, 4, 10, tzinfo=UTC)
EVENT_DECISIONS: dict[str, Decide] = {
    "customer_merged": merge.decide,
    "referral_signed_up": signups.sign_up,
    "referral_converted": conversions.convert,
    "referral_link_shared": shares.record,
    "referral_link_clicked": shares.record,
}
COMMAND_DECISIONS: dict[str, Decide] = {
    "approve": reviews.review,
    "reject": reviews.review,
    "roll_back": roll_backs.roll_back_by_operator,
    "reinstate": reinstatements.reinstate_by_operator,
}
ORDER_EVENTS = ("order_updated", "order_refunded", "order_cancelled", "order_reinstated")


class StoreHarness(Harness):
    """Decisions without Temporal. The time stands still unless a test moves it or `tick` does with every operation.

    With `repeat`, each decision is made twice, which must change nothing.
    """

    def __init__(
        self, store: Store, *, tick: timedelta = timedelta(0), repeat: bool = False
    ) -> None:
        self.store = store
        self.time = START
        self._tick = tick
        self._times = 2 if repeat else 1
        self._numbers = itertools.count(1)
        self.order_aliases: dict[str, str] = {}

    def now(self) -> datetime:
        self.time += self._tick
        return self.time

    async def publish(self, campaign: str, customer: str, **body: Any) -> str:
        async with decision(self.store) as tx:
            customer_id = await profiles.upsert(tx, Customer(id=customer), self.now())
            request = publications.Request(campaign, customer_id, "shop", **body)
            code = await publications.publish_code(tx, request, self.now())
        return str(code.code)

    async def event(self, kind: str, data: dict[str, Any], **envelope: Any) -> dict[str, Any]:
        row = await self.receive(kind, data, **envelope)
        if kind in ORDER_EVENTS:
            return await self._change_order(row.id)
        return dict(await self._decide_repeatedly(EVENT_DECISIONS[kind], row.id))

    async def command(self, kind: str, referral: str, reason: str = "By hand") -> dict[str, Any]:
        row = await self.receive_command(kind, referral, reason)
        await self._decide_repeatedly(COMMAND_DECISIONS[kind], row.id)
        return {}

    async def click(self, code: str, channel: str = "link") -> str:
        click = clicks.new_click(code)
        async with self.store.begin() as tx:
            found = await lookups.find_campaign_of_code(tx, code)
            assert found
            row = await inbox_events.store_click(tx, click, code, channel, found.id, self.now())
            await responses.decide(tx, lambda tx: shares.record(tx, row.id, self.now()))
        return click

    async def log_activity(self, kind: str) -> int:
        """Write an entry of the activity log, and return its id."""
        row = log.activity_row(
            kind, at=self.time, actor="shop", campaign_id="spring", advocate_id=None
        )
        async with self.store.begin() as tx:
            inserted = await tx.execute(
                schema.activity.insert().values(row).returning(schema.activity.c.id)
            )
            return int(inserted.scalar_one())

    async def complete_milestones(self) -> None:
        """Grant the rewards of milestones reached and roll back those of milestones lost."""
        for milestone in await self.all(schema.milestones):
            async with decision(self.store) as tx:
                await milestones.process(tx, milestone.id, SYSTEM_ACTOR, self.now())

    async def fire_timers(self, campaign: str) -> None:
        """Fire every timer of the campaign's referrals that is due."""
        found = await self.all(schema.referrals, campaign_id=campaign)
        for workflow in sorted({row.workflow_id for row in found}):
            async with decision(self.store) as tx:
                await timers.process_due(tx, workflow, SYSTEM_ACTOR, self.now())

    async def receive(self, kind: str, data: dict[str, Any], **envelope: Any) -> Any:
        """Store an event and return its row."""
        raw = {"specversion": "1.0", "id": f"event-{next(self._numbers)}", "source": "shop"}
        event = parse_event(raw | envelope | {"type": kind, "data": data})
        async with self.store.begin() as tx:
            received = await receiving.receive(
                tx, event, "shop", self.now(), MAX_AGE, self.order_aliases
            )
        return received.row

    async def receive_command(self, kind: str, referral: str, reason: str = "By hand") -> Any:
        """Store an operator's command and return its row."""
        async with self.store.begin() as tx:
            row = await lookups.get_referral(tx, referral)
            return await inbox_events.store_command(
                tx,
                kind,
                "operator",
                self.now(),
                data={"referral": referral, "reason": reason},
                campaign_id=row.campaign_id,
                customer_id=row.friend_id,
            )

    async def decide(self, decide: Decide, event: str) -> Any:
        """Decide about a stored event in a transaction of its own."""
        async with self.store.begin() as tx:
            return await responses.decide(tx, lambda tx: decide(tx, event, self.now()))

    async def _decide_repeatedly(self, decide: Decide, event: str) -> Any:
        responses = [await self.decide(decide, event) for _ in range(self._times)]
        assert all(response == responses[0] for response in responses)
        return responses[0]

    async def _change_order(self, event: str) -> dict[str, Any]:
        for _ in range(self._times):
            async with self.store.begin() as tx:
                referrals = await order_changes.record(tx, event)
            for referral in referrals:
                async with decision(self.store) as tx:
                    await order_changes.apply_to_referral(tx, event, referral.id, self.now())
        async with self.store.begin() as tx:
            return await responses.save(tx, await order_changes.outcome(tx, event))
