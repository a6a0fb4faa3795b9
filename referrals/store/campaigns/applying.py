"""Apply a campaign file: put a new version in force, if the edit pays nobody twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from referrals.domain.campaign import Campaign
from referrals.domain.campaign_changes import CampaignChange, changes_between
from referrals.domain.campaign_history import CampaignHistory
from referrals.errors import CampaignEditError
from referrals.store.campaigns import edit_effects, edit_refusals, versions
from referrals.store.campaigns.edit_effects import EditEffect
from referrals.store.db.sql import Tx, add, get, insert
from referrals.store.schema import CampaignRow, campaign_versions, campaigns


@dataclass(frozen=True)
class AppliedVersion:
    """The version in force after a file was applied, how it differs from the one before, and what that means.

    `is_new` is false if the file says what was in force already.
    """

    version: int
    changes: Sequence[CampaignChange] = ()
    effects: Sequence[EditEffect] = ()
    is_new: bool = True


async def apply(tx: Tx, campaign: Campaign, actor: str, now: datetime) -> AppliedVersion:
    """Create the campaign or put a new version in force; an equal definition changes nothing.

    Applying an archived campaign makes it run again.

    Raises:
        CampaignEditError: the edit would pay again, or changes what must stay as it is.
    """
    statement = insert(tx, campaigns).values(_row(campaign, now)).on_conflict_do_nothing()
    if (await tx.execute(statement.returning(campaigns.c.id))).first():
        await _add_version(tx, campaign, 1, actor, now)
        return AppliedVersion(1, effects=await edit_effects.find_empty_pools(tx, campaign))
    current = await get(tx, campaigns, lock=True, id=campaign.campaign)
    definitions = await versions.list_definitions(tx, current.id)
    history = CampaignHistory.of(definitions)
    old, new = versions.parse_definition(definitions[-1]), history.inherit(campaign)
    if new.model_dump_json() == definitions[-1] and current.state != "archived":
        return AppliedVersion(current.version, is_new=False)
    if refused := await edit_refusals.find_refusals(tx, history, old, campaign, new):
        raise CampaignEditError(refused)
    applied = AppliedVersion(
        current.version + 1,
        changes_between(old, new),
        await edit_effects.find_effects(tx, current, old, new),
    )
    await _add_version(tx, new, applied.version, actor, now)
    await tx.execute(
        campaigns.update()
        .where(campaigns.c.id == current.id)
        .values(_row_of_version(current, new, applied.version))
    )
    return applied


async def _add_version(tx: Tx, campaign: Campaign, version: int, actor: str, now: datetime) -> None:
    row = {
        "campaign_id": campaign.campaign,
        "version": version,
        "definition": campaign.model_dump_json(),
        "applied_at": now,
        "applied_by": actor,
    }
    await add(tx, campaign_versions, row)


def _row(campaign: Campaign, now: datetime) -> dict[str, Any]:
    return {
        "id": campaign.campaign,
        "state": "running",
        "version": 1,
        "accepted_count": 0,
        "created_at": now,
        **_columns(campaign),
    }


def _row_of_version(current: CampaignRow, campaign: Campaign, version: int) -> dict[str, Any]:
    state = "paused" if current.state == "paused" else "running"
    return {"version": version, "state": state, **_columns(campaign)}


def _columns(campaign: Campaign) -> dict[str, Any]:
    """Return the columns that repeat keys of the definition, so that queries can look campaigns up by them."""
    return {
        "name": campaign.name,
        "conversion_event": campaign.conversion.event,
        "publish_on": campaign.publish_on,
    }
