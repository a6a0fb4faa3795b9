"""Clicks of the referral link, and the one that brought a friend."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from referrals.domain.campaign import Campaign
from referrals.domain.clicks import code_from_click_id
from referrals.domain.reasons import Reason, RejectReason
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, first
from referrals.store.schema import clicks, referrals
from referrals.store.schema.referrals import LIVE

TOO_OLD = Reason(
    RejectReason.ATTRIBUTION_EXPIRED,
    "The friend's click of the referral link is older than the attribution window.",
)


def new_click(code: str) -> str:
    """An id for a click of the code's link."""
    return f"{new_id('clk')}_{code}"


@dataclass(frozen=True)
class Attribution:
    """What a friend is attributed by: the click that the event carries, or else the code itself."""

    since: datetime
    """The window counts from here: the click, or else the event."""
    click_id: str | None = None
    """Kept with the referral, also where the click is still to be counted."""
    click: Row[Any] | None = None

    def window_ends_at(self, campaign: Campaign) -> datetime:
        return self.since + campaign.conversion.attribution_window

    def told(self) -> dict[str, Any]:
        """As the activity log has it."""
        if self.click is None:
            return {"attribution": {"by": "code"}}
        return {
            "attribution": {
                "by": "click",
                "click": self.click.id,
                "clicked_at": self.click.at.isoformat(),
                "channel": self.click.channel,
            }
        }


def code_of(data: dict[str, Any]) -> str | None:
    """The code that an event names, else the one that its click tells."""
    return data.get("code") or code_from_click_id(data.get("click"))


async def attribute(tx: Tx, event: Row[Any], code: str, at: datetime) -> Attribution:
    """By the click, unless it is of another code, of another friend, or not known (yet).

    The code's advocate is locked: no other friend takes the click meanwhile.
    """
    click_id = event.data.get("click")
    if code_from_click_id(click_id) != code or await _is_taken(
        tx, click_id, code, event.customer_id
    ):
        return Attribution(at)
    click = await first(tx, select(clicks).where(clicks.c.id == click_id))
    return Attribution(min(click.at, at) if click else at, click_id, click)


async def _is_taken(tx: Tx, click_id: str, code: str, friend_id: str) -> bool:
    """It is one visit, so it brings one friend."""
    statement = select(referrals.c.id).where(
        referrals.c.click_id == click_id,
        referrals.c.code == code,
        referrals.c.friend_id != friend_id,
        LIVE,
    )
    return await first(tx, statement) is not None
