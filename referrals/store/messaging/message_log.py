"""The entries of messages in the activity log. No journey reacts to them."""

from collections.abc import Iterable
from datetime import datetime

from referrals.domain.actors import SYSTEM_ACTOR
from referrals.domain.reasons import Reason
from referrals.store.activity import log
from referrals.store.db.sql import Tx
from referrals.store.schema import MessageRow


async def write(
    tx: Tx,
    messages: Iterable[MessageRow],
    event_type: str,
    now: datetime,
    *,
    channel: str | None = None,
    reason: Reason | None = None,
) -> None:
    """Write one event of each of the messages, such as `message_sent`."""
    rows = [
        log.activity_row(
            event_type,
            at=now,
            actor=SYSTEM_ACTOR,
            campaign_id=message.campaign_id,
            advocate_id=message.advocate_id,
            referral_id=message.referral_id,
            milestone_id=message.milestone_id,
            reward_id=message.reward_id,
            customer_id=message.customer_id,
            reason=reason,
            data={"message": message.id, "template": message.template, "channel": channel},
        )
        for message in messages
    ]
    await log.write_rows(tx, rows)
