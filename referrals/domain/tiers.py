"""Tiers: when an advocate is rewarded. Source: Voucherify, "Referral tier"."""

from collections.abc import Iterable

from referrals.domain.rewards import Tier


def each_conversion_tiers(tiers: Iterable[Tier]) -> list[Tier]:
    """Tiers rewarded for each unique conversion."""
    return [tier for tier in tiers if tier.each]


def earned_milestones(tiers: Iterable[Tier], count: int, reached: Iterable[str]) -> list[Tier]:
    """Milestones that `count` confirmed conversions earn and that are not among the `reached` names."""
    held = set(reached)
    return [tier for tier in tiers if tier.at and tier.at <= count and tier.name not in held]


def next_milestone(tiers: Iterable[Tier], count: int) -> Tier | None:
    """The nearest milestone above `count`."""
    return min((t for t in tiers if t.at and t.at > count), key=lambda t: t.at or 0, default=None)
