"""Texts in the field for a code that are no code."""

from datetime import datetime

from referrals.domain.reasons import Reason, RejectReason
from referrals.domain.states import ReferralState
from referrals.store import lookups
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx
from referrals.store.inbox import inbox_events
from referrals.store.lookups import ResolvedCode
from referrals.store.schema import InboxEventRow, ReferralRow


async def resolve(
    tx: Tx, event: InboxEventRow, code: str, now: datetime, workflow_id: str | None
) -> tuple[InboxEventRow, ResolvedCode | Reason]:
    """Resolve the event's code.

    With an open sign-up, a text that is no code of the campaign counts as no code, with a warning.
    """
    resolved = await lookups.resolve_code(tx, event, code, now, workflow_id)
    is_unknown = isinstance(resolved, Reason) and resolved.code == RejectReason.UNKNOWN_CODE
    if not is_unknown or not event.data.get("code"):
        return event, resolved
    latest = await lookups.find_latest_referral(tx, event.campaign_id, event.customer_id)
    if latest is None or latest.state != ReferralState.SIGNED_UP or is_over(latest, event, now):
        return event, resolved
    message = "is no code of the campaign; the friend's sign-up counts instead"
    event = await inbox_events.warn(tx, event, "data.code", message)
    return event, await lookups.resolve_code(tx, event, latest.code, now, workflow_id)


def is_over(referral: ReferralRow, event: InboxEventRow, now: datetime) -> bool:
    """Check whether the attribution window of the sign-up had closed when the event happened."""
    return required(referral.window_ends_at) <= inbox_events.occurred_at(event, now)
