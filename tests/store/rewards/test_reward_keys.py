"""The key that a provider gets with a reward follows from facts, and each key is granted once."""

from typing import Any

import pytest

from referrals.store import Store, schema
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.identity import IDENTITY
from tests.harness.store_harness import StoreHarness

REWARDS = {"friend": POINTS_50, "tiers": [EACH, milestone(1)]}


@pytest.fixture
def harness(store: Store) -> StoreHarness:
    return StoreHarness(store, repeat=True)


async def keys(harness: StoreHarness) -> list[str]:
    return sorted(row.key for row in await harness.all(schema.rewards))


def key(customer: str, name: str, occurrence: int = 1) -> str:
    return f"spring/{IDENTITY.reward_subject(customer)}/{name}/{occurrence}"


async def test_keys_name_the_friend_or_for_a_milestone_the_advocate(harness: StoreHarness):
    await harness.apply(campaign(rewards=REWARDS))
    await harness.convert(await harness.publish("spring", "ada"), "fay")

    expected = [key("fay", "friend"), key("fay", "each_friend"), key("ada", "at_1")]
    assert await keys(harness) == sorted(expected)


async def test_a_milestone_reached_again_has_the_next_occurrence(harness: StoreHarness):
    await harness.apply(campaign(rewards=REWARDS))
    code = await harness.publish("spring", "ada")
    referral = (await harness.convert(code, "fay"))["referral"]
    await harness.command("roll_back", referral)
    await harness.convert(code, "flo")

    assert {key("ada", "at_1", 1), key("ada", "at_1", 2)} <= set(await keys(harness))


async def test_a_reinstated_referral_has_the_next_occurrence_of_its_rewards(harness: StoreHarness):
    await harness.apply(campaign())
    referral = (await harness.convert(await harness.publish("spring", "ada"), "fay"))["referral"]
    await harness.command("roll_back", referral)
    await harness.command("reinstate", referral)

    friends = [
        key("fay", name, occurrence) for name in ("friend", "each_friend") for occurrence in (1, 2)
    ]
    assert await keys(harness) == sorted(friends)


async def test_a_new_id_keeps_the_customers_keys(harness: StoreHarness):
    await harness.apply(campaign())
    code = await harness.publish("spring", "ada")
    await harness.sign_up(code, "fay")
    await _rename(harness, "fay", "fay@example.com")
    await harness.convert(code, "fay@example.com")

    assert key("fay", "friend") in await keys(harness)


async def _rename(harness: StoreHarness, before: str, after: str) -> None:
    customers: Any = schema.customers
    change = (
        customers.update()
        .where(customers.c.external_id == before)
        .values(external_id=after, normalised_id=after)
    )
    async with harness.store.begin() as tx:
        await tx.execute(change)
