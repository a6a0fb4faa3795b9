"""Sign-up of a friend with a code, and its expiry when the attribution window closes."""

from dataclasses import replace
from datetime import datetime

from referrals.domain.qualification import (
    campaign_rejection,
    code_rejection,
    friend_rejection,
    same_person_rejection,
)
from referrals.domain.reasons import Reason, RejectReason
from referrals.domain.states import Decision, ReferralState
from referrals.store import lookups
from referrals.store.activity.context import ReferralContext
from referrals.store.activity.log import publish
from referrals.store.codes import clicks
from referrals.store.codes.clicks import Attribution
from referrals.store.db.columns import required
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, add
from referrals.store.inbox import inbox_events
from referrals.store.inbox.outcome import Outcome
from referrals.store.lookups import ResolvedCode
from referrals.store.referrals import typed_codes
from referrals.store.referrals.friends import friend_facts, has_signed_up
from referrals.store.referrals.releases import release_friend
from referrals.store.referrals.state import set_state
from referrals.store.schema import InboxEventRow, ReferralRow, referrals

EXPIRED = Reason(
    RejectReason.ATTRIBUTION_EXPIRED, "The attribution window closed before the friend converted."
)


async def sign_up(tx: Tx, event_id: str, now: datetime, workflow_id: str | None = None) -> Outcome:
    """Decide and record a `referral_signed_up` event; `workflow_id` is the workflow that decides, if any."""
    return await decide(tx, await inbox_events.lock(tx, event_id), now, workflow_id)


async def decide(
    tx: Tx, event: InboxEventRow, now: datetime, workflow_id: str | None = None
) -> Outcome:
    """Decide and record a sign-up whose event is locked, or was stored by this transaction."""
    if event.response:
        return Outcome.repeated(event)
    code = clicks.code_from_event_data(event.data) or ""
    event, resolved = await typed_codes.resolve(tx, event, code, now, workflow_id)
    if isinstance(resolved, Reason):
        return Outcome(event, Decision.REJECTED, reason=resolved)
    at = inbox_events.attribution_time(event, resolved.code, now)
    live = await open_referral(tx, resolved, at)
    if live and has_signed_up(live, resolved.code.code):
        return Outcome(event, referral_id=live.id)
    attribution = await clicks.attribute(tx, event, resolved.code.code, at)
    if reason := await _rejection(tx, resolved, live, attribution, at):
        return reject(tx, resolved.context, event, reason, live)
    await expire_superseded(tx, resolved)
    referral_id = await _insert(tx, resolved.context, at, attribution)
    context = replace(resolved.context, referral_id=referral_id)
    data = attribution.as_dict() | inbox_events.warnings_of(event)
    publish(tx, context, "referral_signed_up", data=data)
    return Outcome(event, referral_id=referral_id, has_rewards=False)


async def _rejection(
    tx: Tx, resolved: ResolvedCode, live: ReferralRow | None, attribution: Attribution, at: datetime
) -> Reason | None:
    campaign = resolved.campaign
    window_ends_at = attribution.window_ends_at(campaign.campaign)
    friend = await friend_facts(tx, resolved, at, live)
    return (
        code_rejection(lookups.code_facts(resolved.code), signed_up=False, at=at)
        or campaign_rejection(campaign.campaign, campaign.state, at)
        or friend_rejection(campaign.campaign, friend)
        or same_person_rejection(campaign.campaign, friend, at)
        or (clicks.TOO_OLD if window_ends_at <= at else None)
        or (EXPIRED if window_ends_at <= resolved.context.now else None)
    )


def reject(
    tx: Tx,
    context: ReferralContext,
    event: InboxEventRow,
    reason: Reason,
    referral: ReferralRow | None,
) -> Outcome:
    """Reject the event. A live referral of the friend does not change."""
    referral_id = referral.id if referral else None
    publish(
        tx,
        replace(context, referral_id=referral_id),
        "referral_rejected",
        reason=reason,
        occurrence=event.id,
        data={"event": event.external_id} | inbox_events.warnings_of(event),
    )
    return Outcome(event, Decision.REJECTED, referral_id, reason)


async def open_referral(tx: Tx, resolved: ResolvedCode, at: datetime) -> ReferralRow | None:
    """Return the friend's live referral.

    A sign-up whose window was over at `at` expires now, before its timer. A conversion that was rolled back because of
    its order releases the friend now, if everything has been recovered.
    """
    context, live = resolved.context, resolved.live_referral
    if live and await release_friend(tx, live, context.now):
        return None
    if live is None or live.state != ReferralState.SIGNED_UP or required(live.window_ends_at) > at:
        return live
    advocate = await lookups.get_advocate(tx, live.advocate_id)
    await expire(tx, await lookups.load_context(tx, live, advocate, context.actor, context.now))
    return None


async def expire_superseded(tx: Tx, resolved: ResolvedCode) -> None:
    """Close the sign-up with the same code that the same person made under another id, if the campaign compares persons."""
    context, superseded = resolved.context, resolved.same_person.superseded_sign_up
    if superseded and context.campaign.conversion.same_person != "allow":
        referral = await lookups.get_referral(tx, superseded)
        await expire(
            tx,
            await lookups.load_context(tx, referral, context.advocate, context.actor, context.now),
        )


async def expire(tx: Tx, context: ReferralContext) -> None:
    """Close a referral whose attribution window ended without a conversion."""
    referral_id = str(context.referral_id)
    await set_state(tx, referral_id, ReferralState.EXPIRED, closed_at=context.now)
    publish(tx, context, "referral_expired")


async def _insert(tx: Tx, context: ReferralContext, at: datetime, attribution: Attribution) -> str:
    referral_id = new_id("ref")
    row = {
        "id": referral_id,
        "campaign_id": context.campaign.campaign,
        "version": context.version,
        "advocate_id": context.advocate.id,
        "friend_id": context.friend_id,
        "workflow_id": context.workflow_id,
        "code": context.code,
        "state": ReferralState.SIGNED_UP,
        "signed_up_at": at,
        "window_ends_at": attribution.window_ends_at(context.campaign),
        "click_id": attribution.click_id,
        "created_at": context.now,
    }
    await add(tx, referrals, row)
    return referral_id
