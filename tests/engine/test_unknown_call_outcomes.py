"""Calls of a provider whose end nobody knows: a worker that died, an answer that never came, a booking that comes late."""

from datetime import timedelta

import pytest

from referrals.providers import OutcomeUnknownError, PermanentError
from referrals.store import schema
from tests.harness.campaigns import POINTS_50, campaign
from tests.harness.fake_provider import FakeProvider
from tests.harness.world import World, open_world

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LATE = timedelta(minutes=30)
DIED = RuntimeError("The worker is gone: nobody notes what became of its call.")


@pytest.fixture
async def vendor():
    return FakeProvider(visible_after=LATE)


@pytest.fixture
async def world(database_url: str, vendor: FakeProvider):
    async with open_world(database_url, providers={"http": vendor}) as opened:
        vendor.now = opened.now
        rewards = {"friend": POINTS_50, "provider": "http", "target": {}}
        await opened.apply(campaign(rewards=rewards))
        yield opened


async def reward(world: World):
    (row,) = await world.all(schema.rewards)
    return row


async def until(world: World, state: str) -> None:
    async def holds() -> bool:
        return (await reward(world)).state == state

    await world.until(holds)


async def converted(world: World) -> str:
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    return str(answer["referral"])


async def called(world: World, vendor: FakeProvider, times: int = 1) -> None:
    async def holds() -> bool:
        return vendor.calls >= times

    await world.until(holds)


async def test_a_worker_that_died_in_the_call_is_followed_when_the_booking_can_be_seen(
    world: World, vendor: FakeProvider
):
    vendor.faults = [("after", DIED)]
    await converted(world)
    await called(world, vendor)

    await world.sleep_by_minute(20)
    assert (await reward(world)).state == "granting"
    assert vendor.calls == 1

    await world.sleep_by_minute(40)
    await until(world, "granted")
    assert list(vendor.bookings.values()) == [50]
    assert vendor.calls == 1


async def test_a_roll_back_of_an_unclear_grant_waits_until_it_can_be_seen(
    world: World, vendor: FakeProvider
):
    vendor.faults = [("after", DIED)]
    referral = await converted(world)
    await called(world, vendor)
    await world.roll_back(referral)

    await world.sleep_by_minute(60)

    await until(world, "rolled_back")
    assert sorted(vendor.bookings.values()) == [-50, 50]


async def test_a_parked_grant_that_may_be_booked_is_looked_for_before_it_is_voided(
    world: World, vendor: FakeProvider
):
    """The answer is lost, and then the vendor refuses even to be asked."""
    vendor.faults = [("after", OutcomeUnknownError("lost"))]
    await converted(world)
    await called(world, vendor)
    vendor.down = PermanentError("credentials", "Our key is no good.")
    await world.sleep_by_minute(60)
    await until(world, "failed")
    vendor.down = None

    await world.inbox.command_reward("reward_void", (await reward(world)).id, "Gone", "operator")
    await world.sleep_by_minute(60)

    await until(world, "rolled_back")
    assert sorted(vendor.bookings.values()) == [-50, 50]


async def test_what_cannot_be_looked_for_can_still_be_given_up(world: World, vendor: FakeProvider):
    vendor.faults = [("after", OutcomeUnknownError("lost"))]
    await converted(world)
    await called(world, vendor)
    vendor.down = PermanentError("credentials", "Our key is no good.")
    await world.sleep_by_minute(60)
    await until(world, "failed")

    await world.inbox.command_reward("reward_void", (await reward(world)).id, "Gone", "operator")
    await until(world, "failed")
    await world.inbox.command_reward("reward_void", (await reward(world)).id, "Gone", "operator")

    await until(world, "voided")


async def test_a_grant_that_is_taken_and_booked_late_is_taken_back_when_it_is_booked(
    world: World, vendor: FakeProvider
):
    vendor.prompt = False
    referral = await converted(world)
    await called(world, vendor)
    await world.sleep_by_minute(5)
    await world.roll_back(referral)
    await world.sleep_by_minute(60)
    assert (await reward(world)).state == "granting"

    vendor.prompt = True
    vendor.book_accepted()
    await world.sleep_by_minute(60)

    await until(world, "rolled_back")
    assert sorted(vendor.bookings.values()) == [-50, 50]


async def test_a_parked_grant_that_is_booked_late_is_taken_back_when_it_is_booked(
    world: World, vendor: FakeProvider
):
    """Between the taking and the booking the vendor refused to be asked."""
    vendor.prompt = False
    referral = await converted(world)
    await called(world, vendor)
    vendor.down = PermanentError("credentials", "Our key is no good.")
    await world.sleep_by_minute(5)
    await until(world, "failed")
    vendor.down = None
    await world.roll_back(referral)
    await world.sleep_by_minute(60)
    assert (await reward(world)).state == "rolling_back"

    vendor.prompt = True
    vendor.book_accepted()
    await world.sleep_by_minute(60)

    await until(world, "rolled_back")
    assert sorted(vendor.bookings.values()) == [-50, 50]


async def test_a_retry_of_what_was_rejected_is_a_new_call(world: World, vendor: FakeProvider):
    vendor.prompt = False
    await converted(world)
    await called(world, vendor)
    vendor.rejected = {(await reward(world)).key}
    await world.sleep_by_minute(5)
    await until(world, "failed")
    assert (await reward(world)).error_code == "rejected"

    vendor.prompt = True
    await world.inbox.command_reward("reward_retry", (await reward(world)).id, "", "operator")

    await until(world, "granted")
    assert list(vendor.bookings.values()) == [50]


async def test_a_grant_that_was_taken_and_rejected_needs_no_taking_back(
    world: World, vendor: FakeProvider
):
    vendor.prompt = False
    referral = await converted(world)
    await called(world, vendor)
    await world.roll_back(referral)
    vendor.rejected = {(await reward(world)).key}
    await world.sleep_by_minute(5)

    await until(world, "voided")
    assert vendor.bookings == {}


@pytest.mark.parametrize("held", [0, 30])
async def test_what_the_customer_has_spent_over_there_is_owed(
    world: World, vendor: FakeProvider, held: int
):
    referral = await converted(world)
    await until(world, "granted")
    vendor.holds = held

    await world.roll_back(referral)
    await world.sleep_by_minute(5)

    await until(world, "rolled_back")
    assert sum(vendor.bookings.values()) == 50 - held
    assert await world.balance("fay", "owed") == held - 50
    (logged,) = await world.all(schema.activity, type="reward_rolled_back")
    assert logged.data["owed"] == str(50 - held)


async def test_a_roll_back_that_is_refused_for_good_can_be_given_up_and_is_owed(
    world: World, vendor: FakeProvider
):
    referral = await converted(world)
    await until(world, "granted")
    vendor.faults = [("before", PermanentError("card_blocked", "The card is blocked."))]
    await world.roll_back(referral)
    await until(world, "failed")

    await world.inbox.command_reward("reward_void", (await reward(world)).id, "Gone", "operator")

    await until(world, "rolled_back")
    assert await world.balance("fay", "owed") == -50
