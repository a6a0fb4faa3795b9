"""Publication: the assignment of a code to an advocate. Source: Voucherify, "Referral code publication", "Join-once"."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from referrals.domain.campaign import Campaign
from referrals.domain.codes import code_key, generate_code
from referrals.domain.qualification import campaign_rejection
from referrals.domain.reasons import RejectReason
from referrals.errors import NotPublishedError
from referrals.store.activity.context import ReferralContext
from referrals.store.activity.log import publish
from referrals.store.campaigns import versions
from referrals.store.customers import profiles
from referrals.store.db.columns import required
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx, find, first_of, get, insert
from referrals.store.inbox import inbox_events
from referrals.store.schema import AdvocateRow, CodeRow, advocates, codes

MAX_GENERATION_ATTEMPTS = 20
"""Attempts to generate a code that does not exist yet; a pattern that needs more has too few characters."""

FIRST_CODE = (codes.c.sole_code_of_advocate_id.is_(None), codes.c.published_at, codes.c.code)
"""Order of an advocate's codes: a merge of customers can add codes to a sole code."""


@dataclass(frozen=True)
class Request:
    """Request of a customer for a code in a campaign. `code` is the desired one, `channel` the channel of publication."""

    campaign_id: str
    customer_id: str
    actor: str
    code: str | None = None
    channel: str | None = None
    warnings: list[dict[str, str]] = field(default_factory=list)


async def publish_for_event(tx: Tx, event_id: str, campaign_id: str, now: datetime) -> CodeRow:
    """Publish a code for an event or command; a repeat returns the same code. Raises NotPublishedError."""
    event = await inbox_events.lock(tx, event_id)
    published: dict[str, str] = event.data.get("published", {})
    if campaign_id in published:
        return await get(tx, codes, code=published[campaign_id])
    request = Request(
        campaign_id,
        required(event.customer_id),
        event.actor,
        warnings=event.warnings,
        **event.data.get("publish", {}),
    )
    code = await publish_code(tx, request, now)
    published |= {campaign_id: code.code}
    await inbox_events.set_data(tx, event_id, event.data | {"published": published})
    return code


async def publish_code(tx: Tx, request: Request, now: datetime) -> CodeRow:
    """Assign a code to the customer; with `join_once` always the same one. Raises NotPublishedError."""
    found = await versions.find_in_force(tx, request.campaign_id)
    if found is None:
        message = f"There is no campaign {request.campaign_id}."
        raise NotPublishedError(message, "unknown_campaign")
    await profiles.mark_as_customer(tx, request.customer_id, now)
    advocate = await join(tx, request.campaign_id, request.customer_id, now)
    if found.campaign.code.join_once and (code := await find_code_of_advocate(tx, advocate.id)):
        return code
    if refused := campaign_rejection(found.campaign, found.state, now):
        raise NotPublishedError(refused.message, refused.code)
    code = await _assign(tx, found.campaign, advocate, request, now)
    context = ReferralContext(
        found.campaign, found.version, advocate, request.actor, now, code=code.code
    )
    details = {"channel": request.channel, "warnings": request.warnings}
    publish(
        tx,
        context,
        "code_published",
        customer_id=request.customer_id,
        data={name: value for name, value in details.items() if value},
        occurrence=code.code,
    )
    return code


async def join(tx: Tx, campaign_id: str, customer_id: str, now: datetime) -> AdvocateRow:
    """Make the customer an advocate of the campaign. Returns the advocate, locked."""
    await tx.execute(
        insert(tx, advocates)
        .values(
            id=new_id("adv"),
            campaign_id=campaign_id,
            customer_id=customer_id,
            confirmed_count=0,
            created_at=now,
        )
        .on_conflict_do_nothing()
    )
    return await get(tx, advocates, lock=True, campaign_id=campaign_id, customer_id=customer_id)


async def find_code_of_advocate(tx: Tx, advocate_id: str) -> CodeRow | None:
    """Find the advocate's code; if there are several, the sole code of a campaign that is joined once, else the first."""
    statement = (
        select(codes).where(codes.c.advocate_id == advocate_id).order_by(*FIRST_CODE).limit(1)
    )
    return await first_of(tx, CodeRow, statement)


async def _assign(
    tx: Tx, campaign: Campaign, advocate: AdvocateRow, request: Request, now: datetime
) -> CodeRow:
    values = _row(campaign, advocate, request, now)
    if request.code:
        return await _insert(tx, request.code, values) or await _own_code(
            tx, request.code, advocate
        )
    terms = campaign.code
    for _ in range(MAX_GENERATION_ATTEMPTS):
        if row := await _insert(tx, generate_code(terms.pattern, terms.charset), values):
            return row
    message = f"No free code of the pattern {terms.pattern} is left."
    raise NotPublishedError(message, RejectReason.CODE_EXHAUSTED)


def _row(
    campaign: Campaign, advocate: AdvocateRow, request: Request, now: datetime
) -> dict[str, Any]:
    terms = campaign.code
    return {
        "campaign_id": campaign.campaign,
        "advocate_id": advocate.id,
        "sole_code_of_advocate_id": advocate.id if terms.join_once else None,
        "state": "active",
        "uses": 0,
        "uses_limit": terms.uses,
        "expires_at": now + terms.valid_for if terms.valid_for else None,
        "published_at": now,
        "channel": request.channel,
        "created_at": now,
    }


async def _insert(tx: Tx, code: str, values: dict[str, Any]) -> CodeRow | None:
    statement = insert(tx, codes).values(code=code, key=code_key(code), **values)
    statement = statement.on_conflict_do_nothing(index_elements=["key"])
    return await first_of(tx, CodeRow, statement.returning(codes))


async def _own_code(tx: Tx, code: str, advocate: AdvocateRow) -> CodeRow:
    if row := await find(tx, codes, key=code_key(code), advocate_id=advocate.id):
        return row
    raise NotPublishedError(f"The code {code} is taken.", "code_taken")
