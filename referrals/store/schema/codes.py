"""Advocates, their codes, and how the codes are shared and clicked."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
)

from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, column, one_of, table


class AdvocateRow(TableRow):
    """A customer who takes part in a campaign, with the number of confirmed conversions."""

    id: Field[str] = column(Text, primary_key=True)
    campaign_id: Field[str] = column(Text, ForeignKey("campaigns.id"))
    customer_id: Field[str] = column(Text, ForeignKey("customers.id"), index=True)
    confirmed_count: Field[int] = column(
        Integer, CheckConstraint("confirmed_count >= 0", name="confirmed_count")
    )
    merged_into: Field[str | None] = column(
        Text,
        ForeignKey("advocates.id"),
        doc="The advocate who has this one's codes and referrals since a merge of their customers.",
    )
    created_at: Field[datetime] = column(Instant)


class AdvocateColumns(AdvocateRow, Columns[AdvocateRow]): ...


advocates = table(
    "advocates",
    AdvocateColumns,
    UniqueConstraint("campaign_id", "customer_id"),
    Index("ix_advocates_list", "campaign_id", "id"),
)


class CodeRow(TableRow):
    """A referral code of an advocate."""

    code: Field[str] = column(Text, primary_key=True)
    key: Field[str] = column(
        Text, unique=True, doc="The form by which codes are compared and looked up."
    )
    campaign_id: Field[str] = column(Text, ForeignKey("campaigns.id"))
    advocate_id: Field[str | None] = column(Text, ForeignKey("advocates.id"), index=True)
    sole_code_of_advocate_id: Field[str | None] = column(
        Text,
        ForeignKey("advocates.id"),
        unique=True,
        doc="The advocate, if the campaign lets a customer join only once: then this is their only code.",
    )
    state: Field[str] = column(Text, one_of("state", ["active", "inactive"]))
    uses: Field[int] = column(Integer, CheckConstraint("uses >= 0", name="uses"))
    uses_limit: Field[int | None] = column(Integer)
    starts_at: Field[datetime | None] = column(Instant)
    expires_at: Field[datetime | None] = column(Instant)
    published_at: Field[datetime | None] = column(Instant)
    channel: Field[str | None] = column(Text)
    created_at: Field[datetime] = column(Instant)


class CodeColumns(CodeRow, Columns[CodeRow]): ...


codes = table(
    "codes",
    CodeColumns,
    Index("ix_codes_list", "campaign_id", "created_at", "code"),
)


class ShareRow(TableRow):
    """An event that says that an advocate shared a code."""

    event_id: Field[str] = column(Text, ForeignKey("inbox_events.id"), primary_key=True)
    advocate_id: Field[str] = column(Text, ForeignKey("advocates.id"))
    code: Field[str] = column(Text, ForeignKey("codes.code"))
    channel: Field[str] = column(Text)
    at: Field[datetime] = column(Instant)


class ShareColumns(ShareRow, Columns[ShareRow]): ...


shares = table(
    "shares",
    ShareColumns,
    Index("ix_shares_advocate", "advocate_id", "channel"),
)


class ClickRow(TableRow):
    """A click on a referral link. Its id travels with the visitor."""

    id: Field[str] = column(
        Text, primary_key=True, doc="Travels with the visitor, about whom nothing else is stored."
    )
    campaign_id: Field[str] = column(Text, ForeignKey("campaigns.id"))
    advocate_id: Field[str] = column(Text, ForeignKey("advocates.id"))
    code: Field[str] = column(Text, ForeignKey("codes.code"))
    channel: Field[str] = column(Text)
    at: Field[datetime] = column(Instant)


class ClickColumns(ClickRow, Columns[ClickRow]): ...


clicks = table(
    "clicks",
    ClickColumns,
    Index("ix_clicks_advocate", "advocate_id", "channel"),
    Index("ix_clicks_campaign", "campaign_id", "channel"),
)


class OmittedClickRow(TableRow):
    """The number of visits of a campaign's links that are no clicks, by reason: bots, prefetches and HEAD requests."""

    campaign_id: Field[str] = column(Text, ForeignKey("campaigns.id"), primary_key=True)
    reason: Field[str] = column(Text, primary_key=True)
    count: Field[int] = column(BigInteger)


class OmittedClickColumns(OmittedClickRow, Columns[OmittedClickRow]): ...


omitted_clicks = table("omitted_clicks", OmittedClickColumns)
