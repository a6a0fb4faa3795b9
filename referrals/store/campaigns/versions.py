"""Campaigns and their versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import bindparam, select

from referrals.domain.campaign import Campaign
from referrals.domain.states import AWAITING_CONFIRMATION, ReferralState
from referrals.domain.stored import read_stored_json
from referrals.errors import UnknownCampaignError, UnknownVersionError
from referrals.store.db.sql import Tx, find, first_of, get, locked, rows_of, scalars
from referrals.store.schema import (
    CampaignRow,
    CampaignVersionRow,
    campaign_versions,
    campaigns,
    referrals,
)


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
    """Parse the stored definition of a version, without today's checks of input."""
    return read_stored_json(Campaign, definition)


async def require_campaign(tx: Tx, campaign_id: str) -> CampaignRow:
    """Return the row of the campaign. Raises UnknownCampaignError."""
    row = await find(tx, campaigns, id=campaign_id)
    if row is None:
        raise UnknownCampaignError(campaign_id)
    return row


async def list_definitions(tx: Tx, campaign_id: str) -> list[str]:
    """List the definitions of all versions, the first one first."""
    statement = select(campaign_versions.c.definition).where(
        campaign_versions.c.campaign_id == campaign_id
    )
    return await scalars(tx, statement.order_by(campaign_versions.c.version))


async def list_in_use(tx: Tx) -> Sequence[CampaignVersionRow]:
    """List the versions in force of campaigns that are not archived, and those of referrals under way."""
    under_way = [ReferralState.SIGNED_UP, *AWAITING_CONFIRMATION]
    of_referrals = (
        select(referrals.c.id)
        .where(
            referrals.c.campaign_id == campaign_versions.c.campaign_id,
            referrals.c.version == campaign_versions.c.version,
            referrals.c.state.in_(under_way),
        )
        .exists()
    )
    in_force = (campaigns.c.version == campaign_versions.c.version) & (
        campaigns.c.state != "archived"
    )
    statement = (
        select(campaign_versions)
        .join(campaigns, campaigns.c.id == campaign_versions.c.campaign_id)
        .where(in_force | of_referrals)
        .order_by(campaign_versions.c.campaign_id, campaign_versions.c.version)
    )
    return await rows_of(tx, CampaignVersionRow, statement)


async def require_definition(tx: Tx, campaign_id: str, version: int) -> str:
    """Return the definition of a version. Raises UnknownCampaignError, UnknownVersionError."""
    await require_campaign(tx, campaign_id)
    row = await find(tx, campaign_versions, campaign_id=campaign_id, version=version)
    if row is None:
        raise UnknownVersionError(campaign_id, version)
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
    if row is None and lock:
        # PostgreSQL finds no row where the lock waited for an edit: the campaign then has a version that the statement,
        # which began before, does not see.
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


async def find_conversion_event(tx: Tx, campaign_id: str | None) -> str | None:
    """Return the event on which the campaign converts; None if there is no such campaign."""
    row = await find(tx, campaigns, id=campaign_id) if campaign_id else None
    return row.conversion_event if row else None


async def list_publishing_on(tx: Tx, event: str) -> list[str]:
    """List the running campaigns that publish a code on this event."""
    statement = select(campaigns.c.id).where(
        campaigns.c.publish_on == event, campaigns.c.state == "running"
    )
    return await scalars(tx, statement.order_by(campaigns.c.id))


async def list_converting_on(tx: Tx, event: str) -> list[str]:
    """List the campaigns whose conversion is this event, archived ones last."""
    return await scalars(tx, _CONVERTING, event=event)


_CONVERTING = (
    select(campaigns.c.id)
    .where(campaigns.c.conversion_event == bindparam("event"))
    .order_by(campaigns.c.state == "archived", campaigns.c.id)
)


async def list_journeys(tx: Tx, campaign_id: str) -> list[str]:
    """List the identities of the journeys that any version of the campaign has or had."""
    definitions = await scalars(
        tx,
        select(campaign_versions.c.definition).where(
            campaign_versions.c.campaign_id == campaign_id
        ),
    )
    return sorted(
        {journey.identity for text in definitions for journey in parse_definition(text).journeys}
    )
