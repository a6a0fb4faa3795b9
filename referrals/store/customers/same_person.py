"""Facts about other customers who may be the friend, read with the code that the friend brings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Text, bindparam, exists, func, select, union_all

from referrals.domain.identity import Certainty, SamePerson
from referrals.domain.states import COUNTS_TOWARD_LIMITS, ReferralState
from referrals.store.customers import contacts
from referrals.store.db.sql import Tx, first, one, rows_of
from referrals.store.schema import ReferralRow, advocates, codes, customers, referrals
from referrals.store.schema.base import Instant
from referrals.store.schema.referrals import LIVE

_SAME = contacts.same_person(bindparam("friend_id"))
_CERTAIN = _SAME.c.certainty == int(Certainty.CERTAIN)
_CERTAINTY = select(func.max(_SAME.c.certainty))
_REFERRAL = (_SAME.c.customer_id == referrals.c.friend_id) & LIVE
_SIGNED_UP = (referrals.c.state == ReferralState.SIGNED_UP) & (
    referrals.c.window_ends_at > bindparam("now")
)


def _in_campaign(statement: Any, *conditions: Any) -> Any:
    """Select from the referrals of the same persons in the campaign of the code."""
    joined = statement.select_from(_SAME.join(referrals, _REFERRAL))
    of_campaign = joined.where(referrals.c.campaign_id == codes.c.campaign_id, *conditions)
    return of_campaign.correlate(codes).scalar_subquery()


def _since(*conditions: Any) -> Any:
    since = select(func.min(customers.c.customer_since)).where(*conditions)
    joined = since.select_from(_SAME.join(customers, customers.c.id == _SAME.c.customer_id))
    return joined.correlate(None).scalar_subquery()


def _columns(*is_customer: Any) -> tuple[Any, ...]:
    return (
        _CERTAINTY.select_from(
            _SAME.join(advocates, advocates.c.customer_id == _SAME.c.customer_id)
        )
        .where(advocates.c.id == codes.c.advocate_id)
        .correlate(codes)
        .scalar_subquery(),
        _in_campaign(_CERTAINTY, referrals.c.state != ReferralState.SIGNED_UP),
        _in_campaign(_CERTAINTY, _SIGNED_UP, referrals.c.code != codes.c.code),
        _in_campaign(
            select(func.max(referrals.c.id)), _SIGNED_UP, referrals.c.code == codes.c.code, _CERTAIN
        ),
        _since(_CERTAIN, *is_customer),
        _since(*is_customer),
    )


COLUMNS = _columns()
"""Columns for a SELECT from `codes`, with the parameters `friend_id` and `now`."""

_other = referrals.alias("other_purchases")
_OTHER_PURCHASE = (
    exists()
    .where(
        _other.c.friend_id == customers.c.id,
        _other.c.converted_at < bindparam("at", type_=Instant),
        _other.c.state.in_([*COUNTS_TOWARD_LIMITS, ReferralState.ROLLED_BACK]),
        _other.c.released_at.is_(None),
    )
    .correlate(customers)
)
UNDONE_PURCHASE = (
    (referrals.c.converted_at == customers.c.customer_since)
    & (referrals.c.friend_id == customers.c.id)
    & (referrals.c.released_at.is_not(None) | (referrals.c.state == ReferralState.REJECTED))
    & ~_OTHER_PURCHASE
)
"""Joins a customer with the conversion that made them one, if it was returned or rejected, and none before `at` counts."""

_WITHOUT_UNDONE = select(*_columns(~exists().where(UNDONE_PURCHASE).correlate(customers))).where(
    codes.c.code == bindparam("code")
)


async def without_undone_purchases(
    tx: Tx, code: str, friend_id: str, at: datetime, now: datetime
) -> SamePerson:
    """Read the facts again. A person whose only conversion was returned or rejected is no customer by it."""
    found = await one(tx, _WITHOUT_UNDONE, code=code, friend_id=friend_id, at=at, now=now)
    return facts_of(found)


async def list_rolled_back(tx: Tx, friend_id: str) -> Sequence[ReferralRow]:
    """List the referrals of the person, under any id, that were rolled back and not released yet."""
    return await rows_of(tx, ReferralRow, _ROLLED_BACK, friend_id=friend_id)


_ROLLED_BACK = (
    select(referrals)
    .where(
        # Not OR, for which PostgreSQL would read all referrals.
        referrals.c.friend_id.in_(
            union_all(select(bindparam("friend_id", type_=Text)), select(_SAME.c.customer_id))
        ),
        referrals.c.state == ReferralState.ROLLED_BACK,
        LIVE,
    )
    .order_by(referrals.c.id)
)


def facts_of(values: Sequence[Any]) -> SamePerson:
    """Return the facts from the values of `COLUMNS`."""
    is_advocate, referred, signed_up_elsewhere, superseded, certain_since, since = values
    times: dict[Certainty, datetime | None] = {
        Certainty.CERTAIN: certain_since,
        Certainty.POSSIBLE: since,
    }
    return SamePerson(
        Certainty(is_advocate or 0),
        Certainty(referred or 0),
        Certainty(signed_up_elsewhere or 0),
        {certainty: time for certainty, time in times.items() if time},
        superseded,
    )


async def is_counted(tx: Tx, friend_id: str, campaign_id: str) -> bool:
    """Check whether a conversion that the same person certainly made under another id counts in the campaign."""
    return await first(tx, _COUNTED, friend_id=friend_id, campaign=campaign_id) is not None


_COUNTED = (
    select(referrals.c.id)
    .join(_SAME, _SAME.c.customer_id == referrals.c.friend_id)
    .where(
        _CERTAIN,
        referrals.c.campaign_id == bindparam("campaign"),
        referrals.c.state.in_(COUNTS_TOWARD_LIMITS),
    )
    .limit(1)
)
