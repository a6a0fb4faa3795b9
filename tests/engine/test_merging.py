"""Merging customers whose workflows run: each referral goes on in the workflow in which it started."""

import asyncio

import pytest

from referrals.domain.states import COUNTS_TOWARD_TIERS
from referrals.providers import UnavailableError
from referrals.store import schema
from referrals.temporal.names import referral_workflow_id
from tests.harness.campaigns import EACH, POINTS_50, THANKS, campaign, milestone
from tests.harness.fake_provider import FakeProvider
from tests.harness.journeys import NUDGE, sent, start_journey, until_states
from tests.harness.world import World, open_world

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_held_referral_of_the_merged_customer_is_rewarded_afterwards(world: World):
    await world.apply(campaign(conversion={"hold": "P14D"}, journeys=THANKS))
    code = await world.publish("spring", "ben")
    referral = (await world.convert(code, "guest"))["referral"]
    run = await world.referral_run("spring", "guest")
    await world.merge("ada", "guest")
    await world.sleep(days=15)
    await world.until_state(referral, "rewarded")
    await world.until_closed(run)
    assert await world.balance("ada") == 50
    assert await world.balance("ben") == 100


@sqlite
async def test_the_survivor_converts_in_the_workflow_of_the_merged_sign_up(world: World):
    await world.apply(campaign(conversion={"hold": "P1D"}))
    code = await world.publish("spring", "ben")
    referral = (await world.sign_up(code, "guest"))["referral"]
    guest = await world.customer_id("guest")
    await world.merge("ada", "guest")
    answer = await world.convert(None, "ada", campaign="spring")
    assert (answer["referral"], answer["decision"]) == (referral, "held")
    (row,) = await world.all(schema.referrals)
    assert row.workflow_id == referral_workflow_id("spring", guest)
    await world.sleep(days=2)
    await world.until_state(referral, "rewarded")


@sqlite
async def test_an_order_is_cancelled_after_the_merge(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ben")
    referral = (await world.convert(code, "guest", order="order-1"))["referral"]
    await world.merge("ada", "guest")
    await world.event("order_cancelled", {"order": {"id": "order-1"}})
    await world.until_state(referral, "rolled_back")
    assert await world.balance("ada") == 0


@sqlite
async def test_the_workflow_of_a_rejected_referral_ends(world: World):
    rejected = {"name": "sorry", "on": "referral_rejected", "steps": [NUDGE]}
    await world.apply(campaign(conversion={"hold": "P14D"}, journeys=[rejected]))
    codes = [await world.publish("spring", name) for name in ("ben", "eve")]
    await world.convert(codes[0], "ada")
    other = (await world.convert(codes[1], "guest"))["referral"]
    run = await world.referral_run("spring", "guest")
    await world.merge("ada", "guest")
    await world.until_closed(run)
    assert await world.state(other) == "rejected"
    await world.until_idle()
    assert await world.messages() == [("nudge_friend", "ada", "sent")]


@sqlite
async def test_a_journey_goes_on_about_the_survivor(world: World):
    await start_journey(world, {"wait": "P2D"}, NUDGE, friend="guest")
    await world.merge("ada", "guest")
    await world.sleep(days=3)
    await until_states(world, "done")
    await world.until_idle()
    assert await sent(world) == ["nudge_friend"]
    (message,) = await world.all(schema.messages)
    assert message.customer_id == await world.customer_id("ada")


@sqlite
async def test_the_reward_of_a_merged_milestone_is_granted_once(database_url: str):
    provider = FakeProvider()
    provider.down = UnavailableError("down")
    reward = milestone(1) | {"reward": POINTS_50 | {"provider": "http"}}
    async with open_world(database_url, providers={"http": provider}) as world:
        await world.apply(campaign(rewards={"tiers": [EACH, reward]}))
        codes = [await world.publish("spring", name) for name in ("ada", "guest")]
        await world.convert(codes[1], "fay")
        await world.until_reward("granting")
        await world.merge("ada", "guest")
        provider.down = None
        await world.sleep(minutes=30)

        async def is_granted() -> bool:
            return bool(await world.all(schema.rewards, state="granted", provider="http"))

        await world.until(is_granted)
        await world.share(codes[1])
        await world.convert(codes[0], "flo")
        assert sorted(provider.bookings.values()) == [50]


PEOPLE = range(12)


async def test_merges_and_conversions_at_once_leave_one_referral_for_each_person(world: World):
    await world.apply(campaign())
    codes = {
        "guest": await world.publish("spring", "ben"),
        "ada": await world.publish("spring", "eve"),
    }
    await asyncio.gather(
        *(
            storm
            for number in PEOPLE
            for storm in (
                convert(world, codes["guest"], f"guest-{number}"),
                merge(world, f"ada-{number}", f"guest-{number}"),
                convert(world, codes["ada"], f"ada-{number}"),
            )
        )
    )
    await until_processed(world)
    referrals = await world.all(schema.referrals)
    guests = {await world.customer_id(f"guest-{number}") for number in PEOPLE}
    assert not guests & {row.friend_id for row in referrals}
    assert not guests & {row.customer_id for row in await world.all(schema.rewards)}
    confirmed = [row for row in referrals if row.state in COUNTS_TOWARD_TIERS]
    live = [row.friend_id for row in confirmed if row.superseded_by is None]
    assert (len(live), len(set(live))) == (len(PEOPLE), len(PEOPLE))
    balances = [await world.balance(name) for name in ("ben", "eve")]
    assert sum(balances) == 100 * len(confirmed)
    friends = [await world.balance(f"ada-{number}") for number in PEOPLE]
    assert sum(friends) == 50 * len(confirmed)


async def convert(world: World, code: str, friend: str) -> None:
    order = {"id": f"order-of-{friend}", "amount": "100.00", "currency": "EUR"}
    data = {"code": code, "friend": {"id": friend}, "order": order}
    await world.send("referral_converted", data)


async def merge(world: World, customer: str, merged: str) -> None:
    await world.send("customer_merged", {"customer": {"id": customer}, "from": merged})


async def until_processed(world: World) -> None:
    """Drain the inbox until every event is processed."""

    async def all_processed() -> bool:
        await world.inbox.drain()
        rows = await world.all(schema.inbox_events)
        assert all(row.state != "failed" for row in rows)
        await world.sleep(seconds=3)
        return all(row.state == "processed" for row in rows)

    await world.until(all_processed)
