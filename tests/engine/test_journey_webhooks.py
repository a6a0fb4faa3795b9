"""Journeys post events to addresses: once each, signed, with ids alone, by the loop that delivers webhooks."""

from referrals.store import schema
from referrals.webhooks.deliverer import Deliverer
from referrals.webhooks.poster import Poster
from tests.harness.campaigns import campaign
from tests.harness.journeys import journey
from tests.harness.world import World
from tests.webhooks.conftest import SECRET
from tests.webhooks.receiver import Receiver


async def test_a_journey_sends_its_event_once_with_ids_only(world: World):
    async with Receiver() as crm:
        post = {"webhook": {"url": crm.url}}
        await world.apply(campaign(journeys=[journey(post, on="referral_converted")]))
        answer = await world.convert(await world.publish("spring", "ada"), "fay")
        (row,) = await world.all(schema.webhook_deliveries)
        poster = Poster(allow_private=True)
        deliverer = Deliverer(
            world.store, poster, source="https://go.example", secret=SECRET, clock=world.now
        )
        for _ in range(2):
            await deliverer.drain()

    (received,) = crm.received
    assert received.signed_by(SECRET)
    assert received.id == row.key
    assert received.event["type"] == "referral_converted"
    assert received.event["subject"] == answer["referral"]
    assert (received.event["data"]["advocate"], received.event["data"]["customer"]) == (
        "ada",
        "fay",
    )
