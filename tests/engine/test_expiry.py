"""Expiry of points: exactly once, even late or concurrent with other changes."""

import asyncio
from datetime import timedelta

import pytest

from referrals.domain.rewards import Asset
from referrals.errors import InsufficientBalanceError
from referrals.store import schema
from referrals.store.db.pages import Cursor
from referrals.store.ledger import accounts, expiry
from referrals.store.reporting import wallets
from referrals.temporal.names import EXPIRY_ID, QUEUE
from tests.harness.campaigns import EACH, POINTS_50, campaign
from tests.harness.world import World
from workflows.expiry import ExpiryWorkflow

POINTS = Asset("points", None)
FOR_A_MONTH = POINTS_50 | {"valid_for": "P30D"}


async def expire(world: World) -> None:
    """Run the workflow that the schedule starts."""
    await world.client.execute_workflow(ExpiryWorkflow.run, id=EXPIRY_ID, task_queue=QUEUE)


async def earned(world: World, *friends: str, **rewards) -> list[str]:
    """Grant each friend 50 points for a month, and return the referrals."""
    await world.apply(campaign(rewards={"friend": FOR_A_MONTH, "tiers": [EACH]} | rewards))
    code = await world.publish("spring", "ada")
    return [(await world.convert(code, friend))["referral"] for friend in friends]


async def spend(world: World, amount: int, key: str = "order-1", customer: str = "fay"):
    async with world.store.begin() as tx:
        return await wallets.redeem(tx, customer, POINTS, amount, key, "Spent", world.now())


async def expired(world: World) -> int:
    (account,) = await world.all(schema.ledger_accounts, kind="expired") or [None]
    async with world.store.read() as tx:
        return await accounts.balance_of(tx, account.id) if account else 0


async def test_unspent_points_expire_once(world: World):
    await earned(world, "fay")
    await spend(world, 20)
    await world.sleep(days=29)
    await expire(world)
    assert await world.balance("fay") == 30

    await world.sleep(days=2)
    for _ in range(2):
        await expire(world)

    assert (await world.balance("fay"), await expired(world)) == (0, 30)
    assert await world.balance("ada") == 100
    async with world.store.read() as tx:
        (entry, *_) = (await wallets.list_entries(tx, "fay", Cursor())).data
        assert (await wallets.get_wallet(tx, "fay")).balances[0].balance == "0"
    assert (entry.amount, entry.account) == ("-30", "wallet")
    assert entry.memo.startswith("Expired at 20")


async def test_expired_points_cannot_be_spent_before_the_expiry_job_runs(world: World):
    await earned(world, "fay")
    await world.sleep(days=40)

    with pytest.raises(InsufficientBalanceError):
        await spend(world, 1)


async def test_points_without_expiry_are_spent_last_and_remain(world: World):
    await earned(world, "fay")
    await world.apply(campaign("summer"))
    await world.convert(await world.publish("summer", "ada"), "fay", order="another")
    await spend(world, 60)

    await world.sleep(days=31)
    await expire(world)

    assert (await world.balance("fay"), await expired(world)) == (40, 0)


@pytest.mark.parametrize(("allow_negative", "wallet", "owed"), [(True, -20, 0), (False, 0, -20)])
async def test_rolling_back_an_expired_grant_reverses_only_the_spent_points(
    world: World, allow_negative: bool, wallet: int, owed: int
):
    rollback = {"rollback": {"allow_negative": allow_negative}}
    (referral,) = await earned(world, "fay", **rollback)
    await spend(world, 20)
    await world.sleep(days=31)

    await world.roll_back(referral)
    await expire(world)

    assert (await world.balance("fay"), await world.balance("fay", "owed")) == (wallet, owed)
    assert await expired(world) == 30


async def test_a_rolled_back_grant_does_not_expire(world: World):
    (referral,) = await earned(world, "fay")
    await world.roll_back(referral)
    await world.sleep(days=31)
    await expire(world)

    assert (await world.balance("fay"), await expired(world)) == (0, 0)


async def test_one_run_books_several_batches_despite_errors(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await earned(world, *(f"friend-{number}" for number in range(10)))
    await world.sleep(days=31)
    monkeypatch.setattr("activities.expiry.MAX_BATCH_SIZE", 3)
    book, calls = expiry.expire_due, []

    async def fail_once(*args) -> int:
        calls.append(await book(*args))
        if len(calls) == 2:
            raise RuntimeError("the database went away")
        return calls[-1]

    monkeypatch.setattr(expiry, "expire_due", fail_once)
    await expire(world)

    assert calls == [3, 3, 3, 3, 1, 0]
    assert await expired(world) == 500


async def test_a_long_expiry_run_continues_as_new(world: World, monkeypatch: pytest.MonkeyPatch):
    await earned(world, *(f"friend-{number}" for number in range(4)))
    await world.sleep(days=31)
    monkeypatch.setattr("activities.expiry.MAX_BATCH_SIZE", 2)
    monkeypatch.setattr("temporalio.workflow.Info.is_continue_as_new_suggested", lambda _: True)
    await expire(world)

    assert await expired(world) == 200
    history = await world.client.get_workflow_handle(EXPIRY_ID).fetch_history()
    began = history.events[0].workflow_execution_started_event_attributes
    assert began.continued_execution_run_id


async def test_concurrent_expiry_spending_and_roll_backs_deduct_nothing_twice(world: World):
    friends = [f"friend-{number}" for number in range(12)]
    referrals = await earned(world, *friends)
    for friend in friends[:4]:
        await spend(world, 20, customer=friend)
    world.skipped += timedelta(days=31)  # without firing the timers of the workflows

    async def book() -> None:
        async with world.store.begin() as tx:
            await expiry.expire_due(tx, world.now(), 5)

    await asyncio.gather(
        *(book() for _ in range(4)),
        *(spend(world, 1, "late", friend) for friend in friends),
        *(world.roll_back(referral) for referral in referrals[::2]),
        return_exceptions=True,
    )
    await book()
    await book()
    await book()

    rolled_back = {friends[number] for number in range(0, 12, 2)}
    for friend in friends:
        spent = 20 if friend in friends[:4] else 0
        owed = spent if friend in rolled_back else 0
        balance = (await world.balance(friend), await world.balance(friend, "owed"))
        assert balance == (0, -owed), friend
