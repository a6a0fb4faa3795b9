"""Tiers of an advocate: rewards per conversion and milestones. Source: Voucherify, "Referral tier"."""

from collections.abc import Iterable

from referrals.domain.rewards import Tier


def each_conversion_tiers(tiers: Iterable[Tier]) -> list[Tier]:
    """Return the tiers that reward each conversion."""
    return [tier for tier in tiers if tier.each]


def earned_milestones(tiers: Iterable[Tier], count: int, reached: Iterable[str]) -> list[Tier]:
    """Return the milestones at or below `count` confirmed conversions whose identities are not in `reached`."""
    identities = set(reached)
    return [t for t in tiers if t.at and t.at <= count and t.identity not in identities]


def is_lost(tiers: Iterable[Tier], identity: str, threshold: int, count: int) -> bool:
    """Check whether a milestone reached at `threshold` is lost at `count`: below it, and below the tier's present `at`.

    An edit therefore never takes a milestone away, and a tier whose `at` was lowered is lost below the lower one.
    """
    at = next((tier.at for tier in tiers if tier.identity == identity and tier.at), threshold)
    return count < min(at, threshold)


def next_milestone(tiers: Iterable[Tier], count: int) -> Tier | None:
    """Return the nearest milestone above `count`, or None."""
    return min((t for t in tiers if t.at and t.at > count), key=lambda t: t.at or 0, default=None)
