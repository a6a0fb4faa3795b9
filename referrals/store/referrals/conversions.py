"""Conversion: one transaction that qualifies, records, and — where nothing is to be waited for — confirms and rewards.

Sources: design ("Finer points"); Voucherify ("marks the customer as referred the moment the redemption is successful").
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from referrals.domain.campaign import Campaign
from referrals.domain.events import Order
from referrals.domain.qualification import LimitUsage, due_at, qualify
from referrals.domain.reasons import Reason, RejectReason
from referrals.domain.rewards import Reward
from referrals.domain.rules import RuleContext
from referrals.domain.states import (
    CLOSED_WITHOUT_CONVERSION,
    COUNTS_TOWARD_LIMITS,
    Decision,
    ReferralState,
)
from referrals.store import lookups
from referrals.store.activity import log
from referrals.store.activity.log import Scene
from referrals.store.campaigns import versions
from referrals.store.campaigns.versions import CampaignInForce
from referrals.store.codes import clicks
from referrals.store.codes.clicks import Attribution
from referrals.store.customers import profiles
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, first, one
from referrals.store.flow import responses
from referrals.store.inbox import inbox_events
from referrals.store.journeys import runs
from referrals.store.lookups import Met
from referrals.store.messaging import drafts
from referrals.store.referrals import conditions, confirmation, orders, signups
from referrals.store.referrals.reversals import reassess
from referrals.store.rewards import budgets, coupons, creation
from referrals.store.schema import referrals
from referrals.store.schema.referrals import LIVE


@dataclass(frozen=True)
class Attempt:
    """A conversion to be decided, with all that it is decided on, locked."""

    event: Row[Any]
    order: Order | None
    met: Met
    found: CampaignInForce
    """The campaign, locked too where it has a limit."""
    referral: Row[Any] | None
    """The friend's live referral in the campaign, if any."""
    at: datetime
    attribution: Attribution | None
    """None where the friend's sign-up has settled it."""


async def convert(tx: Tx, event_id: str, now: datetime) -> dict[str, Any]:
    """Decide and record a conversion; the answer to a repeat is the first one."""
    event = await inbox_events.claim(tx, event_id)
    if event.response:
        return dict(event.response)
    order = Order.model_validate(event.data["order"]) if event.data.get("order") else None
    order_row, is_new = await orders.lock(tx, order.id) if order else (None, False)
    code = await _code(tx, event, now)
    met = code if isinstance(code, Reason) else await lookups.meet(tx, event, code, now)
    if isinstance(met, Reason):
        return await _reject_without_code(tx, event, met, now)
    scene, attempt = await _attempt(tx, event, order, met, now)
    known_order = None if is_new else order_row
    used = known_order is not None and await _order_used(tx, scene, known_order)
    rewardable_at = await _qualify(tx, scene, attempt, order_used=used)
    if isinstance(rewardable_at, Reason):
        return await _reject(tx, scene, attempt, rewardable_at)
    scene, referral = await _accept(tx, scene, attempt, rewardable_at)
    taken_back = None
    if known_order is not None:  # of which something may have come back already
        await confirmation.count_accepted(tx, referral, 1)
        taken_back = await reassess(tx, scene, known_order)
    if taken_back:
        await drafts.withdraw_pending(tx, referral.id)
        await runs.withdraw(tx, referral.id, now)
    confirmed = not taken_back and await confirmation.confirm_if_due(tx, scene, referral)
    await profiles.mark_as_customer(tx, event.customer_id, attempt.at)
    if known_order is None:
        await confirmation.count_accepted(tx, referral, 1)
    over = taken_back or confirmed
    decision = Decision.ACCEPTED if over else responses.decision_for(referral.state)
    coupon = any(reward.type == "coupon" for reward in _of_friends(scene.campaign))
    applied = await coupons.applied(tx, referral.id, order) if coupon else {}
    return await responses.give(
        tx, event, decision, referral_id=referral.id, reason=taken_back, **applied
    )


def _of_friends(campaign: Campaign) -> Iterator[Reward]:
    """What friends may be given with their conversion."""
    if campaign.rewards.friend:
        yield campaign.rewards.friend
    yield from (reward for _, reward in campaign.journey_rewards())


async def _code(tx: Tx, event: Row[Any], now: datetime) -> str | Reason:
    """The code that the conversion names, else the sign-up's, else its click's; or why there is none."""
    if event.data.get("code"):
        return str(event.data["code"])
    latest = await lookups.latest_referral(tx, event.campaign_id, event.customer_id)
    if latest is None or latest.state != ReferralState.SIGNED_UP or _is_over(latest, event, now):
        clicked = clicks.code_of(event.data) or ""
        code = await lookups.published_code(tx, clicked, event.campaign_id)
        if not isinstance(code, Reason):
            return clicked
    if latest is None or (latest.state == ReferralState.REJECTED and not latest.window_ends_at):
        message = "The event carries no code, and the friend has not signed up with one."
        return Reason(RejectReason.UNKNOWN_CODE, message)
    unconverted = CLOSED_WITHOUT_CONVERSION | {ReferralState.SIGNED_UP}
    if latest.state in unconverted and _is_over(latest, event, now):
        return signups.EXPIRED
    return str(latest.code)


def _is_over(referral: Row[Any], event: Row[Any], now: datetime) -> bool:
    """The window of its sign-up had closed when the event happened."""
    ends_at: datetime = referral.window_ends_at
    return ends_at <= inbox_events.happened(event, now)


async def _reject_without_code(
    tx: Tx, event: Row[Any], reason: Reason, now: datetime
) -> dict[str, Any]:
    """There is an advocate to tell of it only where the friend had signed up."""
    if reason is not signups.EXPIRED:
        return await responses.give(tx, event, Decision.REJECTED, reason=reason)
    latest = await lookups.latest_referral(tx, event.campaign_id, event.customer_id)
    assert latest is not None
    advocate = await lookups.lock_advocate(tx, latest.advocate_id)
    scene = await lookups.scene_of(tx, latest, advocate, event.actor, now)
    return await signups.reject(tx, scene, event, reason, latest)


async def _attempt(
    tx: Tx, event: Row[Any], order: Order | None, met: Met, now: datetime
) -> tuple[Scene, Attempt]:
    scene, found, code = met.scene, met.found, met.code
    at = inbox_events.moment(event, code, now)
    live = await signups.open_referral(tx, met, at)
    attribution = None
    if live and signups.has_signed_up(live, code.code):
        campaign = scene.campaign
        if live.version != scene.version:
            campaign = await versions.at_version(tx, live.campaign_id, live.version)
        scene = replace(scene, campaign=campaign, version=live.version, referral_id=live.id)
    else:
        attribution = await clicks.attribute(tx, event, code.code, at)
    if scene.campaign.limits.conversions is not None:
        # Read again: under its own lock nobody takes a place meanwhile. Without a limit nobody is made to wait for it.
        found = await versions.in_force(tx, found.id, lock=True) or found
    return scene, Attempt(event, order, met, found, live, at, attribution)


async def _qualify(
    tx: Tx, scene: Scene, attempt: Attempt, *, order_used: bool
) -> Reason | datetime:
    met, at = attempt.met, attempt.at
    friend = signups.friend_facts(met, at, attempt.referral, order_used=order_used)
    rewardable_at = qualify(
        scene.campaign,
        attempt.found.state,
        signups.code_facts(met.code),
        friend,
        await _places(tx, scene, attempt),
        await _context(tx, scene, attempt),
        at,
    )
    if isinstance(rewardable_at, Reason):
        return rewardable_at
    by = attempt.attribution
    if by and by.window_ends_at(scene.campaign) <= at:
        return clicks.TOO_OLD
    return creation.BUDGET_SPENT if await _over_budget(tx, scene) else rewardable_at


async def _context(tx: Tx, scene: Scene, attempt: Attempt) -> RuleContext:
    """What the rules may ask; nothing where there are none."""
    if not scene.campaign.conversion.rules:
        return {}
    order = attempt.order.model_dump() if attempt.order else None
    return await conditions.of_conversion(tx, scene, order, about(attempt.event))


async def _over_budget(tx: Tx, scene: Scene) -> bool:
    """Where the campaign refuses a conversion that it cannot reward; elsewhere its rewards are voided."""
    budget = scene.campaign.limits.budget
    if budget is None or budget.on_limit != "reject":
        return False
    more = creation.promised(scene.campaign)
    return not await budgets.fits(tx, scene.campaign.campaign, budget, more, scene.now)


async def _order_used(tx: Tx, scene: Scene, order: Row[Any]) -> bool:
    """A live referral has it. One that is new is in no referral."""
    found = await first(tx, _ORDER, campaign_id=scene.campaign.campaign, order_id=order.id)
    return found is not None


_ORDER = select(referrals.c.id).where(
    referrals.c.campaign_id == bindparam("campaign_id"),
    referrals.c.order_id == bindparam("order_id"),
    LIVE,
)


async def _places(tx: Tx, scene: Scene, attempt: Attempt) -> LimitUsage:
    """Places taken by accepted conversions; the advocate's row is locked, so none is taken meanwhile."""
    taken = (referrals.c.advocate_id == scene.advocate.id) & referrals.c.state.in_(
        COUNTS_TOWARD_LIMITS
    )
    limits = scene.campaign.limits
    by_advocate, last_at = 0, None
    if limits.per_advocate:
        counted = select(referrals.c.id).where(taken).limit(limits.per_advocate.count)
        if limits.per_advocate.period:
            counted = counted.where(
                referrals.c.converted_at > attempt.at - limits.per_advocate.period
            )
        by_advocate = int((await one(tx, select(func.count()).select_from(counted.subquery())))[0])
    if limits.cooldown:
        last_at = (await one(tx, select(func.max(referrals.c.rewardable_at)).where(taken)))[0]
    return LimitUsage(attempt.found.accepted_count, by_advocate, last_at)


async def _reject(tx: Tx, scene: Scene, attempt: Attempt, reason: Reason) -> dict[str, Any]:
    """A rejected conversion is no conversion: without a live referral it leaves a closed one, with the reason."""
    referral = attempt.referral or await _write(
        tx,
        scene,
        attempt,
        state=ReferralState.REJECTED,
        reason_code=reason.code,
        reason=reason.message,
        closed_at=scene.now,
    )
    return await signups.reject(tx, scene, attempt.event, reason, referral)


async def _accept(
    tx: Tx, scene: Scene, attempt: Attempt, rewardable_at: datetime
) -> tuple[Scene, Row[Any]]:
    """Use the code, and promise the rewards. Returns the referral with its scene."""
    due = due_at(rewardable_at, scene.campaign.conversion.hold, attempt.at)
    state = _state_until(scene, rewardable_at, due, attempt.at)
    referral = await _write(
        tx,
        scene,
        attempt,
        state=state,
        converted_at=attempt.at,
        rewardable_at=rewardable_at,
        due_at=due,
    )
    scene = replace(scene, referral_id=referral.id)
    await confirmation.use_code(tx, referral, 1)
    by = attempt.attribution
    await log.record(tx, scene, "referral_converted", data=by.told() if by else None)
    if due > scene.now and state != ReferralState.IN_REVIEW:
        await log.record(tx, scene, "referral_held", data={"until": due.isoformat()})
    await creation.promise(tx, scene, due)
    return scene, referral


def _state_until(
    scene: Scene, rewardable_at: datetime, due: datetime, at: datetime
) -> ReferralState:
    """What the conversion waits for: a reviewer, the cooldown's place, or the hold's end."""
    if scene.campaign.conversion.review:
        return ReferralState.IN_REVIEW
    return ReferralState.DEFERRED if at < rewardable_at == due else ReferralState.HELD


async def _write(tx: Tx, scene: Scene, attempt: Attempt, **values: Any) -> Row[Any]:
    """The friend's referral: the sign-up's row, or a new one."""
    order = attempt.order
    values |= {
        "order_id": order.id if order else None,
        "order_snapshot": order.model_dump(mode="json") if order else None,
        "event_data": about(attempt.event),
    }
    if scene.referral_id:
        return await one(tx, _CONVERTED, row_id=scene.referral_id, **values)
    row = {
        "id": new_id("ref"),
        "campaign_id": scene.campaign.campaign,
        "version": scene.version,
        "advocate_id": scene.advocate.id,
        "friend_id": scene.friend_id,
        "code": scene.code,
        "click_id": attempt.attribution.click_id if attempt.attribution else None,
        "created_at": scene.now,
    }
    return await one(tx, _NEW, **row, **values)


_CONVERTED = referrals.update().where(referrals.c.id == bindparam("row_id")).returning(referrals)
_NEW = referrals.insert().returning(referrals)


def about(event: Row[Any]) -> dict[str, Any]:
    """What rules can ask of the event itself."""
    return dict(event.data.get("more", {})) | {"type": event.type}
