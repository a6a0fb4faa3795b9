"""Conversion, in one transaction: qualify it, create its rewards and, if there is nothing to wait for, confirm it.

Sources: design ("Decisions in detail"); Voucherify ("marks the customer as referred the moment the redemption is
successful").
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam

from referrals.domain.campaign import Campaign
from referrals.domain.event_names import SIGN_UP
from referrals.domain.order_events import Order
from referrals.domain.qualification import Qualified, hold_end, qualify
from referrals.domain.reasons import Reason, RejectReason
from referrals.domain.rewards import Reward
from referrals.domain.rules import RuleContext
from referrals.domain.states import (
    UNCONVERTED,
    Decision,
    ReferralState,
)
from referrals.domain.stored import read_stored
from referrals.domain.tiers import each_conversion_tiers
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.activity.log import publish
from referrals.store.campaigns import versions
from referrals.store.campaigns.versions import CampaignInForce
from referrals.store.codes import clicks
from referrals.store.codes.clicks import Attribution
from referrals.store.customers import profiles
from referrals.store.db.columns import required
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, one_of
from referrals.store.inbox import inbox_events
from referrals.store.inbox.outcome import Outcome
from referrals.store.lookups import ResolvedCode
from referrals.store.referrals import conditions, friends, limits, orders, signups, typed_codes
from referrals.store.referrals.confirmation import confirm_if_due
from referrals.store.referrals.order_checks import (
    ConversionFacts,
    find_disqualification,
    is_order_used,
)
from referrals.store.referrals.orders import LockedOrder
from referrals.store.rewards import budgets, creation
from referrals.store.schema import InboxEventRow, ReferralRow, referrals


@dataclass(frozen=True)
class Attempt:
    """A conversion to be decided, with everything that it is decided on, locked.

    `order` is the order as the event has it, `stored_order` as all of its events have it. `in_force` is the campaign,
    locked if it has a limit. `referral` is the friend's live referral in the campaign.
    `attribution` is None if the friend's sign-up has decided it.
    """

    event: InboxEventRow
    order: Order | None
    stored_order: LockedOrder | None
    resolved: ResolvedCode
    context: ReferralContext
    in_force: CampaignInForce
    referral: ReferralRow | None
    at: datetime
    attribution: Attribution | None


async def convert(tx: Tx, event_id: str, now: datetime, workflow_id: str | None = None) -> Outcome:
    """Decide and record a conversion; `workflow_id` is the workflow that decides, if any."""
    event = await inbox_events.lock_with_customer(tx, event_id)
    if event.response:
        return Outcome.repeated(event)
    order = read_stored(Order, event.data["order"]) if event.data.get("order") else None
    stored_order = await orders.record_conversion(tx, event) if order else None
    code = await _find_code(tx, event, now)
    resolved: ResolvedCode | Reason
    if isinstance(code, Reason):
        resolved = code
    else:
        event, resolved = await typed_codes.resolve(tx, event, code, now, workflow_id)
    if isinstance(resolved, Reason):
        return await _reject_without_code(tx, event, resolved, now)
    attempt = await _build_attempt(tx, event, order, stored_order, resolved, now)
    qualified = await _qualify(tx, attempt)
    if isinstance(qualified, Reason):
        return await _reject(tx, attempt, qualified)
    if reason := await _order_rejection(tx, attempt):
        return await _reject_for_order(tx, attempt, qualified, reason)
    return await _accept(tx, attempt, qualified)


async def _find_code(tx: Tx, event: InboxEventRow, now: datetime) -> str | Reason:
    """Return the code of the conversion, else of the sign-up, else of the click; or the reason why there is none."""
    if event.data.get("code"):
        return str(event.data["code"])
    latest = await lookups.find_latest_referral(tx, event.campaign_id, event.customer_id)
    if (
        latest is None
        or latest.state != ReferralState.SIGNED_UP
        or typed_codes.is_over(latest, event, now)
    ):
        clicked = clicks.code_from_event_data(event.data) or ""
        code = await lookups.find_published_code(tx, clicked, event.campaign_id)
        if not isinstance(code, Reason):
            return clicked
    unconverted = UNCONVERTED | {ReferralState.ROLLED_BACK}
    if latest is None or (latest.state in unconverted and not latest.window_ends_at):
        message = "The event carries no code, and the friend has not signed up with one."
        return Reason(RejectReason.UNKNOWN_CODE, message)
    if latest.state in unconverted and typed_codes.is_over(latest, event, now):
        return signups.EXPIRED
    return str(latest.code)


async def _reject_without_code(
    tx: Tx, event: InboxEventRow, reason: Reason, now: datetime
) -> Outcome:
    """Reject without an advocate, unless the friend had signed up with a code."""
    if reason is not signups.EXPIRED:
        return Outcome(event, Decision.REJECTED, reason=reason)
    latest = await lookups.find_latest_referral(tx, event.campaign_id, event.customer_id)
    assert latest is not None
    advocate = await lookups.lock_advocate(tx, latest.advocate_id)
    context = await lookups.load_context(tx, latest, advocate, event.actor, now)
    return signups.reject(tx, context, event, reason, latest)


async def _build_attempt(
    tx: Tx,
    event: InboxEventRow,
    order: Order | None,
    stored_order: LockedOrder | None,
    resolved: ResolvedCode,
    now: datetime,
) -> Attempt:
    context, in_force, code = resolved.context, resolved.campaign, resolved.code
    at = inbox_events.attribution_time(event, code, now)
    live = await signups.open_referral(tx, resolved, at)
    attribution = None
    if live and friends.has_signed_up(live, code.code):
        campaign = context.campaign
        if live.version != context.version:
            campaign = await versions.get_version(tx, live.campaign_id, live.version)
        context = replace(context, campaign=campaign, version=live.version, referral_id=live.id)
    else:
        attribution = await clicks.attribute(tx, event, code.code, at)
    if context.campaign.limits.conversions is not None:
        # Read again under a lock of its own, so that the count does not change. Without a limit nobody has to wait.
        in_force = await versions.find_in_force(tx, in_force.id, lock=True) or in_force
    return Attempt(event, order, stored_order, resolved, context, in_force, live, at, attribution)


async def _qualify(tx: Tx, attempt: Attempt) -> Reason | Qualified:
    context, at = attempt.context, attempt.at
    qualified = qualify(
        context.campaign,
        attempt.in_force.state,
        lookups.code_facts(attempt.resolved.code),
        await friends.friend_facts(
            tx,
            attempt.resolved,
            at,
            attempt.referral,
            order_used=await is_order_used(tx, context, attempt.stored_order),
        ),
        await limits.usage(tx, context, attempt.in_force.accepted_count, at),
        await _rule_context(tx, attempt),
        at,
        attempt.event.left_out,
    )
    if isinstance(qualified, Reason):
        return qualified
    attribution = attempt.attribution
    if attribution and attribution.window_ends_at(context.campaign) <= at:
        return clicks.TOO_OLD
    return creation.BUDGET_EXHAUSTED if await _is_over_budget(tx, context) else qualified


async def _rule_context(tx: Tx, attempt: Attempt) -> RuleContext:
    """Return the values that rules can read; none if the campaign has no rules."""
    if not attempt.context.campaign.conversion.rules:
        return {}
    order = attempt.order.model_dump() if attempt.order else None
    return await conditions.load_conversion_values(
        tx, attempt.context, order, event_values(attempt.event)
    )


async def _is_over_budget(tx: Tx, context: ReferralContext) -> bool:
    """Check whether the campaign rejects the conversion for its budget. Otherwise rewards beyond the budget are voided."""
    budget = context.campaign.limits.budget
    if budget is None or budget.on_limit != "reject":
        return False
    more = creation.rewards_of_conversion(context.campaign)
    return not await budgets.fits(tx, context.campaign, budget, more, context.now)


async def _order_rejection(tx: Tx, attempt: Attempt) -> Reason | None:
    """Reject a conversion whose order does not qualify any more, by events that overtook the conversion."""
    event, order = attempt.event, attempt.stored_order
    if order is None or order.is_new:
        return None
    terms = ConversionFacts(event_values(event), event.left_out or ())
    return await find_disqualification(tx, attempt.context, order, terms)


async def _reject(tx: Tx, attempt: Attempt, reason: Reason) -> Outcome:
    """Reject the conversion. A friend without a live referral gets a closed one, which carries the reason."""
    referral = attempt.referral or await _write(
        tx,
        attempt,
        state=ReferralState.REJECTED,
        reason_code=reason.code,
        reason=reason.message,
        closed_at=attempt.context.now,
    )
    return signups.reject(tx, attempt.context, attempt.event, reason, referral)


async def _reject_for_order(
    tx: Tx, attempt: Attempt, qualified: Qualified, reason: Reason
) -> Outcome:
    """Reject the conversion until its order changes; it is decided anew then. An open sign-up stays open."""
    context, closed = attempt.context, {}
    if context.referral_id is None:
        closed = {"state": ReferralState.REJECTED, "closed_at": context.now}
    terms = _terms(attempt, qualified)
    referral = await _write(
        tx,
        attempt,
        rolled_back_from=terms.pop("state"),
        **terms | closed | {"reason_code": reason.code, "reason": reason.message},
    )
    return signups.reject(tx, context, attempt.event, reason, referral)


async def _accept(tx: Tx, attempt: Attempt, qualified: Qualified) -> Outcome:
    """Record the conversion, and confirm it if it is due."""
    context, referral = await _record(tx, attempt, qualified)
    confirmed = await confirm_if_due(tx, context, referral)
    await profiles.mark_as_customer(tx, required(attempt.event.customer_id), attempt.at)
    coupon = any(reward.type == "coupon" for reward in _rewards_of_friends(context.campaign))
    return Outcome(
        attempt.event,
        _decision(context.campaign, referral, confirmed=confirmed),
        referral.id,
        qualified.review,
        discounted_order=attempt.order if coupon else None,
        uncounted_referral=referral,
    )


def _rewards_of_friends(campaign: Campaign) -> Iterator[Reward]:
    """Yield the rewards that a friend may get for the conversion, including those of journeys."""
    if campaign.rewards.friend:
        yield campaign.rewards.friend
    yield from (reward for _, reward in campaign.journey_rewards())


async def _record(
    tx: Tx, attempt: Attempt, qualified: Qualified
) -> tuple[ReferralContext, ReferralRow]:
    """Write the accepted referral, count the use of its code and create its rewards."""
    context, review = attempt.context, qualified.review
    await signups.expire_superseded(tx, attempt.resolved)
    referral = await _write(tx, attempt, **_terms(attempt, qualified))
    due_at = required(referral.due_at)
    context = replace(context, referral_id=referral.id)
    await limits.count_code_use(tx, referral, 1)
    data = attempt.attribution.as_dict() if attempt.attribution else {}
    data |= inbox_events.warnings_of(attempt.event)
    if attempt.event.type == SIGN_UP:
        publish(tx, context, SIGN_UP, data=data)
    publish(tx, context, "referral_converted", reason=review, data=data)
    if due_at > context.now and referral.state == ReferralState.HELD:
        publish(tx, context, "referral_held", data={"until": due_at.isoformat()})
    await creation.create_for_conversion(tx, context, referral)
    return context, referral


def _terms(attempt: Attempt, qualified: Qualified) -> dict[str, Any]:
    """Return the values of an accepted conversion: its state, its times, and the reason of a review."""
    campaign, at, review = attempt.context.campaign, attempt.at, qualified.review
    in_review = review or campaign.conversion.review
    return {
        "state": ReferralState.IN_REVIEW if in_review else ReferralState.HELD,
        "converted_at": at,
        "rewardable_at": qualified.rewardable_at,
        "due_at": hold_end(campaign, at),
        "reason_code": review.code if review else None,
        "reason": review.message if review else None,
    }


def _decision(campaign: Campaign, referral: ReferralRow, *, confirmed: bool) -> Decision:
    """Return the decision for the response. A review goes before a cooldown that delays rewards, and that before a hold."""
    if referral.state == ReferralState.IN_REVIEW:
        return Decision.HELD
    delayed = required(referral.rewardable_at) > required(referral.due_at)
    if delayed and each_conversion_tiers(campaign.rewards.tiers):
        return Decision.DEFERRED
    return Decision.ACCEPTED if confirmed else Decision.HELD


async def _write(tx: Tx, attempt: Attempt, **values: Any) -> ReferralRow:
    """Write the conversion to the referral of the sign-up, or else to a new one."""
    context, order = attempt.context, attempt.stored_order
    values = {
        "order_id": order.row.id if order else None,
        "order_snapshot": order.state.details(order.row.external_id) if order else None,
        "event_data": event_values(attempt.event),
        "left_out": attempt.event.left_out or None,
        "reason_code": None,
        "reason": None,
    } | values
    if attempt.event.type == SIGN_UP:
        values["signed_up_at"] = attempt.at
    if context.referral_id:
        return await one_of(tx, ReferralRow, _UPDATE, row_id=context.referral_id, **values)
    row = {
        "id": new_id("ref"),
        "campaign_id": context.campaign.campaign,
        "version": context.version,
        "advocate_id": context.advocate.id,
        "friend_id": context.friend_id,
        "workflow_id": context.workflow_id,
        "code": context.code,
        "click_id": attempt.attribution.click_id if attempt.attribution else None,
        "created_at": context.now,
    }
    return await one_of(tx, ReferralRow, _INSERT, **row, **values)


_UPDATE = referrals.update().where(referrals.c.id == bindparam("row_id")).returning(referrals)
_INSERT = referrals.insert().returning(referrals)


def event_values(event: InboxEventRow) -> dict[str, Any]:
    """Return the values of the event itself that rules can read."""
    return dict(event.data.get("more", {})) | {"type": event.type}
