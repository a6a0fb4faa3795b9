"""Qualification, the first stage of a conversion: decide whether the code can refer this friend now.

Each check returns the reason of a rejection, or None. To add a reject reason, add its code to
`reasons.RejectReason` and a check to `qualify`. Sources: Voucherify ("a referrer can't redeem the code they own",
redemptions per customer 1), Talon.One (`rejectReferral`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from referrals.domain.campaign import Campaign, Rule
from referrals.domain.identity import Certainty, SamePerson
from referrals.domain.periods import period_around
from referrals.domain.reasons import Reason, RejectReason, ReviewReason
from referrals.domain.rules import RuleContext
from referrals.errors import RuleError


@dataclass(frozen=True)
class CodeFacts:
    """Facts about an existing code."""

    published: bool
    active: bool
    starts_at: datetime | None
    expires_at: datetime | None
    exhausted: bool


@dataclass(frozen=True)
class FriendFacts:
    """Facts about the friend at the time of the decision."""

    is_advocate: bool
    already_referred: bool
    order_used: bool
    existing_customer: bool
    signed_up: bool
    """True if a sign-up with this code is open. The sign-up passed the same checks."""
    signed_up_elsewhere: bool = False
    """True if a sign-up with another code is open."""
    same_person: SamePerson = field(default_factory=SamePerson)
    """Other customers who may be the same person as the friend."""


@dataclass(frozen=True)
class LimitUsage:
    """Conversions that count toward the campaign's limits, and the latest time at which the advocate's rewards are due."""

    campaign_conversions: int
    advocate_conversions: int
    last_rewardable_at: datetime | None


def code_rejection(code: CodeFacts, *, signed_up: bool, at: datetime) -> Reason | None:
    """Reject a code that is not valid at `at`. A sign-up made in time keeps the code valid."""
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
    """Reject a campaign that is not running at `at`."""
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
    """Reject a person whom this advocate cannot refer."""
    if friend.is_advocate:
        return Reason(RejectReason.SELF_REFERRAL, "Advocates cannot refer themselves.")
    if friend.signed_up_elsewhere:
        return Reason(
            RejectReason.ALREADY_REFERRED, "The friend has signed up with another advocate's code."
        )
    if friend.already_referred:
        return Reason(
            RejectReason.ALREADY_REFERRED, "The friend has already been referred in this campaign."
        )
    if friend.order_used:
        return Reason(
            RejectReason.ALREADY_REFERRED, "The order already counts for another referral."
        )
    if campaign.conversion.new_customers_only and friend.existing_customer and not friend.signed_up:
        return Reason(
            RejectReason.EXISTING_CUSTOMER, "The friend was a customer before being referred."
        )
    return None


def same_person_rejection(campaign: Campaign, friend: FriendFacts, at: datetime) -> Reason | None:
    """Reject a friend who is certainly another customer under another id, if the campaign says so."""
    if campaign.conversion.same_person != "reject":
        return None
    return _same_person_reason(campaign, friend, Certainty.CERTAIN, at)


def same_person_review(campaign: Campaign, friend: FriendFacts, at: datetime) -> Reason | None:
    """Return the reason to review a conversion: the friend may be another customer under another id."""
    if campaign.conversion.same_person == "allow":
        return None
    reason = _same_person_reason(campaign, friend, Certainty.POSSIBLE, at)
    return Reason(ReviewReason.SAME_PERSON, reason.message) if reason else None


def _same_person_reason(
    campaign: Campaign, friend: FriendFacts, certainty: Certainty, at: datetime
) -> Reason | None:
    """Return the reason against a friend who is, at least so certainly, another customer under another id."""
    same, verb = friend.same_person, "is" if certainty is Certainty.CERTAIN else "may be"
    if same.is_advocate >= certainty:
        return Reason(
            RejectReason.SELF_REFERRAL, f"The friend {verb} the advocate: they share a contact."
        )
    if max(same.already_referred, same.signed_up_elsewhere) >= certainty:
        message = f"The friend {verb} a friend referred before: they share a contact."
        return Reason(RejectReason.ALREADY_REFERRED, message)
    since = same.customer_since.get(certainty)
    new_only = campaign.conversion.new_customers_only and not friend.signed_up
    if new_only and since and since < at:
        message = f"The friend {verb} an existing customer: they share a contact."
        return Reason(RejectReason.EXISTING_CUSTOMER, message)
    return None


def limit_rejection(campaign: Campaign, code: CodeFacts, usage: LimitUsage) -> Reason | None:
    """Reject a conversion above the limit of the code, the campaign or the advocate."""
    limits = campaign.limits
    if code.exhausted:
        return Reason(RejectReason.CODE_EXHAUSTED, "The code has reached its limit of uses.")
    if limits.conversions is not None and usage.campaign_conversions >= limits.conversions:
        return Reason(
            RejectReason.CAMPAIGN_LIMIT_REACHED,
            "The campaign has reached its limit of conversions.",
        )
    if limits.per_advocate and usage.advocate_conversions >= limits.per_advocate.count:
        return Reason(
            RejectReason.ADVOCATE_LIMIT_REACHED,
            f"The advocate has reached the limit of {limits.per_advocate.count} referrals.",
        )
    return None


def next_rewardable_at(
    campaign: Campaign, last_rewardable_at: datetime | None, at: datetime
) -> datetime:
    """Return the time at which the advocate's rewards for a conversion made at `at` are due.

    That is the end of its hold, and with a cooldown at least a period after the rewards for the conversion before.
    """
    hold_ends_at, cooldown = hold_end(campaign, at), campaign.limits.cooldown
    if cooldown is None or last_rewardable_at is None:
        return hold_ends_at
    _, cooldown_ends_at = period_around(cooldown.period, last_rewardable_at, campaign.zone)
    return max(hold_ends_at, cooldown_ends_at)


def hold_end(campaign: Campaign, at: datetime) -> datetime:
    """Return the end of the hold of a conversion made at `at`."""
    return at + (campaign.conversion.hold or timedelta(0))


def cooldown_rejection(campaign: Campaign, rewardable_at: datetime, at: datetime) -> Reason | None:
    """Reject a conversion during the cooldown, unless the campaign defers the reward instead."""
    cooldown, delay = campaign.limits.cooldown, rewardable_at - hold_end(campaign, at)
    if cooldown is None or cooldown.on_hit != "reject" or not delay:
        return None
    return Reason(
        RejectReason.IN_COOLDOWN,
        f"The advocate's cooldown lasts until {at + delay:%Y-%m-%d %H:%M} UTC.",
    )


def failed_rule(
    rules: tuple[Rule, ...], context: RuleContext, left_out: Sequence[str] = ()
) -> Reason | None:
    """Return the reason of the first rule that is false or cannot be evaluated.

    A rule that reads a field in `left_out`, whose value could not be understood, is not evaluated.
    """
    for rule in rules:
        try:
            condition = rule.condition
            if not (condition.reads_any(left_out) or condition.holds(context)):
                return Reason(RejectReason.RULE_FAILED, rule.message, rule.name)
        except RuleError as error:
            return Reason(RejectReason.RULE_BROKEN, rule.message, rule.name, str(error))
    return None


def undecided_rule(rules: tuple[Rule, ...], left_out: Sequence[str]) -> Reason | None:
    """Return the reason to review a conversion: a rule reads a field whose value could not be understood."""
    for rule in rules:
        if left_out and rule.condition.reads_any(left_out):
            message = (
                f"The rule {rule.name} reads a field that was left out: {', '.join(left_out)}."
            )
            return Reason(ReviewReason.INCOMPLETE_DATA, message, rule.name)
    return None


@dataclass(frozen=True)
class Qualified:
    """An acceptable conversion: when the advocate's rewards are due, and why a person has to review it, if so."""

    rewardable_at: datetime
    review: Reason | None = None


def qualify(
    campaign: Campaign,
    state: str,
    code: CodeFacts,
    friend: FriendFacts,
    usage: LimitUsage,
    context: RuleContext,
    at: datetime,
    left_out: Sequence[str] = (),
) -> Reason | Qualified:
    """Run all checks in order: code, campaign, friend, limits, cooldown, rules.

    `left_out` are the paths of fields whose values could not be understood. Returns the reason of the first check that
    fails.
    """
    rules = campaign.conversion.rules
    rewardable_at = next_rewardable_at(campaign, usage.last_rewardable_at, at)

    def checks() -> Iterator[Reason | None]:
        yield code_rejection(code, signed_up=friend.signed_up, at=at)
        yield campaign_rejection(campaign, state, at)
        yield friend_rejection(campaign, friend)
        yield same_person_rejection(campaign, friend, at)
        yield limit_rejection(campaign, code, usage)
        yield cooldown_rejection(campaign, rewardable_at, at)
        yield failed_rule(rules, context, left_out)

    if rejection := next((reason for reason in checks() if reason), None):
        return rejection
    review = undecided_rule(rules, left_out) or same_person_review(campaign, friend, at)
    return Qualified(rewardable_at, review)


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}"
