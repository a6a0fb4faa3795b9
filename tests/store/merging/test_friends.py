"""Merging two friends, in every pair of states of their referrals (docs/merging.md, "Two referrals of one friend")."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from referrals.domain.states import COUNTS_TOWARD_LIMITS
from referrals.store import schema
from referrals.store.db.pages import Cursor
from referrals.store.reporting import reward_lists
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness
from tests.store.merging.referral_states import BUILDERS, Build, referral_of

RANKS = {
    "confirmed": 0,
    "rewarded": 0,
    "rolled_back": 1,
    "held": 2,
    "in_review": 2,
    "signed_up": 3,
}
"""Which of two live referrals stays; of one rank the earlier."""
BECOMES = {
    "signed_up": ("rejected", False),
    "held": ("rejected", False),
    "in_review": ("rejected", False),
    "confirmed": ("rewarded", True),
    "rewarded": ("rewarded", True),
    "rolled_back": ("rolled_back", True),
}
"""Outcome of the other referral: its state, and whether it is superseded."""
REWARDS = {
    "signed_up": set(),
    "held": {"voided"},
    "in_review": {"voided"},
    "confirmed": {"voided"},
    "rewarded": {"granted"},
    "rolled_back": {"rolled_back"},
}
"""States of the rewards of the other."""


@pytest.mark.parametrize("of_survivor", BUILDERS)
async def test_one_of_two_referrals_of_a_friend_stays_in_force(store, of_survivor):
    harness = StoreHarness(store)
    await harness.apply(campaign())
    codes = [await harness.publish("spring", name) for name in ("ada", "ben")]
    for of_merged in BUILDERS:
        survivor, merged = f"{of_survivor}-{of_merged}", f"guest-{of_merged}"
        before = [
            await refer(harness, BUILDERS[of_survivor], codes[0], survivor),
            await refer(harness, BUILDERS[of_merged], codes[1], merged),
        ]
        report = await harness.merge(survivor, merged)
        await assert_one_stays(harness, report, before)
    await assert_counters(harness)


async def refer(harness: StoreHarness, build: Build, code: str, friend: str) -> Any:
    await build(harness, code, friend)
    harness.time += timedelta(seconds=1)
    return await referral_of(harness, friend)


async def assert_one_stays(harness: StoreHarness, report: Any, before: list[Any]) -> None:
    (survivor,) = await harness.all(schema.customers, id=before[0].friend_id)
    after = [(await harness.all(schema.referrals, id=row.id))[0] for row in before]
    assert {row.friend_id for row in after} == {survivor.id}
    assert [row.workflow_id for row in after] == [row.workflow_id for row in before]
    live = sorted((row for row in before if row.state in RANKS), key=lambda row: RANKS[row.state])
    conflicts = [each for each in report["conflicts"] if each["kind"] == "two_referrals"]
    if len(live) < 2:
        assert [row.state for row in after] == [row.state for row in before]
        assert conflicts == []
        return
    surviving, other = live
    (conflict,) = conflicts
    assert (conflict["surviving"], conflict["other"]) == (surviving.id, other.id)
    now = {row.id: row for row in after}
    assert (now[surviving.id].state, now[surviving.id].superseded_by) == (surviving.state, None)
    state, superseded = BECOMES[other.state]
    assert now[other.id].state == state
    assert now[other.id].superseded_by == (surviving.id if superseded else None)
    rewards = await harness.all(schema.rewards, referral_id=other.id)
    assert {reward.state for reward in rewards} == REWARDS[other.state]
    if state == "rejected":
        assert now[other.id].reason_code == "already_referred"


async def assert_counters(harness: StoreHarness) -> None:
    """Check that the counters of campaign, codes and advocates are those of their referrals."""
    referrals = await harness.all(schema.referrals)
    counted = [row for row in referrals if row.state in COUNTS_TOWARD_LIMITS]
    (row,) = await harness.all(schema.campaigns)
    assert row.accepted_count == len(counted)
    uses = Counter(row.code for row in counted)
    for code in await harness.all(schema.codes):
        assert code.uses == uses[code.code]
    confirmed = Counter(
        row.advocate_id for row in referrals if row.state in ("confirmed", "rewarded")
    )
    for advocate in await harness.all(schema.advocates):
        assert advocate.confirmed_count == confirmed[advocate.id]


async def test_referrals_in_different_campaigns_both_stay(store):
    harness = StoreHarness(store)
    for name, friend in (("spring", "ada"), ("summer", "guest")):
        await harness.apply(campaign(name))
        await harness.convert(await harness.publish(name, "ben"), friend, campaign=name)
    report = await harness.merge("ada", "guest")
    rows = await harness.all(schema.referrals)
    assert {(row.state, row.superseded_by) for row in rows} == {("rewarded", None)}
    assert report["conflicts"] == []
    assert await harness.balance("ada") == 50 + 50


@pytest.mark.parametrize(("after_refund", "stays"), [("final", "guest"), ("allow_again", "ada")])
async def test_a_returned_order_stays_only_if_it_leaves_the_friend_no_other_try(
    store, after_refund, stays
):
    harness = StoreHarness(store)
    await harness.apply(campaign(conversion={"after_refund": after_refund, "hold": "P14D"}))
    codes = {name: await harness.publish("spring", f"of-{name}") for name in ("ada", "guest")}
    await harness.convert(codes["guest"], "guest")
    await harness.refund("order-of-guest")
    await harness.convert(codes["ada"], "ada")
    await harness.merge("ada", "guest")
    (row,) = [
        row
        for row in await harness.all(schema.referrals)
        if row.state != "rejected" and row.superseded_by is None and row.released_at is None
    ]
    assert row.code == codes[stays]
    other = await harness.convert(codes["guest"], "guest", order="order-2")
    assert other["reason"]["code"] == "already_referred"


@pytest.mark.parametrize("first", ["ada", "guest"])
async def test_of_two_confirmed_referrals_the_earlier_confirmation_stays(store, first):
    """The advocate's reward that waits for a cooldown is voided, unlike what was paid to the friend."""
    harness = StoreHarness(store)
    await harness.apply(campaign(limits={"cooldown": {"period": "P1D", "on_hit": "defer"}}))
    codes = {name: await harness.publish("spring", f"of-{name}") for name in ("ada", "guest")}
    for code in codes.values():
        await harness.convert(code, f"before-{code}", order=f"before-{code}")
    for name in sorted(codes, key=lambda name: name != first):
        await harness.convert(codes[name], name)
        harness.time += timedelta(seconds=1)
    await harness.merge("ada", "guest")
    found = await harness.all(schema.referrals, friend_id=await harness.customer_id("ada"))
    (other,) = [row for row in found if row.superseded_by]
    assert other.code != codes[first]
    rewards = await harness.all(schema.rewards, referral_id=other.id)
    assert {row.side: row.state for row in rewards} == {"friend": "granted", "advocate": "voided"}


async def test_rewards_that_a_merge_voids_are_listed_with_the_survivor(store):
    harness = StoreHarness(store)
    await harness.apply(campaign(conversion={"hold": "P14D"}))
    codes = [await harness.publish("spring", name) for name in ("ben", "eve")]
    await harness.convert(codes[0], "ada")
    await harness.convert(codes[1], "guest")
    await harness.merge("ada", "guest")
    for named in ("ada", "guest"):
        async with store.read() as tx:
            page = await reward_lists.list_rewards(
                tx, "spring", Cursor(), harness.time, customer=named, state="voided"
            )
        (listed,) = page.data
        assert (listed.customer, listed.side, listed.state) == ("ada", "friend", "voided")
        assert listed.reason == (
            "A merge of customers shows that the friend has already been referred in this campaign."
        )
