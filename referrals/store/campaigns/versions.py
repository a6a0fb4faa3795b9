"""Campaigns and their versions."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import bindparam, select

from referrals.domain.campaign import Campaign
from referrals.errors import UnknownCampaignError
from referrals.store.db.sql import Tx, find, first_of, get, insert, locked, scalars
from referrals.store.schema import CampaignRow, campaign_versions, campaigns


@dataclass(frozen=True)
class CampaignInForce:
    """State of a campaign, with the definition that is in force now."""

    id: str
    state: str
    version: int
    accepted_count: int
    campaign: Campaign


@lru_cache(maxsize=512)
def parse_definition(definition: str) -> Campaign:
    """Parse the stored definition of a version."""
    return Campaign.model_validate_json(definition)


async def apply(tx: Tx, campaign: Campaign, actor: str, now: datetime) -> int:
    """Create the campaign or put a new version in force; an equal definition changes nothing. Return the version.

    Applying an archived campaign makes it run again.
    """
    definition = campaign.model_dump_json()
    current = await _lock(tx, campaign.campaign)
    if current is None:
        await tx.execute(insert(tx, campaigns).values(_row(campaign, now)))
        version = 1
    elif (
        await get_definition(tx, campaign.campaign, current.version) == definition
        and current.state != "archived"
    ):
        return current.version
    else:
        version = current.version + 1
        values = _row(campaign, now) | {
            "version": version,
            "accepted_count": current.accepted_count,
        }
        values["created_at"] = current.created_at
        if current.state == "paused":
            values["state"] = "paused"
        await tx.execute(
            campaigns.update().where(campaigns.c.id == campaign.campaign).values(values)
        )
    await tx.execute(
        campaign_versions.insert().values(
            campaign_id=campaign.campaign,
            version=version,
            definition=definition,
            applied_at=now,
            applied_by=actor,
        )
    )
    return version


def _row(campaign: Campaign, now: datetime) -> dict[str, object]:
    return {
        "id": campaign.campaign,
        "name": campaign.name,
        "state": "running",
        "version": 1,
        "conversion_event": campaign.conversion.event,
        "publish_on": campaign.publish_on,
        "accepted_count": 0,
        "created_at": now,
    }


async def require_campaign(tx: Tx, campaign_id: str) -> CampaignRow:
    """Return the row of the campaign. Raises UnknownCampaignError."""
    row = await find(tx, campaigns, id=campaign_id)
    if row is None:
        raise UnknownCampaignError(campaign_id)
    return row


async def _lock(tx: Tx, campaign_id: str) -> CampaignRow | None:
    return await find(tx, campaigns, lock=True, id=campaign_id)


async def get_definition(tx: Tx, campaign_id: str, version: int) -> str:
    row = await get(tx, campaign_versions, campaign_id=campaign_id, version=version)
    return row.definition


async def get_version(tx: Tx, campaign_id: str, version: int) -> Campaign:
    """Return the campaign as of the version that a referral started with."""
    row = await get(tx, campaign_versions, campaign_id=campaign_id, version=version)
    return parse_definition(str(row.definition))


class _VersionInForce(CampaignRow):
    definition: str


_IN_FORCE = (
    select(campaigns, campaign_versions.c.definition)
    .join(
        campaign_versions,
        (campaign_versions.c.campaign_id == campaigns.c.id)
        & (campaign_versions.c.version == campaigns.c.version),
    )
    .where(campaigns.c.id == bindparam("campaign_id"))
)
_IN_FORCE_LOCKED = locked(_IN_FORCE, of=campaigns)


async def find_in_force(tx: Tx, campaign_id: str, *, lock: bool = False) -> CampaignInForce | None:
    """Return the campaign with its version in force. `lock` keeps other transactions from counting conversions meanwhile."""
    statement = _IN_FORCE_LOCKED if lock else _IN_FORCE
    row = await first_of(tx, _VersionInForce, statement, campaign_id=campaign_id)
    return to_campaign_in_force(row, row.definition) if row else None


def to_campaign_in_force(campaign: CampaignRow, definition: str) -> CampaignInForce:
    """Build the campaign from its row and the definition of its version in force."""
    return CampaignInForce(
        campaign.id,
        campaign.state,
        campaign.version,
        campaign.accepted_count,
        parse_definition(definition),
    )


async def set_state(tx: Tx, campaign_id: str, state: str) -> bool:
    """Set the state: `running`, `paused` or `archived`. Return False if there is no such campaign."""
    result = await tx.execute(
        campaigns.update()
        .where(campaigns.c.id == campaign_id)
        .values(state=state)
        .returning(campaigns.c.id)
    )
    return result.first() is not None


async def list_publishing_on(tx: Tx, event: str) -> list[str]:
    """List the running campaigns that publish a code on this event."""
    statement = select(campaigns.c.id).where(
        campaigns.c.publish_on == event, campaigns.c.state == "running"
    )
    return await scalars(tx, statement.order_by(campaigns.c.id))


async def list_converting_on(tx: Tx, event: str) -> list[str]:
    """List the campaigns, except archived ones, whose conversion is this event."""
    return await scalars(tx, _CONVERTING, event=event)


_CONVERTING = (
    select(campaigns.c.id)
    .where(campaigns.c.conversion_event == bindparam("event"), campaigns.c.state != "archived")
    .order_by(campaigns.c.id)
)
