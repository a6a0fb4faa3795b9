"""Rewards of providers: never lost, never paid twice, and nothing else waits for them."""

import asyncio
from datetime import timedelta

import pytest

from referrals.providers import (
    OutcomeUnknownError,
    PermanentError,
    RetryableError,
    UnavailableError,
)
from referrals.store import schema
from tests.harness.campaigns import POINTS_50, THANKS, campaign, milestone
from tests.harness.fake_provider import FakeProvider
from tests.harness.world import World, open_world

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ELSEWHERE = {"provider": "http", "target": {}}


@pytest.fixture
async def vendor() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
async def world(database_url: str, vendor: FakeProvider):
    async with open_world(database_url, providers={"http": vendor}) as opened:
        await opened.apply(
            campaign(
                journeys=THANKS,
                rewards=campaign()["rewards"] | ELSEWHERE,
            )
        )
        yield opened


async def states(world: World) -> list[str]:
    return sorted(row.state for row in await world.all(schema.rewards))


async def test_rewards_are_granted_by_their_provider(world: World, vendor: FakeProvider):
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until_state(answer["referral"], "rewarded")

    assert sorted(vendor.bookings.values()) == [50, 100]
    assert await states(world) == ["granted", "granted"]


async def test_a_lost_response_after_the_booking_pays_once(world: World, vendor: FakeProvider):
    vendor.faults = [("after", OutcomeUnknownError("lost")), ("before", RetryableError("busy"))]
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.sleep_by_minute(10)
    await world.until_state(answer["referral"], "rewarded")

    assert sorted(vendor.bookings.values()) == [50, 100]


async def test_rewards_survive_a_provider_outage_of_an_hour(world: World, vendor: FakeProvider):
    vendor.down = UnavailableError("down")
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.sleep(hours=1)
    assert "failed" not in await states(world)
    waiting = await world.all(schema.rewards)
    assert {(row.error_code, row.failure_cause) for row in waiting} == {("unavailable", "outage")}
    assert [state for *_, state in await world.messages()] == ["sent", "sent"]
    vendor.down = None
    await world.sleep_by_minute(2)
    await world.until_state(answer["referral"], "rewarded")

    assert sorted(vendor.bookings.values()) == [50, 100]


async def test_a_permanent_failure_does_not_delay_other_rewards(world: World, vendor: FakeProvider):
    vendor.faults = [("before", PermanentError("unknown_member", "There is no such member."))]
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until(lambda: _are(world, ["failed", "granted"]))

    assert await world.state(answer["referral"]) == "confirmed"
    assert [state for *_, state in await world.messages()] == ["sent", "sent"]
    (failed,) = await world.all(schema.rewards, state="failed")
    assert (failed.error_code, failed.error) == ("unknown_member", "There is no such member.")
    assert "reward_failed" in await world.activity()
    await world.until(lambda: _needs_attention(world))


async def test_an_operator_can_retry_a_failed_reward(world: World, vendor: FakeProvider):
    vendor.faults = [("before", PermanentError("unknown_member", "There is no such member."))]
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until(lambda: _are(world, ["failed", "granted"]))
    (failed,) = await world.all(schema.rewards, state="failed")

    await world.inbox.command_reward("reward_retry", failed.id, "", "operator")

    await world.until_state(answer["referral"], "rewarded")
    assert sorted(vendor.bookings.values()) == [50, 100]
    await world.until_closed(await world.referral_run("spring", "fay"))


async def test_a_failed_reward_can_be_voided_and_is_never_paid(world: World, vendor: FakeProvider):
    vendor.faults = [
        ("before", PermanentError("gone", "Gone.")),
        ("before", PermanentError("gone", "Gone.")),
    ]
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until(lambda: _are(world, ["failed", "failed"]))

    for reward in await world.all(schema.rewards):
        await world.inbox.command_reward("reward_void", reward.id, "They left", "operator")

    assert vendor.bookings == {}
    await world.until_state(answer["referral"], "rewarded")


async def test_a_roll_back_reverses_the_grant_at_the_provider(world: World, vendor: FakeProvider):
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until_state(answer["referral"], "rewarded")

    await world.roll_back(answer["referral"])
    await world.until(lambda: _are(world, ["rolled_back", "rolled_back"]))

    assert sum(vendor.bookings.values()) == 0
    await world.until_closed(await world.referral_run("spring", "fay"))


async def test_a_roll_back_waits_for_a_provider_that_is_down(world: World, vendor: FakeProvider):
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until_state(answer["referral"], "rewarded")
    vendor.down = OutcomeUnknownError("down")
    await world.roll_back(answer["referral"])
    await world.sleep(hours=3)
    assert await states(world) == ["rolling_back", "rolling_back"]

    vendor.down = None
    await world.sleep_by_minute(60)
    await world.until(lambda: _are(world, ["rolled_back", "rolled_back"]))

    assert sum(vendor.bookings.values()) == 0


async def test_a_roll_back_of_a_grant_with_unknown_outcome_leaves_no_balance(
    world: World, vendor: FakeProvider
):
    """Lose the responses to both grants, and roll the referral back before a look-up."""
    vendor.faults = [
        ("after", OutcomeUnknownError("lost")),
        ("before", OutcomeUnknownError("lost")),
    ]
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until(lambda: _called(vendor, 2))
    await world.roll_back(answer["referral"])
    await world.sleep_by_minute(10)

    await world.until(lambda: _are_reversed(world))
    assert sum(vendor.bookings.values()) == 0


async def test_a_reward_waits_for_its_approval(world: World, vendor: FakeProvider):
    rewards = campaign()["rewards"] | ELSEWHERE | {"approval": "manual"}
    await world.apply(campaign(rewards=rewards))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.sleep(days=3)
    assert vendor.bookings == {}

    for reward in await world.all(schema.rewards):
        await world.inbox.command_reward("reward_approve", reward.id, "", "operator")

    await world.until_state(answer["referral"], "rewarded")
    assert sorted(vendor.bookings.values()) == [50, 100]


async def _are(world: World, expected: list[str]) -> bool:
    return await states(world) == expected


async def _needs_attention(world: World) -> bool:
    run = await (await world.referral_run("spring", "fay")).describe()
    return run.search_attributes.get("ReferralAttention") == ["reward_failed"]


async def _called(vendor: FakeProvider, times: int) -> bool:
    return vendor.calls >= times


async def _are_reversed(world: World) -> bool:
    return not {"pending", "granting", "granted", "rolling_back"} & set(await states(world))


async def test_a_grant_booked_after_its_roll_back_is_reversed(world: World, vendor: FakeProvider):
    await world.apply(campaign(rewards={"friend": POINTS_50} | ELSEWHERE))
    vendor.gate = asyncio.Event()
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until(lambda: _called(vendor, 1))

    await world.roll_back(answer["referral"])
    vendor.gate.set()

    await world.until(lambda: _are(world, ["rolled_back"]))
    assert sorted(vendor.bookings.values()) == [-50, 50]
    await world.until_closed(await world.referral_run("spring", "fay"))


async def test_the_failed_reward_of_a_lost_milestone_is_never_paid(
    world: World, vendor: FakeProvider
):
    vendor.faults = [("before", PermanentError("unknown_member", "There is no such member."))]
    referral = await _reach_milestone(world)
    await world.until(lambda: _are(world, ["failed"]))

    await world.roll_back(referral)

    await world.until(lambda: _are(world, ["voided"]))
    assert vendor.bookings == {}


async def test_a_permanently_rejected_roll_back_of_a_lost_milestone_is_tried_once(
    world: World, vendor: FakeProvider
):
    referral = await _reach_milestone(world)
    await world.until(lambda: _are(world, ["granted"]))
    vendor.faults = [("before", PermanentError("card_blocked", "The card is blocked."))]

    await world.roll_back(referral)
    await world.until(lambda: _are(world, ["failed"]))
    await world.sleep(days=1)

    assert (await states(world), vendor.calls) == (["failed"], 2)


async def _reach_milestone(world: World) -> str:
    await world.apply(campaign(rewards={"tiers": [milestone(1)]} | ELSEWHERE))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    return str(answer["referral"])


async def test_every_reward_respects_the_rate_limit_of_its_provider(
    world: World, vendor: FakeProvider
):
    began = world.now()
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until_state(answer["referral"], "rewarded")

    (pace,) = await world.all(schema.provider_rate_limits)
    per_second = world.resources.settings.requests_per_second["http"]
    assert pace.provider == "http"
    assert pace.next_call_at >= began + 2 * timedelta(seconds=1 / per_second)
