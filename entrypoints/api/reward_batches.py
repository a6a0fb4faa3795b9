"""Commands for all rewards of a campaign in one state, one page per request."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from entrypoints.api.filters import RewardFilters, RollBackRequest, TextFilter, VoidRequest
from entrypoints.api.problems import problems
from entrypoints.api.resources import Caller, CampaignId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.domain.states import RewardState
from referrals.errors import RefusedError, UnknownCampaignError
from referrals.store import views
from referrals.store.db.pages import Cursor
from referrals.store.reporting import reward_lists

router = APIRouter(route_class=AuthenticatedRoute, tags=["rewards"])

MAX_BATCH_SIZE = 50
"""Rewards per request: it ends within a minute even if Temporal does not respond."""
MAX_CONCURRENT_COMMANDS = 10


class RewardBatch:
    """One page of a campaign's rewards in one state, filtered."""

    def __init__(
        self,
        campaign: CampaignId,
        state: RewardState,
        filters: Annotated[RewardFilters, Depends()],
        resources: ResourcesDep,
        caller: Caller,
        limit: Annotated[int, Query(ge=1, le=MAX_BATCH_SIZE)] = MAX_BATCH_SIZE,
        after: Annotated[TextFilter, Query(description="`next` of the previous response.")] = None,
    ) -> None:
        self._campaign = campaign
        self._filters = {"state": state, **filters.values}
        self._resources = resources
        self._caller = caller
        self._cursor = Cursor(limit, after)
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_COMMANDS)

    async def command_each(self, kind: str, reason: str = "") -> views.Page[views.CommandOutcome]:
        """Give every reward of the page the command that `Inbox.command_reward` gives to one."""
        async with self._resources.store.read_long() as tx:
            page = await reward_lists.list_rewards(
                tx, self._campaign, self._cursor, self._resources.clock(), **self._filters
            )
        outcomes = await asyncio.gather(*(self._outcome(kind, row, reason) for row in page.data))
        return views.Page(outcomes, page.next)

    async def _outcome(self, kind: str, reward: views.Reward, reason: str) -> views.CommandOutcome:
        async with self._semaphore:
            outcome, detail = await self._command(kind, reward.id, reason)
        async with self._resources.store.read() as tx:
            now = self._resources.clock()
            state = (await reward_lists.get_reward(tx, reward.id, now)).state
        return views.CommandOutcome(reward.id, reward.key, reward.customer, outcome, state, detail)

    async def _command(
        self, kind: str, reward: str, reason: str
    ) -> tuple[views.OutcomeKind, str | None]:
        inbox = self._resources.inbox
        try:
            response = await inbox.command_reward(kind, reward, reason, self._caller)
        except RefusedError as error:
            return "refused", str(error)
        return ("done" if response.status == 200 else "queued"), None  # noqa: PLR2004


Outcomes = views.Page[views.CommandOutcome]


@router.post("/campaigns/{campaign}/rewards/retry", responses=problems(UnknownCampaignError))
async def retry_rewards(batch: Annotated[RewardBatch, Depends()]) -> Outcomes:
    """Retry failed rewards. Send the request again for those that are still in this state."""
    return await batch.command_each("reward_retry")


@router.post("/campaigns/{campaign}/rewards/approve", responses=problems(UnknownCampaignError))
async def approve_rewards(batch: Annotated[RewardBatch, Depends()]) -> Outcomes:
    """Approve pending rewards of a campaign that requires approval."""
    return await batch.command_each("reward_approve")


@router.post("/campaigns/{campaign}/rewards/void", responses=problems(UnknownCampaignError))
async def void_rewards(batch: Annotated[RewardBatch, Depends()], body: VoidRequest) -> Outcomes:
    """Void failed or pending rewards, which were not granted."""
    return await batch.command_each("reward_void", body.reason)


@router.post("/campaigns/{campaign}/rewards/roll-back", responses=problems(UnknownCampaignError))
async def roll_back_rewards(
    batch: Annotated[RewardBatch, Depends()], body: RollBackRequest
) -> Outcomes:
    """Roll granted rewards back. Their referrals do not change."""
    return await batch.command_each("reward_roll_back", body.reason)
