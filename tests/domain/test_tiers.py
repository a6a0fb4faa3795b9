"""Tiers: which milestones a count earns, and which comes next."""

from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.rewards import Tier
from referrals.domain.tiers import each_conversion_tiers, earned_milestones, next_milestone

REWARD = {"type": "points", "amount": 1}
TIERS = [
    Tier.model_validate({"name": "each", "each": True, "reward": REWARD}),
    Tier.model_validate({"name": "five", "at": 5, "reward": REWARD}),
    Tier.model_validate({"name": "ten", "at": 10, "reward": REWARD}),
]


def test_only_tiers_for_each_conversion_are_rewarded_with_every_one():
    assert [tier.name for tier in each_conversion_tiers(TIERS)] == ["each"]


@given(st.integers(0, 20), st.sets(st.sampled_from(["five", "ten"])))
def test_a_count_earns_exactly_the_milestones_at_or_under_it_that_are_not_held(count, held):
    earned = {tier.name for tier in earned_milestones(TIERS, count, held)}

    assert earned == {name for name, at in (("five", 5), ("ten", 10)) if at <= count} - held


def test_the_next_milestone_is_the_nearest_above():
    following = {count: next_milestone(TIERS, count) for count in (0, 4, 5, 9, 10)}

    assert {count: tier and tier.name for count, tier in following.items()} == {
        0: "five",
        4: "five",
        5: "ten",
        9: "ten",
        10: None,
    }
