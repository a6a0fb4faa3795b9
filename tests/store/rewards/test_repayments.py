"""Rewards of an external provider repay what the customer owes, once, and give it back if they are not granted."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from referrals.domain.rewards import Asset
from referrals.providers import OutcomeUnknownError, PermanentError, RetryableError
from referrals.store import Store, schema
from referrals.store.reporting import reward_lists, wallets
from referrals.store.rewards import provider_rate_limits
from tests.harness.campaigns import EACH, POINTS_50, campaign
from tests.harness.deliveries import Deliveries
from tests.harness.fake_provider import FakeProvider
from tests.harness.store_harness import StoreHarness

ELSEWHERE = {"provider": "http", "target": {}}
REFUSAL = PermanentError("card_blocked", "The card is blocked.")


class Shop:
    """Ada refers friends in three campaigns: `spring` grants 100 points elsewhere, `small` 50, and `own` 100 in our ledger."""

    def __init__(self, harness: StoreHarness, deliveries: Deliveries, codes: dict[str, str]):
        self.harness, self.deliveries, self.vendor = harness, deliveries, deliveries.provider
        self.codes = codes

    async def convert(self, friend: str, place: str = "spring") -> Any:
        """Let a friend convert, and return Ada's reward, which is not delivered yet."""
        answer = await self.harness.convert(self.codes[place], friend)
        (row,) = await self.harness.all(schema.rewards, referral_id=answer["referral"])
        return row

    async def grant(self, friend: str, place: str = "spring") -> Any:
        return await self.deliver(await self.convert(friend, place))

    async def deliver(self, reward: Any) -> Any:
        """Make attempts until the reward is closed, granted or failed; return its row."""
        await self.deliveries.deliver_all()
        return await self.row(reward)

    async def pause_calls(self) -> None:
        """Let other calls fill the provider's queue for an hour."""
        async with self.harness.store.begin() as tx:
            now = self.harness.now()
            async with provider_rate_limits.locked_queue(tx, "http", now) as queue:
                queue.take_turn(now, timedelta(hours=1), timedelta(0))

    async def row(self, reward: Any) -> Any:
        (row,) = await self.harness.all(schema.rewards, id=reward.id)
        return row

    async def roll_back(self, reward: Any, held: int | None = None) -> Any:
        """Roll the referral of a reward back; Ada has only `held` points left at the vendor."""
        self.vendor.holds = held
        await self.harness.roll_back(reward.referral_id)
        row = await self.deliver(reward)
        self.vendor.holds = None
        return row

    async def owe(self, amount: int, friend: str = "debtor") -> Any:
        """Let Ada spend that many of 100 points, and take the others back."""
        row = await self.roll_back(await self.grant(friend), held=100 - amount)
        assert await self.owed() == amount
        return row

    async def owed(self) -> int:
        return -await self.harness.balance("ada", "owed")

    async def logged(self, kind: str) -> list[Any]:
        return [row.data for row in await self.harness.all(schema.activity, type=kind)]


@pytest.fixture
async def shop(store: Store, without_waits) -> Shop:
    harness = StoreHarness(store)
    small = {"tiers": [EACH | {"reward": POINTS_50}]}
    for name, rewards in (
        ("spring", {"tiers": [EACH], **ELSEWHERE}),
        ("small", {**small, **ELSEWHERE}),
        ("own", {"tiers": [EACH]}),
    ):
        await harness.apply(campaign(name, rewards=rewards))
    codes = {name: await harness.publish(name, "ada") for name in ("spring", "small", "own")}
    return Shop(harness, Deliveries(harness, FakeProvider()), codes)


async def test_a_grant_repays_what_is_owed_and_the_provider_grants_the_rest(shop: Shop):
    await shop.owe(30)

    row = await shop.grant("fay")

    assert (row.state, row.repaid) == ("granted", 30)
    assert shop.vendor.bookings[row.key] == 70
    assert await shop.owed() == 0
    assert (await shop.logged("reward_granted"))[-1] == {"repaid": "30"}
    async with shop.harness.store.read() as tx:
        assert (await reward_lists.get_reward(tx, row.id, shop.harness.now())).repaid == "30"


async def test_the_request_says_why_it_is_less(shop: Shop, monkeypatch):
    await shop.owe(30)
    asked, book = [], shop.vendor.grant

    async def grant(request):
        asked.append(request.reason)
        return await book(request)

    monkeypatch.setattr(shop.vendor, "grant", grant)
    await shop.grant("fay")

    assert asked == ["Referral reward: 100 points, less 30 owed"]


async def test_a_grant_that_repays_with_all_of_its_amount_takes_no_call(shop: Shop):
    await shop.owe(80)
    calls = shop.vendor.calls
    shop.vendor.down = RetryableError("down")

    row = await shop.grant("fay", "small")

    assert (row.state, row.repaid, row.reference) == ("granted", 50, None)
    assert shop.vendor.calls == calls
    assert await shop.owed() == 30
    assert await shop.harness.state(row.referral_id) == "rewarded"
    assert (await shop.logged("reward_granted"))[-1] == {"repaid": "50"}


async def test_the_roll_back_of_a_grant_without_call_takes_no_call(shop: Shop):
    await shop.owe(80)
    calls = shop.vendor.calls

    row = await shop.roll_back(await shop.grant("fay", "small"))

    assert row.state == "rolled_back"
    assert shop.vendor.calls == calls
    assert await shop.owed() == 80
    assert (await shop.logged("reward_rolled_back"))[-1] == {"owed": "50"}


@pytest.mark.parametrize("place", ["spring", "own"])
async def test_debts_of_either_ledger_are_repaid_by_the_other(shop: Shop, place: str):
    other = {"spring": "own", "own": "spring"}[place]
    reward = await shop.grant("debtor", place)
    if place == "own":
        async with shop.harness.store.begin() as tx:
            now, points = shop.harness.now(), Asset("points", None)
            await wallets.redeem(tx, "ada", points, 30, "order", "Spent", now)
    await shop.roll_back(reward, held=70)
    assert await shop.owed() == 30

    row = await shop.grant("fay", other)

    assert row.repaid == 30
    assert await shop.owed() == 0
    assert (await shop.logged("reward_granted"))[-1] == {"repaid": "30"}


async def test_another_type_or_customer_repays_nothing(shop: Shop):
    credit = {"type": "gift_credit", "amount": "25.00", "currency": "EUR"}
    rewards = {"friend": POINTS_50, "tiers": [EACH | {"reward": credit}], **ELSEWHERE}
    await shop.harness.apply(campaign("summer", rewards=rewards))
    code = await shop.harness.publish("summer", "ada")
    await shop.owe(30)

    await shop.harness.convert(code, "fay")
    await shop.deliveries.deliver_all()

    granted = await shop.harness.all(schema.rewards, campaign_id="summer")
    assert sorted((row.amount, row.repaid) for row in granted) == [(50, 0), (2500, 0)]
    assert await shop.owed() == 30


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_repeat_after_a_lost_response_has_the_same_amount(shop: Shop, when: str):
    """Let a further debt arise before the repeat."""
    other = await shop.grant("other")
    await shop.owe(20)
    shop.vendor.faults = [(when, OutcomeUnknownError("lost"))]
    reward = await shop.convert("fay")
    await shop.deliveries.attempt(reward.id)

    await shop.roll_back(other, held=90)
    row = await shop.deliver(reward)

    assert (row.state, shop.vendor.bookings[row.key]) == ("granted", 80)
    assert await shop.owed() == 10


async def test_a_roll_back_takes_back_what_was_given_and_the_rest_is_owed_again(shop: Shop):
    await shop.owe(30)
    reward = await shop.grant("fay")

    row = await shop.roll_back(reward)

    assert shop.vendor.bookings[f"{row.key}:roll_back"] == -70
    assert (row.state, await shop.owed()) == ("rolled_back", 30)
    assert (await shop.logged("reward_rolled_back"))[-1] == {"owed": "30"}
    assert (await shop.grant("gus")).repaid == 30  # once more
    assert await shop.owed() == 0


async def test_a_roll_back_of_what_was_spent_owes_both_parts(shop: Shop):
    await shop.owe(30)
    reward = await shop.grant("fay")

    row = await shop.roll_back(reward, held=50)

    assert shop.vendor.bookings[f"{row.key}:roll_back"] == -50
    assert await shop.owed() == 50
    assert (await shop.logged("reward_rolled_back"))[-1] == {"owed": "50"}


async def test_a_failed_grant_keeps_its_repayment_for_the_retry(shop: Shop):
    await shop.owe(30)
    shop.vendor.faults = [("before", REFUSAL)]
    row = await shop.grant("fay")
    assert (row.state, await shop.owed()) == ("failed", 0)

    await shop.deliveries.command("retry", row.id)
    row = await shop.deliver(row)

    assert (row.state, shop.vendor.bookings[row.key]) == ("granted", 70)


async def test_what_a_voided_grant_repaid_is_owed_again(shop: Shop):
    await shop.owe(30)
    shop.vendor.faults = [("before", REFUSAL)]
    row = await shop.grant("fay")

    await shop.deliveries.command("void", row.id)

    assert ((await shop.row(row)).state, await shop.owed()) == ("voided", 30)
    assert await shop.logged("reward_voided") == [{"owed": "30"}]


async def test_a_debt_of_a_voided_grant_is_that_of_the_first_reward(shop: Shop):
    """The ledger shows for which reward each amount is owed."""
    debtor = await shop.owe(30)
    shop.vendor.faults = [("before", REFUSAL)]
    row = await shop.grant("fay")
    await shop.deliveries.command("void", row.id)

    entries = await shop.harness.all(schema.ledger_entries)
    debt, repayment, again = entries[-3:]

    assert [entry.reward_id for entry in (debt, repayment, again)] == [debtor.id, row.id, debtor.id]
    assert [entry.reverses_id for entry in (debt, repayment, again)] == [
        None,
        debt.id,
        repayment.id,
    ]


async def test_a_grant_undone_before_its_call_gives_the_repayment_back(shop: Shop):
    await shop.owe(30)
    shop.vendor.faults = [("before", RetryableError("busy"))]
    reward = await shop.convert("fay")
    await shop.deliveries.attempt(reward.id)
    await shop.harness.roll_back(reward.referral_id)
    shop.vendor.faults = [("before", REFUSAL)]
    await shop.deliver(reward)

    row = await shop.deliver(reward)

    assert (row.state, await shop.owed()) == ("voided", 30)
    assert row.key not in shop.vendor.bookings


async def test_a_grant_undone_while_it_waits_for_its_turn_gives_the_repayment_back(shop: Shop):
    await shop.owe(30)
    reward = await shop.convert("fay")
    await shop.pause_calls()
    await shop.deliveries.attempt(reward.id)
    assert ((await shop.row(reward)).state, await shop.owed()) == ("pending", 0)

    await shop.harness.roll_back(reward.referral_id)

    assert ((await shop.row(reward)).state, await shop.owed()) == ("voided", 30)


async def test_a_debt_is_repaid_once_by_two_grants_at_a_time(shop: Shop):
    await shop.owe(80)
    first, second = await shop.convert("fay", "small"), await shop.convert("gus")

    await asyncio.gather(*(shop.deliveries.attempt(row.id) for row in (first, second)))
    await shop.deliveries.deliver_all()

    repaid = [(await shop.row(row)).repaid for row in (first, second)]
    assert (sum(repaid), await shop.owed()) == (80, 0)
    assert shop.vendor.bookings.get(second.key, 0) == 100 - repaid[1]


async def test_a_reinstated_reward_repays_what_is_owed_for_it(shop: Shop):
    reward = await shop.owe(30)

    await shop.harness.command("reinstate", reward.referral_id)
    await shop.deliveries.deliver_all()

    (renewed,) = await shop.harness.all(
        schema.rewards, referral_id=reward.referral_id, occurrence=2
    )
    assert (renewed.state, renewed.repaid) == ("granted", 30)
    assert shop.vendor.bookings[renewed.key] == 70


async def test_a_grant_repays_what_a_merged_customer_owed(shop: Shop):
    await shop.owe(30)
    reward = await shop.convert("fay")
    await shop.harness.merge("bea", "ada")

    row = await shop.deliver(reward)

    assert (row.repaid, shop.vendor.bookings[row.key]) == (30, 70)
    assert await shop.harness.balance("bea", "owed") == 0


async def test_what_was_repaid_before_a_merge_is_owed_by_the_survivor_again(shop: Shop):
    await shop.owe(30)
    reward = await shop.grant("fay")
    await shop.harness.merge("bea", "ada")

    await shop.roll_back(reward)

    assert await shop.harness.balance("bea", "owed") == -30
    assert await shop.owed() == 0


async def test_a_debt_that_is_repaid_and_owed_again_is_reversed_once(shop: Shop):
    """The roll-back of the first reward is not finished when the second one's repayment of it is undone."""
    reward = await shop.grant("debtor")
    shop.vendor.holds = 70
    await shop.harness.roll_back(reward.referral_id)
    await shop.deliveries.attempt(reward.id)
    assert await shop.owed() == 30
    shop.vendor.holds = None
    second = await shop.convert("fay")
    shop.vendor.faults = [("before", REFUSAL)]
    await shop.deliveries.attempt(second.id)
    await shop.deliveries.command("void", second.id)

    await shop.deliver(reward)

    assert shop.vendor.bookings[f"{reward.key}:roll_back"] == -70
    assert await shop.owed() == 30
