"""Provider calls with an unknown outcome: crashed workers, lost responses and late bookings."""

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


async def test_a_call_of_a_crashed_worker_is_looked_up_once_its_booking_is_visible(
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


async def test_a_roll_back_of_a_grant_with_unknown_outcome_waits_until_its_booking_is_visible(
    world: World, vendor: FakeProvider
):
    vendor.faults = [("after", DIED)]
    referral = await converted(world)
    await called(world, vendor)
    await world.roll_back(referral)

    await world.sleep_by_minute(60)

    await until(world, "rolled_back")
    assert sorted(vendor.bookings.values()) == [-50, 50]


async def test_a_failed_grant_that_may_be_booked_is_looked_up_before_it_is_voided(
    world: World, vendor: FakeProvider
):
    """Lose the response, then let the vendor reject look-ups."""
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


async def test_a_failed_look_up_does_not_prevent_voiding(world: World, vendor: FakeProvider):
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


async def test_an_accepted_grant_booked_after_its_roll_back_is_reversed(
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


async def test_a_failed_grant_booked_after_its_roll_back_is_reversed(
    world: World, vendor: FakeProvider
):
    """Let the vendor reject look-ups between acceptance and booking."""
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


async def test_a_retry_of_a_rejected_grant_sends_a_new_request(world: World, vendor: FakeProvider):
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


async def test_a_grant_rejected_after_acceptance_needs_no_reversal(
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
async def test_points_spent_at_the_provider_are_owed_after_a_roll_back(
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


async def test_a_permanently_rejected_roll_back_can_be_abandoned_and_is_owed(
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
