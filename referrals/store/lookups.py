"""Finding and locking what a decision is about. Locks are taken in one order: event, order, advocate, campaign.

A campaign is locked where it has a limit; where it has none, only to be counted, when all else is done.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, select

from referrals.domain.reasons import Reason, RejectReason
from referrals.store.activity.log import Scene
from referrals.store.campaigns import versions
from referrals.store.campaigns.versions import CampaignInForce
from referrals.store.db.sql import Tx, find, first, get, locked, one, split, whole
from referrals.store.schema import advocates, campaign_versions, codes, customers, referrals
from referrals.store.schema import campaigns as campaigns_table
from referrals.store.schema.referrals import LIVE

_OF_FRIEND = select(referrals).where(
    referrals.c.campaign_id == bindparam("campaign_id"),
    referrals.c.friend_id == bindparam("friend_id"),
)
_LIVE_ONE = _OF_FRIEND.where(LIVE)
_LATEST = _OF_FRIEND.order_by(referrals.c.id.desc()).limit(1)
_OWNER = (
    select(advocates.c.customer_id)
    .join(codes, codes.c.advocate_id == advocates.c.id)
    .where(codes.c.code == bindparam("code"), codes.c.campaign_id == bindparam("campaign_id"))
)


_LIVE_IN_CAMPAIGN = and_(
    referrals.c.campaign_id == codes.c.campaign_id,
    referrals.c.friend_id == bindparam("friend_id"),
    LIVE,
)
_BY_CODE = (
    select(
        campaigns_table,
        advocates.c.customer_id.label("advocate"),
        referrals.c.state.label("live_state"),
    )
    .select_from(codes)
    .join(campaigns_table, campaigns_table.c.id == codes.c.campaign_id)
    .outerjoin(advocates, advocates.c.id == codes.c.advocate_id)
    .outerjoin(referrals, _LIVE_IN_CAMPAIGN)
    .where(codes.c.code == bindparam("code"))
)
_LOCK_OWNER = locked(
    select(advocates)
    .join(codes, codes.c.advocate_id == advocates.c.id)
    .where(codes.c.code == bindparam("code"), codes.c.campaign_id == bindparam("campaign_id")),
    of=advocates,
)
_MET = (codes, campaigns_table, campaign_versions, customers, referrals)
_MEET = (
    whole(*_MET)
    .select_from(codes)
    .join(campaigns_table, campaigns_table.c.id == codes.c.campaign_id)
    .join(
        campaign_versions,
        and_(
            campaign_versions.c.campaign_id == campaigns_table.c.id,
            campaign_versions.c.version == campaigns_table.c.version,
        ),
    )
    .outerjoin(customers, customers.c.id == bindparam("friend_id"))
    .outerjoin(referrals, _LIVE_IN_CAMPAIGN)
    .where(codes.c.code == bindparam("code"))
)


@dataclass(frozen=True)
class Met:
    """What an event meets at a code, read under the lock of the code's advocate."""

    scene: Scene
    found: CampaignInForce
    """The campaign as it decides now."""
    code: Row[Any]
    """Nobody uses it meanwhile."""
    friend: Row[Any] | None
    """Who brings the code; nobody for a share or a click."""
    live: Row[Any] | None
    """The friend's one referral in the campaign, whatever its code, unless it expired or was rejected."""


async def find_code(tx: Tx, code: str) -> Row[Any] | None:
    return await find(tx, codes, code=code)


async def by_code(tx: Tx, code: str | None, friend_id: str | None = None) -> Row[Any] | None:
    """The campaign whose code it is; with the `advocate`, by the customer's id, and the `live_state` of the friend.

    That is the state of the friend's live referral in the campaign, whatever its code.
    """
    return await first(tx, _BY_CODE, code=code, friend_id=friend_id) if code else None


async def published_code(tx: Tx, code: str, campaign_id: str | None) -> Row[Any] | Reason:
    """The campaign's code, or why it brings nobody: there is no such code, or it belongs to no advocate yet."""
    row = await find_code(tx, code)
    if row is None or row.campaign_id != campaign_id:
        return Reason(RejectReason.UNKNOWN_CODE, "There is no such referral code.")
    if row.advocate_id is None:
        return Reason(RejectReason.CODE_NOT_PUBLISHED, "The code belongs to no advocate yet.")
    return row


async def meet(tx: Tx, event: Row[Any], code: str, now: datetime) -> Met | Reason:
    """Lock the advocate whose code it is in the event's campaign, and look; or why the code brings nobody."""
    advocate = await first(tx, _LOCK_OWNER, code=code, campaign_id=event.campaign_id)
    if advocate is None:
        why = await published_code(tx, code, event.campaign_id)
        return why if isinstance(why, Reason) else await meet(tx, event, code, now)
    row = await one(tx, _MEET, code=code, friend_id=event.customer_id)
    own, campaign, version, friend, live = split(row, *_MET)
    found = versions.of_rows(campaign, version)
    scene = Scene(
        found.campaign,
        found.version,
        advocate,
        event.actor,
        now,
        code=code,
        friend_id=event.customer_id,
    )
    return Met(scene, found, own, friend, live)


async def lock_advocate(tx: Tx, advocate_id: str) -> Row[Any]:
    """What is decided about one advocate is decided one after another."""
    return await get(tx, advocates, lock=True, id=advocate_id)


async def get_advocate(tx: Tx, advocate_id: str) -> Row[Any]:
    return await get(tx, advocates, id=advocate_id)


async def live_referral(tx: Tx, campaign_id: str, friend_id: str) -> Row[Any] | None:
    """The friend's one referral in the campaign, unless it expired or was rejected."""
    return await first(tx, _LIVE_ONE, campaign_id=campaign_id, friend_id=friend_id)


async def latest_referral(tx: Tx, campaign_id: str, friend_id: str) -> Row[Any] | None:
    """The live referral, or the last of those that came to nothing."""
    return await live_referral(tx, campaign_id, friend_id) or await first(
        tx, _LATEST, campaign_id=campaign_id, friend_id=friend_id
    )


async def owner_of(tx: Tx, code: str, campaign_id: str | None) -> str | None:
    """The customer whose code it is in the campaign."""
    row = await first(tx, _OWNER, code=code, campaign_id=campaign_id)
    return str(row.customer_id) if row else None


async def find_referral(tx: Tx, referral_id: str) -> Row[Any] | None:
    return await find(tx, referrals, id=referral_id)


async def get_referral(tx: Tx, referral_id: str) -> Row[Any]:
    return await get(tx, referrals, id=referral_id)


async def locked_scene(
    tx: Tx, referral_id: str, actor: str, now: datetime
) -> tuple[Scene, Row[Any]]:
    """A referral with its advocate locked, both as they are under the lock."""
    advocate_id = (await get_referral(tx, referral_id)).advocate_id
    advocate = await lock_advocate(tx, advocate_id)
    referral = await get_referral(tx, referral_id)
    return await scene_of(tx, referral, advocate, actor, now), referral


async def scene_of(
    tx: Tx, referral: Row[Any], advocate: Row[Any], actor: str, now: datetime
) -> Scene:
    """The scene of a referral under the campaign version that it began under."""
    campaign = await versions.at_version(tx, referral.campaign_id, referral.version)
    return Scene(
        campaign,
        referral.version,
        advocate,
        actor,
        now,
        code=referral.code,
        referral_id=referral.id,
        friend_id=referral.friend_id,
    )
