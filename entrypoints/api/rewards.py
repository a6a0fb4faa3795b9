"""`/v1/rewards`: the rewards of a campaign, and an operator's commands."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from entrypoints.api.filters import RewardFilters, RollBackRequest, VoidRequest
from entrypoints.api.openapi import QUEUED
from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import Json, problems
from entrypoints.api.resources import AppResources, Caller, CampaignId, ResourcesDep, RewardId
from entrypoints.api.routing import AuthenticatedRoute
from referrals.domain.states import RewardState
from referrals.errors import NotPossibleError, UnknownCampaignError, UnknownRewardError
from referrals.store import views
from referrals.store.reporting import reward_lists

router = APIRouter(route_class=AuthenticatedRoute, tags=["rewards"])


@router.get(
    "/campaigns/{campaign}/rewards",
    response_model=views.Page[views.Reward],
    responses=AS_CSV | problems(UnknownCampaignError),
)
async def list_rewards(
    campaign: CampaignId,
    resources: ResourcesDep,
    params: Paging,
    filters: Annotated[RewardFilters, Depends()],
    state: RewardState | None = None,
) -> Any:
    """List the rewards of a campaign, newest first."""
    async with resources.store.read_long() as tx:
        page = await reward_lists.list_rewards(
            tx, campaign, params.cursor, resources.clock(), state=state, **filters.values
        )
    return params.render(page, views.Reward)


@router.post(
    "/rewards/{reward}/retry",
    response_model=views.Reward,
    responses=QUEUED | problems(UnknownRewardError, NotPossibleError),
)
async def retry_reward(reward: RewardId, resources: ResourcesDep, caller: Caller) -> Any:
    """Retry the grant or the roll-back of a failed reward."""
    return await _command(resources, "reward_retry", reward, "", caller)


@router.post(
    "/rewards/{reward}/approve",
    response_model=views.Reward,
    responses=QUEUED | problems(UnknownRewardError, NotPossibleError),
)
async def approve_reward(reward: RewardId, resources: ResourcesDep, caller: Caller) -> Any:
    """Approve a pending reward of a campaign that requires approval."""
    return await _command(resources, "reward_approve", reward, "", caller)


@router.post(
    "/rewards/{reward}/void",
    response_model=views.Reward,
    responses=QUEUED | problems(UnknownRewardError, NotPossibleError),
)
async def void_reward(
    reward: RewardId, body: VoidRequest, resources: ResourcesDep, caller: Caller
) -> Any:
    """Void a reward that was not granted."""
    return await _command(resources, "reward_void", reward, body.reason, caller)


@router.post(
    "/rewards/{reward}/roll-back",
    response_model=views.Reward,
    responses=QUEUED | problems(UnknownRewardError, NotPossibleError),
)
async def roll_back_reward(
    reward: RewardId, body: RollBackRequest, resources: ResourcesDep, caller: Caller
) -> Any:
    """Roll one granted reward back. Its referral does not change."""
    return await _command(resources, "reward_roll_back", reward, body.reason, caller)


async def _command(
    resources: AppResources, kind: str, reward: str, reason: str, caller: str
) -> Any:
    response = await resources.inbox.command_reward(kind, reward, reason, caller)
    if response.status != 200:  # noqa: PLR2004
        return Json(response.body, response.status)
    async with resources.store.read() as tx:
        return await reward_lists.get_reward(tx, reward, resources.clock())
