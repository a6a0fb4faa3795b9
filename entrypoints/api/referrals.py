"""`/v1/referrals`: the referrals of a campaign, and an operator's commands."""

from typing import Any

from fastapi import APIRouter

from entrypoints.api.filters import ReinstateRequest, RejectRequest, RollBackRequest, TextFilter
from entrypoints.api.openapi import QUEUED
from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import Json, problems
from entrypoints.api.resources import AppResources, Caller, CampaignId, ReferralId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.domain.states import ReferralState
from referrals.errors import NotPossibleError, UnknownCampaignError, UnknownReferralError
from referrals.store import views
from referrals.store.reporting import details, lists

router = APIRouter(route_class=AuthenticatedRoute, tags=["referrals"])


@router.get(
    "/campaigns/{campaign}/referrals",
    response_model=views.Page[views.Referral],
    responses=AS_CSV | problems(UnknownCampaignError),
)
async def list_referrals(
    campaign: CampaignId,
    resources: ResourcesDep,
    params: Paging,
    state: ReferralState | None = None,
    advocate: TextFilter = None,
    friend: TextFilter = None,
) -> Any:
    """List the referrals of a campaign, newest first."""
    async with resources.store.read_long() as tx:
        page = await lists.list_referrals(
            tx, campaign, params.cursor, state=state, advocate=advocate, friend=friend
        )
    return params.render(page, views.Referral)


@router.get("/referrals/{referral}", responses=problems(UnknownReferralError))
async def get_referral(referral: ReferralId, resources: ResourcesDep) -> views.ReferralDetails:
    """Return a referral with its rewards and everything that happened."""
    async with resources.store.read() as tx:
        return await details.get_referral(tx, referral, resources.clock())


@router.post(
    "/referrals/{referral}/approve",
    response_model=views.ReferralDetails,
    responses=QUEUED | problems(UnknownReferralError, NotPossibleError),
)
async def approve_referral(referral: ReferralId, resources: ResourcesDep, caller: Caller) -> Any:
    """Accept a referral in review: its rewards are granted when they are due."""
    return await _command(resources, "approve", referral, "", caller)


@router.post(
    "/referrals/{referral}/reject",
    response_model=views.ReferralDetails,
    responses=QUEUED | problems(UnknownReferralError, NotPossibleError),
)
async def reject_referral(
    referral: ReferralId, body: RejectRequest, resources: ResourcesDep, caller: Caller
) -> Any:
    """Reject a referral in review: no rewards are granted."""
    return await _command(resources, "reject", referral, body.reason, caller)


@router.post(
    "/referrals/{referral}/roll-back",
    response_model=views.ReferralDetails,
    responses=QUEUED | problems(UnknownReferralError, NotPossibleError),
)
async def roll_back_referral(
    referral: ReferralId, body: RollBackRequest, resources: ResourcesDep, caller: Caller
) -> Any:
    """Roll a referral back, with all rewards that were granted for it."""
    return await _command(resources, "roll_back", referral, body.reason, caller)


@router.post(
    "/referrals/{referral}/reinstate",
    response_model=views.ReinstatedReferral,
    responses=QUEUED | problems(UnknownReferralError, NotPossibleError),
)
async def reinstate_referral(
    referral: ReferralId, body: ReinstateRequest, resources: ResourcesDep, caller: Caller
) -> Any:
    """Let a referral that was rolled back count again, with new occurrences of its rewards, due at the original time.

    It stays rolled back (`kept`) if the friend has another live referral in the campaign, or its order counts for
    another friend.
    """
    response = await resources.inbox.command_referral("reinstate", referral, body.reason, caller)
    if not response.is_processed:
        return Json(response.body, response.status)
    details = await get_referral(referral, resources)
    return views.ReinstatedReferral(**vars(details), effect=response.body["effect"])


async def _command(
    resources: AppResources, kind: str, referral: str, reason: str, caller: str
) -> Json | views.ReferralDetails:
    response = await resources.inbox.command_referral(kind, referral, reason, caller)
    if response.status != 200:  # noqa: PLR2004
        return Json(response.body, response.status)
    return await get_referral(referral, resources)
