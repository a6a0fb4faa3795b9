"""Find and lock the rows that a decision is about.

Locks are taken in one order: event, customer, order, contacts, advocate, campaign. A campaign with a limit is locked before its limits are
checked; one without is locked only to be counted, at the end of the decision.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, Text, and_, bindparam, select

from referrals.domain.codes import code_key
from referrals.domain.identity import SamePerson
from referrals.domain.qualification import CodeFacts
from referrals.domain.reasons import Reason, RejectReason
from referrals.domain.states import ReferralState
from referrals.errors import WorkflowMovedError
from referrals.store.activity.context import ReferralContext
from referrals.store.campaigns import versions
from referrals.store.campaigns.versions import CampaignInForce
from referrals.store.customers import contacts, same_person
from referrals.store.db.sql import (
    JoinedRow,
    Tx,
    find,
    first_of,
    get,
    locked,
    one,
    select_joined,
)
from referrals.store.schema import (
    AdvocateRow,
    CampaignRow,
    CodeRow,
    CustomerRow,
    InboxEventRow,
    ReferralRow,
    advocates,
    campaign_versions,
    codes,
    customers,
    milestones,
    referrals,
)
from referrals.store.schema import campaigns as campaigns_table
from referrals.store.schema.referrals import FRIEND_REFERRED
from referrals.temporal.names import referral_workflow_id

_OF_FRIEND = select(referrals).where(
    referrals.c.campaign_id == bindparam("campaign_id"),
    referrals.c.friend_id == bindparam("friend_id"),
)
_LIVE = _OF_FRIEND.where(FRIEND_REFERRED)
_LIVE_OF_WORKFLOW = select(referrals).where(
    referrals.c.workflow_id == bindparam("workflow_id"), FRIEND_REFERRED
)
_LATEST = _OF_FRIEND.order_by(referrals.c.id.desc()).limit(1)
_CODE_OWNER = (
    select(advocates)
    .join(codes, codes.c.advocate_id == advocates.c.id)
    .where(codes.c.key == bindparam("code_key"), codes.c.campaign_id == bindparam("campaign_id"))
)
_LIVE_REFERRAL_OF_FRIEND = and_(
    referrals.c.campaign_id == codes.c.campaign_id,
    referrals.c.friend_id == bindparam("friend_id"),
    FRIEND_REFERRED,
)
_CAMPAIGN_OF_CODE = (
    select(
        campaigns_table,
        advocates.c.customer_id.label("advocate"),
        referrals.c.state.label("live_state"),
        referrals.c.workflow_id.label("live_workflow_id"),
    )
    .select_from(codes)
    .join(campaigns_table, campaigns_table.c.id == codes.c.campaign_id)
    .outerjoin(advocates, advocates.c.id == codes.c.advocate_id)
    .outerjoin(referrals, _LIVE_REFERRAL_OF_FRIEND)
    .where(codes.c.key == bindparam("code_key"))
)
_RESOLVED = (codes, campaigns_table, campaign_versions, customers, referrals)
_RESOLVE = (
    select_joined(*_RESOLVED)
    .add_columns(*same_person.COLUMNS)
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
    .outerjoin(referrals, _LIVE_REFERRAL_OF_FRIEND)
    .where(codes.c.key == bindparam("code_key"))
)


@dataclass(frozen=True)
class ResolvedCode:
    """A referral code with its campaign and the friend who brings it; the advocate's row is locked.

    `live_referral` is the friend's live referral in the campaign, whatever its code; `same_person` are other customers who may
    be the friend. Shares and clicks have no friend.
    """

    context: ReferralContext
    campaign: CampaignInForce
    code: CodeRow
    friend: CustomerRow | None
    live_referral: ReferralRow | None
    same_person: SamePerson


async def find_code(tx: Tx, code: str) -> CodeRow | None:
    """Find a code in any spelling."""
    return await find(tx, codes, key=code_key(code))


class CampaignOfCode(CampaignRow):
    """The campaign of a code, with the customer id of the code's advocate and the friend's live referral."""

    advocate: str | None
    live_state: str | None
    live_workflow_id: str | None


async def find_campaign_of_code(
    tx: Tx, code: str | None, friend_id: str | None = None
) -> CampaignOfCode | None:
    """Find the campaign of a code, with the customer id of its `advocate`.

    `live_state` and `live_workflow_id` are of the friend's live referral in the campaign, whatever its code.
    """
    if code is None:
        return None
    key = code_key(code)
    return await first_of(tx, CampaignOfCode, _CAMPAIGN_OF_CODE, code_key=key, friend_id=friend_id)


async def find_published_code(tx: Tx, code: str, campaign_id: str | None) -> CodeRow | Reason:
    """Return the campaign's code, or the reason why nobody can be referred by it: it is unknown or not published."""
    if not code:
        return Reason(RejectReason.UNKNOWN_CODE, "The event carries no code.")
    row = await find_code(tx, code)
    if row is None or row.campaign_id != campaign_id:
        return Reason(RejectReason.UNKNOWN_CODE, "There is no such referral code.")
    if row.advocate_id is None:
        return Reason(RejectReason.CODE_NOT_PUBLISHED, "The code belongs to no advocate yet.")
    return row


async def resolve_code(
    tx: Tx, event: InboxEventRow, code: str, now: datetime, workflow_id: str | None = None
) -> ResolvedCode | Reason:
    """Lock the friend's contacts and the advocate who owns the code; read everything around the code.

    Return the reason instead if nobody can be referred by the code. `workflow_id` is the workflow that decides, if any.

    Raises:
        WorkflowMovedError: The friend has a live referral in another workflow.
    """
    key, friend_id = code_key(code), event.customer_id
    lock = _lock_code_owner(tx.dialect.name)
    advocate = await first_of(
        tx, AdvocateRow, lock, code_key=key, campaign_id=event.campaign_id, friend_id=friend_id
    )
    if advocate is None:
        reason = await find_published_code(tx, code, event.campaign_id)
        # A code published meanwhile is found by the next attempt.
        if isinstance(reason, Reason):
            return reason
        return await resolve_code(tx, event, code, now, workflow_id)
    joined = JoinedRow(await one(tx, _RESOLVE, code_key=key, friend_id=friend_id, now=now))
    code_row, campaign = joined.take(codes), joined.take(campaigns_table)
    in_force = versions.to_campaign_in_force(campaign, joined.take(campaign_versions).definition)
    friend, live = joined.take_optional(customers), joined.take_optional(referrals)
    context = ReferralContext(
        in_force.campaign,
        in_force.version,
        advocate,
        event.actor,
        now,
        code=code_row.code,
        friend_id=friend_id,
        workflow_id=_workflow_of_friend(event, live, workflow_id),
    )
    facts = same_person.facts_of(joined.rest())
    return ResolvedCode(context, in_force, code_row, friend, live, facts)


def _workflow_of_friend(
    event: InboxEventRow, live: ReferralRow | None, deciding: str | None
) -> str | None:
    """Return the workflow of the friend's live referral, else the one that decides, else that of a new referral."""
    if live is None:
        computed = event.customer_id and referral_workflow_id(
            str(event.campaign_id), event.customer_id
        )
        return deciding or computed
    if deciding not in (None, live.workflow_id):
        raise WorkflowMovedError(live.workflow_id)
    return live.workflow_id


@cache
def _lock_code_owner(dialect: str) -> Select[Any]:
    """Return the SELECT that locks the friend's contacts, on PostgreSQL, and then the advocate."""
    statement = locked(_CODE_OWNER, of=advocates)
    if dialect != "postgresql":
        return statement
    return statement.where(contacts.locks(bindparam("friend_id", type_=Text)) >= 0)


def code_facts(code: CodeRow) -> CodeFacts:
    return CodeFacts(
        published=code.advocate_id is not None,
        active=code.state == "active",
        starts_at=code.starts_at,
        expires_at=code.expires_at,
        exhausted=code.uses_limit is not None and code.uses >= code.uses_limit,
    )


async def lock_advocate(tx: Tx, advocate_id: str) -> AdvocateRow:
    """Lock the advocate, so that decisions about one advocate are made one after another."""
    return await get(tx, advocates, lock=True, id=advocate_id)


async def get_advocate(tx: Tx, advocate_id: str) -> AdvocateRow:
    return await get(tx, advocates, id=advocate_id)


async def find_live_referral(
    tx: Tx, campaign_id: str | None, friend_id: str | None
) -> ReferralRow | None:
    """Find the friend's only referral in the campaign that is neither expired nor rejected."""
    return await first_of(tx, ReferralRow, _LIVE, campaign_id=campaign_id, friend_id=friend_id)


async def find_live_referral_of_workflow(tx: Tx, workflow_id: str) -> ReferralRow | None:
    return await first_of(tx, ReferralRow, _LIVE_OF_WORKFLOW, workflow_id=workflow_id)


async def find_latest_referral(
    tx: Tx, campaign_id: str | None, friend_id: str | None
) -> ReferralRow | None:
    """Find the friend's live referral in the campaign, else the newest closed one."""
    live = await find_live_referral(tx, campaign_id, friend_id)
    return live or await first_of(
        tx, ReferralRow, _LATEST, campaign_id=campaign_id, friend_id=friend_id
    )


async def find_code_owner(tx: Tx, code: str, campaign_id: str | None) -> str | None:
    """Find the customer id of the advocate who owns the code in the campaign."""
    owner = await first_of(
        tx, AdvocateRow, _CODE_OWNER, code_key=code_key(code), campaign_id=campaign_id
    )
    return owner.customer_id if owner else None


async def find_referral(tx: Tx, referral_id: str) -> ReferralRow | None:
    return await find(tx, referrals, id=referral_id)


async def get_referral(tx: Tx, referral_id: str) -> ReferralRow:
    return await get(tx, referrals, id=referral_id)


async def lock_context(
    tx: Tx, referral_id: str, actor: str, now: datetime
) -> tuple[ReferralContext, ReferralRow]:
    """Lock the advocate of a referral. Return its context and the referral, read under the lock."""
    advocate_id = (await get_referral(tx, referral_id)).advocate_id
    advocate = await lock_advocate(tx, advocate_id)
    referral = await get_referral(tx, referral_id)
    return await load_context(tx, referral, advocate, actor, now), referral


async def load_context(
    tx: Tx, referral: ReferralRow, advocate: AdvocateRow, actor: str, now: datetime
) -> ReferralContext:
    """Load the context of a referral, with the campaign version that it started with."""
    campaign = await versions.get_version(tx, referral.campaign_id, referral.version)
    return ReferralContext(
        campaign,
        referral.version,
        advocate,
        actor,
        now,
        code=referral.code,
        referral_id=referral.id,
        friend_id=referral.friend_id,
        workflow_id=referral.workflow_id,
    )


async def lock_milestone_context(
    tx: Tx, milestone_id: str, referral_id: str, actor: str, now: datetime
) -> ReferralContext:
    """Lock the advocate of a milestone that `referral_id` reached or lost; return the milestone's context."""
    context, _ = await lock_context(tx, referral_id, actor, now)
    return await milestone_context(tx, context, milestone_id)


async def milestone_context(tx: Tx, context: ReferralContext, milestone_id: str) -> ReferralContext:
    """Return the context of a milestone, with the campaign version under which it was reached."""
    milestone = await get(tx, milestones, id=milestone_id)
    campaign = context.campaign
    if milestone.version != context.version:
        campaign = await versions.get_version(tx, campaign.campaign, milestone.version)
    return replace(context, campaign=campaign, version=milestone.version).for_milestone(milestone)


async def is_undone(tx: Tx, context: ReferralContext) -> bool:
    """Check whether the context's milestone was lost, or its referral rolled back."""
    if context.milestone:
        return bool(context.milestone.state == "lost")
    referral = await get_referral(tx, str(context.referral_id))
    return bool(referral.state == ReferralState.ROLLED_BACK)
