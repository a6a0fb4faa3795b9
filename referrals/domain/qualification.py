"""The first stage of a conversion, qualify: may this friend be referred by this code, now?

Each check answers with the reason that the caller and the operator are shown. Sources: Voucherify ("a referrer
can't redeem the code they own", redemptions per customer 1), Talon.One (`rejectReferral`), design ("Reject reasons").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from referrals.domain.campaign import Campaign, Cooldown, Rule
from referrals.domain.reasons import Reason, RejectReason
from referrals.domain.rules import RuleContext, RuleError


@dataclass(frozen=True)
class CodeFacts:
    """What is known of a code that exists."""

    published: bool
    active: bool
    starts_at: datetime | None
    expires_at: datetime | None
    exhausted: bool


@dataclass(frozen=True)
class FriendFacts:
    """What is known of the friend at this moment."""

    is_advocate: bool
    already_referred: bool
    order_used: bool
    existing_customer: bool
    signed_up: bool
    """A sign-up with this code is open: it was judged by the same checks when it began."""
    signed_up_elsewhere: bool = False
    """A sign-up with another code is open."""


@dataclass(frozen=True)
class LimitUsage:
    """How many places are taken under the campaign's limits, and the advocate's last one."""

    by_campaign: int
    by_advocate: int
    last_at: datetime | None


def code_rejection(code: CodeFacts, *, signed_up: bool, at: datetime) -> Reason | None:
    """Is the code good at `at`? A sign-up made in time keeps its code's validity."""
    if not code.published:
        return Reason(RejectReason.CODE_NOT_PUBLISHED, "The code belongs to no advocate yet.")
    if not code.active:
        return Reason(RejectReason.CODE_INACTIVE, "The code has been switched off.")
    if code.starts_at and at < code.starts_at:
        return Reason(
            RejectReason.CODE_NOT_STARTED, f"The code is valid from {_day(code.starts_at)}."
        )
    if code.expires_at and at >= code.expires_at and not signed_up:
        return Reason(RejectReason.CODE_EXPIRED, f"The code expired on {_day(code.expires_at)}.")
    return None


def campaign_rejection(campaign: Campaign, state: str, at: datetime) -> Reason | None:
    """Is the campaign running at `at`?"""
    if state != "running":
        return Reason(RejectReason.CAMPAIGN_NOT_RUNNING, f"The campaign is {state}.")
    if campaign.starts_at and at < campaign.starts_at:
        return Reason(
            RejectReason.CAMPAIGN_NOT_RUNNING, f"The campaign starts on {_day(campaign.starts_at)}."
        )
    if campaign.ends_at and at >= campaign.ends_at:
        return Reason(
            RejectReason.CAMPAIGN_NOT_RUNNING, f"The campaign ended on {_day(campaign.ends_at)}."
        )
    return None


def friend_rejection(campaign: Campaign, friend: FriendFacts) -> Reason | None:
    """May this person be this advocate's friend?"""
    if friend.is_advocate:
        return Reason(RejectReason.SELF_REFERRAL, "Advocates cannot refer themselves.")
    if friend.signed_up_elsewhere:
        return Reason(
            RejectReason.ALREADY_REFERRED, "The friend has signed up with another advocate's code."
        )
    if friend.already_referred:
        return Reason(
            RejectReason.ALREADY_REFERRED, "The friend has been referred in this campaign already."
        )
    if friend.order_used:
        return Reason(
            RejectReason.ALREADY_REFERRED, "The order has counted for a referral already."
        )
    if campaign.conversion.new_customers_only and friend.existing_customer and not friend.signed_up:
        return Reason(
            RejectReason.EXISTING_CUSTOMER, "The friend was a customer before being referred."
        )
    return None


def limit_rejection(campaign: Campaign, code: CodeFacts, places: LimitUsage) -> Reason | None:
    """Is there a place left under the code's, the campaign's and the advocate's limits?"""
    limits = campaign.limits
    if code.exhausted:
        return Reason(RejectReason.CODE_EXHAUSTED, "The code has been used as often as it may be.")
    if limits.conversions is not None and places.by_campaign >= limits.conversions:
        return Reason(
            RejectReason.CAMPAIGN_LIMIT_REACHED, "The campaign has no conversions left to reward."
        )
    if limits.per_advocate and places.by_advocate >= limits.per_advocate.count:
        return Reason(
            RejectReason.ADVOCATE_LIMIT_REACHED,
            f"The advocate has reached the limit of {limits.per_advocate.count} referrals.",
        )
    return None


def next_rewardable_at(
    cooldown: Cooldown | None, last_at: datetime | None, at: datetime
) -> datetime:
    """When the next rewarded conversion of the advocate is due: now, or a period after the last place."""
    if cooldown is None or last_at is None:
        return at
    return max(at, last_at + cooldown.period)


def cooldown_rejection(cooldown: Cooldown | None, due: datetime, at: datetime) -> Reason | None:
    """Only where the campaign refuses instead of deferring."""
    if cooldown is None or cooldown.on_hit != "reject" or due <= at:
        return None
    return Reason(
        RejectReason.IN_COOLDOWN, f"The advocate's cooldown lasts until {due:%Y-%m-%d %H:%M} UTC."
    )


def rule_rejection(rules: tuple[Rule, ...], context: RuleContext) -> Reason | None:
    """The first rule that does not hold; one that cannot be evaluated does not hold."""
    for rule in rules:
        try:
            holds = rule.condition.holds(context)
        except RuleError as error:
            return Reason(RejectReason.RULE_FAILED, rule.message, rule.name, str(error))
        if not holds:
            return Reason(RejectReason.RULE_FAILED, rule.message, rule.name)
    return None


def qualify(
    campaign: Campaign,
    state: str,
    code: CodeFacts,
    friend: FriendFacts,
    places: LimitUsage,
    context: RuleContext,
    at: datetime,
) -> Reason | datetime:
    """The whole stage, in its order: code, campaign, friend, limits, cooldown, rules.

    Returns the reason of the first check that fails, or the conversion's place in time.
    """
    due = next_rewardable_at(campaign.limits.cooldown, places.last_at, at)

    def checks() -> Iterator[Reason | None]:
        yield code_rejection(code, signed_up=friend.signed_up, at=at)
        yield campaign_rejection(campaign, state, at)
        yield friend_rejection(campaign, friend)
        yield limit_rejection(campaign, code, places)
        yield cooldown_rejection(campaign.limits.cooldown, due, at)
        yield rule_rejection(campaign.conversion.rules, context)

    return next((reason for reason in checks() if reason), due)


def due_at(place_at: datetime, hold: timedelta | None, at: datetime) -> datetime:
    """A reward is due at the later of the hold's end and the cooldown's place."""
    return max(place_at, at + (hold or timedelta(0)))


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}"
