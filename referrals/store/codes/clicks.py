"""Clicks of the referral link, and the attribution of friends to them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, exists, null, select

from referrals.domain.campaign import Campaign
from referrals.domain.clicks import code_from_click_id
from referrals.domain.reasons import Reason, RejectReason
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, find, first
from referrals.store.schema import ClickRow, InboxEventRow, clicks, referrals
from referrals.store.schema.referrals import LIVE, OTHER_LIVE

TOO_OLD = Reason(
    RejectReason.ATTRIBUTION_EXPIRED,
    "The friend's click of the referral link is older than the attribution window.",
)


def new_click(code: str) -> str:
    """Make an id for a click of the code's link."""
    return f"{new_id('clk')}_{code}"


@dataclass(frozen=True)
class Attribution:
    """The attribution of a friend: by the click that the event carries, else by the code itself.

    The attribution window starts at `since`, the time of the click or else of the event. `click_id` is set even if
    the click itself has not been recorded yet.
    """

    since: datetime
    click_id: str | None = None
    click: ClickRow | None = None

    def window_ends_at(self, campaign: Campaign) -> datetime:
        return self.since + campaign.conversion.attribution_window

    def as_dict(self) -> dict[str, Any]:
        """Return the attribution as the activity log shows it."""
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


def code_from_event_data(data: dict[str, Any]) -> str | None:
    """Return the code that an event names, else the code of its click."""
    return data.get("code") or code_from_click_id(data.get("click"))


async def attribute(tx: Tx, event: InboxEventRow, code: str, at: datetime) -> Attribution:
    """Attribute the friend to the event's click, unless it belongs to another code or brought another friend.

    The code's advocate is locked, so that no other friend is attributed to the click meanwhile.
    """
    click_id = event.data.get("click")
    if code_from_click_id(click_id) != code or await _brought_another_friend(
        tx, click_id, code, event.customer_id
    ):
        return Attribution(at)
    click = await find(tx, clicks, id=click_id)
    return Attribution(min(click.at, at) if click else at, click_id, click)


async def _brought_another_friend(
    tx: Tx, click_id: str | None, code: str, friend_id: str | None
) -> bool:
    """Check whether the click already brought another friend: it is one visit, so it brings only one."""
    statement = select(referrals.c.id).where(
        referrals.c.click_id == click_id,
        referrals.c.code == code,
        referrals.c.friend_id != friend_id,
        LIVE,
    )
    return await first(tx, statement) is not None


_other = referrals.alias("other_referrals")
_BROUGHT_ANOTHER = exists().where(
    _other.c.click_id == referrals.c.click_id,
    _other.c.code == referrals.c.code,
    _other.c.id != referrals.c.id,
    OTHER_LIVE,
)
CLICK_IF_FREE = case((_BROUGHT_ANOTHER, null()), else_=referrals.c.click_id)
"""The click of a referral that becomes live again; none if the click has brought another friend since."""
