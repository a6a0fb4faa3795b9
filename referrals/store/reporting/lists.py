"""Lists of the API and the console."""

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, func, or_, select

from referrals.domain.codes import code_key
from referrals.domain.links import referral_link
from referrals.errors import UnknownCodeError
from referrals.store import views
from referrals.store.campaigns.versions import require_campaign
from referrals.store.customers import survivors
from referrals.store.db.pages import Cursor, newest_first
from referrals.store.db.sql import Tx, first_of
from referrals.store.schema import (
    ActivityRow,
    CampaignRow,
    CampaignVersionRow,
    CodeRow,
    MessageRow,
    ReferralRow,
    activity,
    advocates,
    campaign_versions,
    campaigns,
    codes,
    customers,
    messages,
    referrals,
)
from referrals.store.views import Page

advocate_customers = customers.alias("advocate_customers")
"""The customer who is the advocate, in queries in which `customers` is another person."""


async def list_campaigns(tx: Tx, cursor: Cursor) -> Page[views.Campaign]:
    def view(row: CampaignRow) -> views.Campaign:
        return views.Campaign(row.id, row.name, row.state, row.version, row.created_at)

    order = (campaigns.c.created_at, campaigns.c.id)
    return await newest_first(tx, select(campaigns), order, cursor, view)


async def list_versions(tx: Tx, campaign_id: str, cursor: Cursor) -> Page[views.CampaignVersion]:
    """List the versions of a campaign. Raises UnknownCampaignError."""
    campaign = await require_campaign(tx, campaign_id)
    statement = select(campaign_versions).where(campaign_versions.c.campaign_id == campaign_id)

    def view(row: CampaignVersionRow) -> views.CampaignVersion:
        in_force = row.version == campaign.version
        return views.CampaignVersion(row.version, in_force, row.applied_at, row.applied_by)

    return await newest_first(tx, statement, (campaign_versions.c.version,), cursor, view)


class _ListedCode(CodeRow):
    customer: str | None


async def list_codes(
    tx: Tx, campaign_id: str, cursor: Cursor, *, customer: str | None = None
) -> Page[views.ReferralCode]:
    await require_campaign(tx, campaign_id)
    statement = _select_codes().where(codes.c.campaign_id == campaign_id)
    if customer is not None:
        statement = statement.where(customers.c.id == survivors.id_of(customer))

    def view(row: _ListedCode) -> views.ReferralCode:
        return views.ReferralCode(**_code_fields(row))

    order = (codes.c.created_at, codes.c.code)
    return await newest_first(tx, statement, order, cursor, view)


async def get_code(tx: Tx, code: str, public_url: str) -> views.ReferralCodeDetails:
    """Return a code, named in any spelling. Raises UnknownCodeError."""
    row = await first_of(tx, _ListedCode, _select_codes().where(codes.c.key == code_key(code)))
    if row is None:
        raise UnknownCodeError(code)
    link = referral_link(public_url, row.code)
    return views.ReferralCodeDetails(**_code_fields(row), campaign=row.campaign_id, link=link)


def _select_codes() -> Select[*tuple[Any, ...]]:
    return (
        select(codes, customers.c.external_id.label("customer"))
        .outerjoin(advocates, advocates.c.id == codes.c.advocate_id)
        .outerjoin(customers, customers.c.id == advocates.c.customer_id)
    )


def _code_fields(row: _ListedCode) -> dict[str, Any]:
    """Return the fields of `views.ReferralCode`."""
    same = ("state", "uses", "uses_limit", "starts_at", "expires_at", "published_at", "channel")
    fields = {name: getattr(row, name) for name in (*same, "created_at")}
    return {"code": row.code, "customer": row.customer, **fields}


class ListedReferral(ReferralRow):
    """A row of `select_referrals`, with the caller's ids of the friend and the advocate."""

    friend: str
    advocate: str


def select_referrals() -> Select[*tuple[Any, ...]]:
    return (
        select(
            referrals,
            customers.c.external_id.label("friend"),
            advocate_customers.c.external_id.label("advocate"),
        )
        .join(customers, customers.c.id == referrals.c.friend_id)
        .join(advocates, advocates.c.id == referrals.c.advocate_id)
        .join(advocate_customers, advocate_customers.c.id == advocates.c.customer_id)
    )


def referral_fields(row: ListedReferral) -> dict[str, Any]:
    """Return the fields of `views.Referral`."""
    return {
        "id": row.id,
        "campaign": row.campaign_id,
        "advocate": row.advocate,
        "friend": row.friend,
        "code": row.code,
        "state": row.state,
        "reason": to_reason_view(row),
        "order": row.order_snapshot,
        "signed_up_at": row.signed_up_at,
        "window_ends_at": row.window_ends_at,
        "converted_at": row.converted_at,
        "due_at": row.due_at,
        "confirmed_at": row.confirmed_at,
        "closed_at": row.closed_at,
        "created_at": row.created_at,
    }


class _HasReason(Protocol):
    @property
    def reason_code(self) -> str | None: ...

    @property
    def reason(self) -> str | None: ...


def to_reason_view(row: _HasReason) -> views.Reason | None:
    """Return the reason of a row, if it has one."""
    return views.Reason(row.reason_code, row.reason or "") if row.reason_code else None


async def list_referrals(
    tx: Tx,
    campaign_id: str,
    cursor: Cursor,
    *,
    state: str | None = None,
    advocate: str | None = None,
    friend: str | None = None,
) -> Page[views.Referral]:
    await require_campaign(tx, campaign_id)
    statement = select_referrals().where(
        referrals.c.campaign_id == campaign_id,
        *match_filters(
            {
                referrals.c.state: state,
                advocate_customers.c.id: advocate and survivors.id_of(advocate),
                customers.c.id: friend and survivors.id_of(friend),
            }
        ),
    )

    def view(row: ListedReferral) -> views.Referral:
        fields = referral_fields(row)
        if fields["order"]:
            shown = ("id", "amount", "currency")
            fields["order"] = {name: fields["order"][name] for name in shown}
        return views.Referral(**fields)

    return await newest_first(tx, statement, (referrals.c.id,), cursor, view)


def match_filters(filters: dict[ColumnElement[Any], Any]) -> list[ColumnElement[bool]]:
    """Build a condition for each column whose filter is not None."""
    return [column == value for column, value in filters.items() if value is not None]


async def list_messages(
    tx: Tx,
    campaign_id: str,
    cursor: Cursor,
    *,
    state: str | None = None,
    customer: str | None = None,
) -> Page[views.Message]:
    await require_campaign(tx, campaign_id)
    statement = (
        select(messages, func.coalesce(customers.c.external_id, "operator").label("customer"))
        .outerjoin(customers, customers.c.id == messages.c.customer_id)
        .where(
            messages.c.campaign_id == campaign_id,
            *match_filters(
                {
                    messages.c.state: state,
                    customers.c.id: customer and survivors.id_of(customer),
                }
            ),
        )
    )
    return await newest_first(tx, statement, (messages.c.id,), cursor, _to_message_view)


class _ListedMessage(MessageRow):
    customer: str


def _to_message_view(row: _ListedMessage) -> views.Message:
    return views.Message(
        id=row.id,
        customer=row.customer,
        journey=row.journey,
        event=row.event,
        template=row.template,
        purpose=row.purpose,
        channel=row.channel,
        state=row.state,
        reason=to_reason_view(row),
        not_before=row.not_before,
        referral=row.referral_id,
        milestone=row.milestone_id,
        subject=row.subject,
        text=row.text,
        created_at=row.created_at,
        completed_at=row.completed_at,
        delivered_at=row.delivered_at,
        read_at=row.read_at,
    )


class ListedActivity(ActivityRow):
    """A row of `select_activity`, with the caller's ids of the customer and the advocate, and ours of the latter."""

    customer: str | None
    advocate: str | None
    advocate_customer_id: str | None


def select_activity() -> Select[*tuple[Any, ...]]:
    return (
        select(
            activity,
            customers.c.external_id.label("customer"),
            advocate_customers.c.external_id.label("advocate"),
            advocate_customers.c.id.label("advocate_customer_id"),
        )
        .outerjoin(customers, customers.c.id == activity.c.customer_id)
        .outerjoin(advocates, advocates.c.id == activity.c.advocate_id)
        .outerjoin(advocate_customers, advocate_customers.c.id == advocates.c.customer_id)
    )


def to_activity_view(row: ListedActivity) -> views.Activity:
    return views.Activity(
        id=str(row.id),
        type=row.type,
        at=row.at,
        actor=row.actor,
        campaign=row.campaign_id,
        code=row.code,
        advocate=row.advocate,
        customer=row.customer,
        referral=row.referral_id,
        milestone=row.milestone_id,
        reward=row.reward_id,
        reason=to_reason_view(row),
        data=views.with_zulu_times(row.data),
    )


async def list_activity(
    tx: Tx,
    campaign_id: str,
    cursor: Cursor,
    *,
    kind: str | None = None,
    customer: str | None = None,
    referral: str | None = None,
    since: datetime | None = None,
) -> Page[views.Activity]:
    """List activities, newest first. `customer` is the customer concerned or the advocate."""
    await require_campaign(tx, campaign_id)
    statement = select_activity().where(
        activity.c.campaign_id == campaign_id,
        *match_filters({activity.c.type: kind, activity.c.referral_id: referral}),
    )
    if customer is not None:
        person = survivors.id_of(customer)
        people = (customers, advocate_customers)
        statement = statement.where(
            or_(*((each.c.id == person) | (each.c.merged_into == person) for each in people))
        )
    if since is not None:
        statement = statement.where(activity.c.at >= since)
    return await newest_first(tx, statement, (activity.c.id,), cursor, to_activity_view)
