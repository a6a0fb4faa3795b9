"""Tiers of an advocate: rewards per conversion and milestones. Source: Voucherify, "Referral tier"."""

from collections.abc import Iterable

from referrals.domain.rewards import Tier


def each_conversion_tiers(tiers: Iterable[Tier]) -> list[Tier]:
    """Return the tiers that reward each conversion."""
    return [tier for tier in tiers if tier.each]


def earned_milestones(tiers: Iterable[Tier], count: int, reached: Iterable[str]) -> list[Tier]:
    """Return the milestones at or below `count` confirmed conversions whose names are not in `reached`."""
    names = set(reached)
    return [tier for tier in tiers if tier.at and tier.at <= count and tier.name not in names]


def next_milestone(tiers: Iterable[Tier], count: int) -> Tier | None:
    """Return the nearest milestone above `count`, or None."""
    return min((t for t in tiers if t.at and t.at > count), key=lambda t: t.at or 0, default=None)
