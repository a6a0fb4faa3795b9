"""Merging two friends, in every pair of states of their referrals (docs/merging.md, "Two referrals of one friend")."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from referrals.domain.states import COUNTS_TOWARD_LIMITS
from referrals.store import schema
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
