"""Commands on a campaign as a whole: apply a definition, pause, activate, archive, delete. Each is published as an event."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from referrals.domain.campaign import Campaign
from referrals.errors import CampaignArchivedError, CampaignInUseError, UnknownCampaignError
from referrals.store.activity.log import activity_row, write_rows
from referrals.store.campaigns import applying, versions
from referrals.store.campaigns.applying import AppliedVersion
from referrals.store.db.sql import Tx
from referrals.store.journeys import runs
from referrals.store.schema import campaigns

_EVENTS = {
    "running": "campaign_activated",
    "paused": "campaign_paused",
    "archived": "campaign_archived",
}
"""The event by the state that a campaign changes to."""


async def apply(tx: Tx, campaign: Campaign, actor: str, now: datetime) -> AppliedVersion:
    """Put a definition in force (see `applying.apply`). Publish it if it is a new version."""
    applied = await applying.apply(tx, campaign, actor, now)
    if applied.is_new:
        data = {"version": applied.version}
        await _publish(tx, "campaign_applied", campaign.campaign, actor, now, data)
    return applied


async def set_state(tx: Tx, campaign_id: str, state: str, actor: str, now: datetime) -> None:
    """Pause, activate or archive a campaign, with its journeys; a repeat changes nothing.

    Raises:
        UnknownCampaignError, CampaignArchivedError.
    """
    found = await versions.find_in_force(tx, campaign_id, lock=True)
    if found is None:
        raise UnknownCampaignError(campaign_id)
    if found.state == state:
        return
    if found.state == "archived":
        raise CampaignArchivedError(campaign_id)
    await versions.set_state(tx, campaign_id, state)
    await runs.apply_campaign_state(tx, campaign_id, state, actor, now)
    await _publish(tx, _EVENTS[state], campaign_id, actor, now)


async def delete(tx: Tx, campaign_id: str, actor: str, now: datetime) -> None:
    """Delete a campaign; its versions go with it, the log stays. Foreign keys protect everything else that refers to it.

    Raises:
        UnknownCampaignError, CampaignInUseError.
    """
    await versions.require_campaign(tx, campaign_id)
    try:
        await tx.execute(campaigns.delete().where(campaigns.c.id == campaign_id))
    except IntegrityError as error:
        raise CampaignInUseError(campaign_id) from error
    await _publish(tx, "campaign_deleted", campaign_id, actor, now)


async def _publish(
    tx: Tx,
    event_type: str,
    campaign_id: str,
    actor: str,
    now: datetime,
    data: Mapping[str, Any] | None = None,
) -> None:
    row = activity_row(
        event_type, at=now, actor=actor, campaign_id=campaign_id, advocate_id=None, data=data
    )
    await write_rows(tx, [row])
