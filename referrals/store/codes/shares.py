"""Shares and clicks of the referral link."""

from datetime import datetime

from referrals.domain.qualification import campaign_rejection, code_rejection
from referrals.domain.reasons import Reason
from referrals.domain.states import Decision
from referrals.store import lookups
from referrals.store.activity.log import publish
from referrals.store.codes.clicks import new_click
from referrals.store.db.sql import Tx
from referrals.store.inbox import inbox_events
from referrals.store.inbox.outcome import Outcome
from referrals.store.schema import CodeRow, InboxEventRow, clicks, shares


async def record(tx: Tx, event_id: str, now: datetime) -> Outcome:
    """Count a share or a click by its channel, unless the code cannot be used any more."""
    event = await inbox_events.lock(tx, event_id)
    if event.response:
        return Outcome.repeated(event)
    resolved = await lookups.resolve_code(tx, event, event.data["code"], now)
    if isinstance(resolved, Reason):
        return Outcome(event, Decision.REJECTED, reason=resolved)
    context, code = resolved.context, resolved.code
    at = inbox_events.attribution_time(event, code, now)
    reason = code_rejection(lookups.code_facts(code), signed_up=False, at=at) or campaign_rejection(
        context.campaign, resolved.campaign.state, at
    )
    if reason:
        return Outcome(event, Decision.REJECTED, reason=reason)
    publish(
        tx,
        context,
        event.type,
        customer_id=context.advocate.customer_id,
        data=await _insert(tx, event, code, at) | inbox_events.warnings_of(event),
        occurrence=event.id,
    )
    return Outcome(event)


async def _insert(tx: Tx, event: InboxEventRow, code: CodeRow, at: datetime) -> dict[str, str]:
    """Insert the share or click, and return the data of its entry in the activity log."""
    channel = event.data.get("channel", "link")
    values = {"advocate_id": code.advocate_id, "code": code.code, "channel": channel, "at": at}
    if event.type == "referral_link_shared":
        await tx.execute(shares.insert().values(event_id=event.id, **values))
        return {"channel": channel}
    click = event.data.get("click") or new_click(code.code)
    await tx.execute(clicks.insert().values(id=click, campaign_id=code.campaign_id, **values))
    return {"channel": channel, "click": click}
