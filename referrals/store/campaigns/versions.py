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
    """A campaign's state with the definition that decides now."""

    id: str
    state: str
    version: int
    accepted_count: int
    campaign: Campaign


@lru_cache(maxsize=512)
def parse(definition: str) -> Campaign:
    """A version's definition as it is stored."""
    return Campaign.model_validate_json(definition)


async def apply(tx: Tx, campaign: Campaign, actor: str, now: datetime) -> int:
    """Create the campaign or put a new version in force; an equal one changes nothing. Returns the version.

    An archived campaign that is applied again runs again.
    """
    definition = campaign.model_dump_json()
    current = await _lock(tx, campaign.campaign)
    if current is None:
        await tx.execute(insert(tx, campaigns).values(_row(campaign, now)))
        version = 1
    elif (
        await definition_text(tx, campaign.campaign, current.version) == definition
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


async def definition_text(tx: Tx, campaign_id: str, version: int) -> str:
    row = await get(tx, campaign_versions, campaign_id=campaign_id, version=version)
    return row.definition


async def at_version(tx: Tx, campaign_id: str, version: int) -> Campaign:
    """Return the campaign as of the version that a referral started with."""
    row = await get(tx, campaign_versions, campaign_id=campaign_id, version=version)
    return parse(str(row.definition))


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


async def in_force(tx: Tx, campaign_id: str, *, lock: bool = False) -> CampaignInForce | None:
    """The campaign as it decides now. With `lock`, no other transaction takes a place meanwhile."""
    statement = _IN_FORCE_LOCKED if lock else _IN_FORCE
    row = await first_of(tx, _VersionInForce, statement, campaign_id=campaign_id)
    return of_rows(row, row.definition) if row else None


def of_rows(campaign: CampaignRow, definition: str) -> CampaignInForce:
    """A campaign with its version in force."""
    return CampaignInForce(
        campaign.id,
        campaign.state,
        campaign.version,
        campaign.accepted_count,
        parse(definition),
    )


async def set_state(tx: Tx, campaign_id: str, state: str) -> bool:
    """`running`, `paused` or `archived`; false where there is no such campaign."""
    result = await tx.execute(
        campaigns.update()
        .where(campaigns.c.id == campaign_id)
        .values(state=state)
        .returning(campaigns.c.id)
    )
    return result.first() is not None


async def publishing_on(tx: Tx, event: str) -> list[str]:
    """Running campaigns that publish a code on this event."""
    statement = select(campaigns.c.id).where(
        campaigns.c.publish_on == event, campaigns.c.state == "running"
    )
    return await scalars(tx, statement.order_by(campaigns.c.id))


async def converting_on(tx: Tx, event: str) -> list[str]:
    """Campaigns, not archived, whose conversion is this event."""
    return await scalars(tx, _CONVERTING, event=event)


_CONVERTING = (
    select(campaigns.c.id)
    .where(campaigns.c.conversion_event == bindparam("event"), campaigns.c.state != "archived")
    .order_by(campaigns.c.id)
)
