"""Spending from the wallet, and taking back what is spent already."""

import asyncio

import pytest

from referrals.domain.rewards import Asset
from referrals.errors import IdempotencyKeyReusedError, InsufficientBalanceError
from referrals.store.reporting import wallets
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.world import World

POINTS = Asset("points", None)


async def spend(world: World, customer: str, amount: int, key: str):
    async with world.store.begin() as tx:
        return await wallets.redeem(tx, customer, POINTS, amount, key, "Spent", world.now())


async def earned(world: World, **parts) -> dict:
    """Ada has 100 points for a friend, and 1,000 for the milestone that it is."""
    rewards = {"friend": POINTS_50, "tiers": [EACH, milestone(1)]} | parts
    await world.apply(campaign(rewards=rewards))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until_idle()
    assert await world.balance("ada") == 1100
    return answer


async def test_a_spending_is_made_once_for_each_key(world: World):
    await earned(world)

    for _ in range(3):
        wallet = await spend(world, "ada", 600, "order-1")

    assert wallet.balances[0].balance == "500"


async def test_more_than_the_wallet_holds_cannot_be_spent_however_many_try_at_once(world: World):
    await earned(world)

    answers = await asyncio.gather(
        *(spend(world, "ada", 200, f"order-{n}") for n in range(10)), return_exceptions=True
    )

    assert sum(isinstance(answer, InsufficientBalanceError) for answer in answers) == 5
    assert await world.balance("ada") == 100


async def test_a_key_stands_for_one_spending(world: World):
    await earned(world)
    await spend(world, "ada", 600, "order-1")

    with pytest.raises(IdempotencyKeyReusedError):
        await spend(world, "ada", 500, "order-1")


async def test_a_milestone_that_is_spent_and_lost_is_owed(world: World):
    answer = await earned(world)
    await spend(world, "ada", 1000, "order-1")

    await world.roll_back(answer["referral"])
    await world.until(lambda: _owes(world, 1000))

    assert await world.balance("ada") == 0


async def test_a_milestone_that_is_spent_and_lost_takes_the_balance_below_nothing_where_allowed(
    world: World,
):
    answer = await earned(world, rollback={"allow_negative": True})
    await spend(world, "ada", 1000, "order-1")

    await world.roll_back(answer["referral"])
    await world.until(lambda: _has(world, -1000))

    assert await world.balance("ada", "owed") == 0


async def _owes(world: World, amount: int) -> bool:
    return await world.balance("ada", "owed") == -amount


async def _has(world: World, amount: int) -> bool:
    return await world.balance("ada") == amount
