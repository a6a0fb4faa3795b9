from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from referrals.store import Store, schema
from referrals.store.db.pages import Cursor
from referrals.store.webhooks import deliveries, delivery_lists, subscriptions
from referrals.webhooks.deliverer import Deliverer
from referrals.webhooks.poster import Poster
from tests.harness.campaigns import EACH, campaign, milestone
from tests.harness.store_harness import StoreHarness
from tests.webhooks.receiver import Receiver

SOURCE = "https://go.example"
SECRET = "whsec_plJ3nmyCDGBKInavdOK15jsl"
ALL = Cursor(200)


@dataclass
class Office:
    """A campaign, an endpoint and the deliverer of its webhooks."""

    harness: StoreHarness
    receiver: Receiver
    deliverer: Deliverer

    @property
    def store(self) -> Store:
        return self.harness.store

    def deliverer_of(self, timeout: float = 15, **options: Any) -> Deliverer:
        """Create the deliverer of another process; `timeout` is its limit for a response, in seconds."""
        clock = self.harness.now
        poster = Poster(allow_private=True, clock=clock, timeout=timedelta(seconds=timeout))
        defaults = {"source": SOURCE, "secret": SECRET, "clock": clock, "jitter": lambda: 0.0}
        return Deliverer(self.store, **{"poster": poster, **defaults, **options})

    async def subscribe(
        self, *events: str, campaign: str | None = None, url: str | None = None
    ) -> subscriptions.WebhookSecret:
        async with self.store.begin() as tx:
            return await subscriptions.create(
                tx, url or self.receiver.url, events, campaign, "operator", self.harness.time
            )

    async def deliver(self, after: timedelta | None = None) -> None:
        """Move the clock forward, then deliver everything that is due."""
        self.harness.time += after or timedelta(0)
        await self.deliverer.drain()

    async def enable(self, webhook: str, **options: Any) -> subscriptions.Webhook:
        async with self.store.begin() as tx:
            return await subscriptions.change(
                tx, webhook, {"enabled": True}, "operator", self.harness.time, **options
            )

    async def webhook(self, webhook: str) -> subscriptions.Webhook:
        async with self.store.read() as tx:
            return await subscriptions.get(tx, webhook)

    async def deliveries(self, webhook: str) -> list[delivery_lists.WebhookDelivery]:
        """Return the webhook's deliveries, oldest first."""
        async with self.store.read() as tx:
            page = await delivery_lists.list_deliveries(tx, ALL, webhook=webhook)
        return page.data[::-1]

    async def replay(self, webhook: str, **selection: Any) -> int:
        async with self.store.begin() as tx:
            row = await subscriptions.require(tx, webhook)
            return await deliveries.replay(tx, row, self.harness.time, **selection)

    async def log(self) -> list[Any]:
        async with self.store.read() as tx:
            statement = schema.activity.select().order_by(schema.activity.c.id)
            return list((await tx.execute(statement)).all())


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as opened:
        yield opened


@pytest.fixture
async def office(store: Store, receiver: Receiver) -> Office:
    """Office with the campaign `spring`: 50 and 100 points, and 1,000 points for two conversions."""
    harness = StoreHarness(store)
    rewards = campaign()["rewards"] | {"tiers": [EACH, milestone(2)]}
    await harness.apply(campaign(rewards=rewards))
    office = Office(harness, receiver, None)
    office.deliverer = office.deliverer_of()
    return office
