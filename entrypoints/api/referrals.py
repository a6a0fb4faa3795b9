"""What came of a campaign: codes, advocates, referrals, rewards, messages, activity; and what an operator does."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from entrypoints.api.openapi import QUEUED
from entrypoints.api.paging import AS_CSV, List
from entrypoints.api.problems import Json
from entrypoints.api.request_bodies import Route
from entrypoints.api.resources import (
    AppResources,
    Caller,
    CampaignId,
    CustomerId,
    Engine,
    ReferralId,
    RewardId,
)
from referrals.domain.event_fields import Text, clean_text
from referrals.domain.rewards import Provider
from referrals.domain.states import ReferralState, RewardState
from referrals.domain.strict_model import StrictModel
from referrals.store import views
from referrals.store.reporting import details, lists

router = APIRouter(route_class=Route, tags=["referrals"])

Wanted = Annotated[Text | None, Query()]


def _recorded(kind: str) -> str:
    if kind not in views.ACTIVITY:
        raise ValueError("is no type of activity such as referral_converted")
    return kind


ActivityType = Annotated[
    str, AfterValidator(_recorded), Field(json_schema_extra={"enum": sorted(views.ACTIVITY)})
]


class Narrowed:
    """Which rewards, besides their state; `error` is the code before the colon in a reward's `error`."""

    def __init__(
        self,
        customer: Wanted = None,
        provider: Provider | None = None,
        side: Literal["friend", "advocate"] | None = None,
        error: Wanted = None,
    ) -> None:
        self.asked = {"customer": customer, "provider": provider, "side": side, "error": error}


class Because(StrictModel):
    """Why; it is kept with the referral."""

    reason: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
        AfterValidator(clean_text),
    ]


@router.get("/campaigns/{campaign}/codes", response_model=views.Page[views.Code], responses=AS_CSV)
async def list_codes(
    campaign: CampaignId, engine: Engine, asked: List, customer: Wanted = None
) -> Any:
    async with engine.store.scan() as tx:
        page = await lists.list_codes(tx, campaign, asked.cursor, customer=customer)
    return asked.answer(page, views.Code)


@router.get(
    "/campaigns/{campaign}/advocates",
    response_model=views.Page[views.Advocate],
    responses=AS_CSV,
)
async def list_advocates(campaign: CampaignId, engine: Engine, asked: List) -> Any:
    async with engine.store.scan() as tx:
        page = await details.list_advocates(tx, campaign, asked.cursor, engine.settings.public_url)
    return asked.answer(page, views.Advocate)


@router.get("/campaigns/{campaign}/advocates/{customer:path}")
async def get_advocate(
    campaign: CampaignId, customer: CustomerId, engine: Engine
) -> views.AdvocateDetails:
    async with engine.store.read() as tx:
        return await details.get_advocate(
            tx, campaign, customer, engine.clock(), engine.settings.public_url
        )


@router.get(
    "/campaigns/{campaign}/referrals",
    response_model=views.Page[views.Referral],
    responses=AS_CSV,
)
async def list_referrals(
    campaign: CampaignId,
    engine: Engine,
    asked: List,
    state: ReferralState | None = None,
    advocate: Wanted = None,
    friend: Wanted = None,
) -> Any:
    async with engine.store.scan() as tx:
        page = await lists.list_referrals(
            tx, campaign, asked.cursor, state=state, advocate=advocate, friend=friend
        )
    return asked.answer(page, views.Referral)


@router.get("/referrals/{referral}")
async def get_referral(referral: ReferralId, engine: Engine) -> views.ReferralDetails:
    async with engine.store.read() as tx:
        return await details.get_referral(tx, referral)


@router.post(
    "/referrals/{referral}/approve", response_model=views.ReferralDetails, responses=QUEUED
)
async def approve_referral(referral: ReferralId, engine: Engine, caller: Caller) -> Any:
    """Let a referral in review go on to its rewards."""
    return await _command(engine, "approve", referral, "", caller)


@router.post("/referrals/{referral}/reject", response_model=views.ReferralDetails, responses=QUEUED)
async def reject_referral(
    referral: ReferralId, body: Because, engine: Engine, caller: Caller
) -> Any:
    """Refuse a referral in review; nothing is paid."""
    return await _command(engine, "reject", referral, body.reason, caller)


@router.post(
    "/referrals/{referral}/roll-back", response_model=views.ReferralDetails, responses=QUEUED
)
async def roll_back_referral(
    referral: ReferralId, body: Because, engine: Engine, caller: Caller
) -> Any:
    """Take a referral back, with all that was granted for it."""
    return await _command(engine, "roll_back", referral, body.reason, caller)


async def _command(
    engine: AppResources, kind: str, referral: str, reason: str, caller: str
) -> Json | views.ReferralDetails:
    answered = await engine.inbox.command_referral(kind, referral, reason, caller)
    if answered.status != 200:  # noqa: PLR2004
        return Json(answered.body, answered.status)
    return await get_referral(referral, engine)


@router.get(
    "/campaigns/{campaign}/rewards", response_model=views.Page[views.Reward], responses=AS_CSV
)
async def list_rewards(
    campaign: CampaignId,
    engine: Engine,
    asked: List,
    narrowed: Annotated[Narrowed, Depends()],
    state: RewardState | None = None,
) -> Any:
    async with engine.store.scan() as tx:
        page = await lists.list_rewards(tx, campaign, asked.cursor, state=state, **narrowed.asked)
    return asked.answer(page, views.Reward)


@router.post("/rewards/{reward}/retry", response_model=views.Reward)
async def retry_reward(reward: RewardId, engine: Engine, caller: Caller) -> Any:
    """Try a failed reward again, its grant or its roll-back."""
    return await _reward_command(engine, "reward_retry", reward, "", caller)


@router.post("/rewards/{reward}/approve", response_model=views.Reward)
async def approve_reward(reward: RewardId, engine: Engine, caller: Caller) -> Any:
    """Let a reward be granted where the campaign asks for approval."""
    return await _reward_command(engine, "reward_approve", reward, "", caller)


@router.post("/rewards/{reward}/void", response_model=views.Reward)
async def void_reward(reward: RewardId, body: Because, engine: Engine, caller: Caller) -> Any:
    """Give up a reward that was not granted."""
    return await _reward_command(engine, "reward_void", reward, body.reason, caller)


@router.post("/rewards/{reward}/roll-back", response_model=views.Reward)
async def roll_back_reward(reward: RewardId, body: Because, engine: Engine, caller: Caller) -> Any:
    """Take one reward back; its referral stays as it is."""
    return await _reward_command(engine, "reward_roll_back", reward, body.reason, caller)


async def _reward_command(
    engine: AppResources, kind: str, reward: str, reason: str, caller: str
) -> Any:
    answered = await engine.inbox.command_reward(kind, reward, reason, caller)
    if answered.status != 200:  # noqa: PLR2004
        return Json(answered.body, answered.status)
    async with engine.store.read() as tx:
        return await lists.get_reward(tx, reward)


@router.get(
    "/campaigns/{campaign}/messages", response_model=views.Page[views.Message], responses=AS_CSV
)
async def list_messages(
    campaign: CampaignId,
    engine: Engine,
    asked: List,
    state: views.MessageState | None = None,
    customer: Wanted = None,
) -> Any:
    async with engine.store.scan() as tx:
        page = await lists.list_messages(tx, campaign, asked.cursor, state=state, customer=customer)
    return asked.answer(page, views.Message)


@router.get(
    "/campaigns/{campaign}/activity", response_model=views.Page[views.Activity], responses=AS_CSV
)
async def list_activity(
    campaign: CampaignId,
    engine: Engine,
    asked: List,
    type: Annotated[ActivityType | None, Query()] = None,
    customer: Wanted = None,
    referral: Wanted = None,
    since: AwareDatetime | None = None,
) -> Any:
    """Everything that happened; `customer` is whom it happened to, or the advocate."""
    async with engine.store.scan() as tx:
        page = await lists.list_activity(
            tx,
            campaign,
            asked.cursor,
            kind=type,
            customer=customer,
            referral=referral,
            since=since,
        )
    return asked.answer(page, views.Activity)
