"""What an operator does to all rewards of a campaign that are in one state: a page of them a call."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from entrypoints.api.referrals import Because, Narrowed, Wanted
from entrypoints.api.request_bodies import Route
from entrypoints.api.resources import Caller, CampaignId, Engine
from referrals.domain.states import RewardState
from referrals.errors import RefusedError
from referrals.store import views
from referrals.store.db.pages import Cursor
from referrals.store.reporting import lists

router = APIRouter(route_class=Route, tags=["referrals"])

MOST = 50
"""Of one call: even where Temporal does not answer, it ends within a minute."""
AT_ONCE = 10


class Chosen:
    """The rewards of a campaign in one state, narrowed further where asked, a page of them."""

    def __init__(
        self,
        campaign: CampaignId,
        state: RewardState,
        narrowed: Annotated[Narrowed, Depends()],
        engine: Engine,
        caller: Caller,
        limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
        after: Annotated[Wanted, Query(description="`next` of the answer before.")] = None,
    ) -> None:
        self._campaign = campaign
        self._wanted = {"state": state, **narrowed.asked}
        self._engine = engine
        self._caller = caller
        self._cursor = Cursor(limit, after)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def each(self, kind: str, reason: str = "") -> views.Page[views.Outcome]:
        """Do to each what `Inbox.command_reward` does to one."""
        async with self._engine.store.scan() as tx:
            page = await lists.list_rewards(tx, self._campaign, self._cursor, **self._wanted)
        outcomes = await asyncio.gather(*(self._do(kind, row, reason) for row in page.data))
        return views.Page(outcomes, page.next)

    async def _do(self, kind: str, reward: views.Reward, reason: str) -> views.Outcome:
        async with self._turns:
            outcome, detail = await self._command(kind, reward.id, reason)
        async with self._engine.store.read() as tx:
            state = (await lists.get_reward(tx, reward.id)).state
        return views.Outcome(reward.id, reward.key, reward.customer, outcome, state, detail)

    async def _command(
        self, kind: str, reward: str, reason: str
    ) -> tuple[views.OutcomeKind, str | None]:
        inbox = self._engine.inbox
        try:
            answered = await inbox.command_reward(kind, reward, reason, self._caller)
        except RefusedError as error:
            return "refused", str(error)
        return ("done" if answered.status == 200 else "queued"), None  # noqa: PLR2004


Outcomes = views.Page[views.Outcome]


@router.post("/campaigns/{campaign}/rewards/retry")
async def retry_rewards(chosen: Annotated[Chosen, Depends()]) -> Outcomes:
    """Try failed rewards again. What has been done is in that state no more: doing it again does what is left."""
    return await chosen.each("reward_retry")


@router.post("/campaigns/{campaign}/rewards/approve")
async def approve_rewards(chosen: Annotated[Chosen, Depends()]) -> Outcomes:
    """Let pending rewards be granted where the campaign asks for approval."""
    return await chosen.each("reward_approve")


@router.post("/campaigns/{campaign}/rewards/void")
async def void_rewards(chosen: Annotated[Chosen, Depends()], body: Because) -> Outcomes:
    """Give up rewards that were not granted: failed or pending ones."""
    return await chosen.each("reward_void", body.reason)


@router.post("/campaigns/{campaign}/rewards/roll-back")
async def roll_back_rewards(chosen: Annotated[Chosen, Depends()], body: Because) -> Outcomes:
    """Take granted rewards back; their referrals stay as they are."""
    return await chosen.each("reward_roll_back", body.reason)
