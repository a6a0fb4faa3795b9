"""`/v1/campaigns`: the programmes, their state and their numbers."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from entrypoints.api.http_errors import UnsupportedMediaTypeError
from entrypoints.api.openapi import QUEUED, Answer, Publication
from entrypoints.api.paging import AS_CSV, List
from entrypoints.api.problems import Json
from entrypoints.api.request_bodies import Route, content_type, decode, is_json, parse_json
from entrypoints.api.resources import AppResources, Caller, CampaignId, Engine
from referrals.campaign_file import campaign_errors, load_campaign
from referrals.channels.errors import TemplateError
from referrals.channels.templates import Templates
from referrals.domain.campaign import Campaign
from referrals.domain.events import FriendConverted
from referrals.domain.requests import PublicationRequest
from referrals.domain.validation_messages import field_errors, field_path
from referrals.errors import (
    CampaignArchivedError,
    CampaignError,
    FieldError,
    UnknownCampaignError,
)
from referrals.providers import Provider
from referrals.store import views
from referrals.store.campaigns import versions
from referrals.store.campaigns.versions import CampaignInForce
from referrals.store.db.sql import Tx
from referrals.store.journeys import runs
from referrals.store.reporting import lists
from referrals.store.reporting.summary import summarise

YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")

router = APIRouter(route_class=Route, tags=["campaigns"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "object"}} for kind in ("application/json", YAML[0])},
    }
}


@dataclass(frozen=True)
class CampaignDetails:
    """A campaign with the definition that is in force."""

    campaign: str
    version: int
    state: str
    definition: dict[str, Any]
    journeys_under_older_versions: int
    """Runs of journeys that began under an earlier version, and go on by it."""


@router.get("/campaigns", response_model=views.Page[views.Campaign], responses=AS_CSV)
async def list_campaigns(engine: Engine, asked: List) -> Any:
    async with engine.store.scan() as tx:
        return asked.answer(await lists.list_campaigns(tx, asked.cursor), views.Campaign)


@router.put("/campaigns/{campaign}", openapi_extra=_BODY)
async def apply_campaign(
    campaign: CampaignId, request: Request, engine: Engine, caller: Caller
) -> CampaignDetails:
    """Create the campaign, or put a new version in force: running referrals keep the one they began under."""
    definition = await _read(request)
    if definition.campaign != campaign:
        raise _invalid("campaign", f"must be {campaign}, as the path says")
    await asyncio.to_thread(_check_templates, definition, engine.templates)
    _check_targets(definition, engine.providers)
    async with engine.store.begin() as tx:
        await versions.apply(tx, definition, caller, engine.clock())
        return await _details(tx, campaign)


@router.get("/campaigns/{campaign}")
async def get_campaign(campaign: CampaignId, engine: Engine) -> CampaignDetails:
    async with engine.store.read() as tx:
        return await _details(tx, campaign)


@router.delete("/campaigns/{campaign}")
async def archive_campaign(campaign: CampaignId, engine: Engine, caller: Caller) -> CampaignDetails:
    """End the campaign and its journeys; what it has recorded stays."""
    return await _set_state(engine, campaign, "archived", caller)


@router.post("/campaigns/{campaign}/pause")
async def pause_campaign(campaign: CampaignId, engine: Engine, caller: Caller) -> CampaignDetails:
    """Stop accepting conversions and hold the journeys that wait; running referrals go on."""
    return await _set_state(engine, campaign, "paused", caller)


@router.post("/campaigns/{campaign}/activate")
async def activate_campaign(
    campaign: CampaignId, engine: Engine, caller: Caller
) -> CampaignDetails:
    return await _set_state(engine, campaign, "running", caller)


@router.get("/campaigns/{campaign}/summary")
async def get_summary(campaign: CampaignId, engine: Engine) -> views.Summary:
    async with engine.store.scan() as tx:
        return await summarise(tx, campaign)


@router.post("/campaigns/{campaign}/check", responses={200: {"model": Answer}})
async def check_conversion(
    campaign: CampaignId, body: FriendConverted, engine: Engine, caller: Caller
) -> Response:
    """What a conversion with this `data` would be answered. Changes nothing."""
    return Json(await engine.inbox.check_conversion(campaign, body, caller))


@router.post("/campaigns/{campaign}/publications", responses=QUEUED | {200: {"model": Publication}})
async def publish_code(
    campaign: CampaignId, body: PublicationRequest, engine: Engine, caller: Caller
) -> Response:
    """Assign a code to a customer, who is an advocate from then on."""
    answered = await engine.inbox.publish(campaign, body, caller)
    return Json(answered.body, answered.status)


async def _read(request: Request) -> Campaign:
    media_type = content_type(request)
    if not is_json(media_type) and media_type not in YAML:
        raise UnsupportedMediaTypeError(media_type, "application/json or application/yaml")
    body = await request.body()
    if media_type in YAML:
        return await asyncio.to_thread(load_campaign, decode(body))
    try:
        return Campaign.model_validate(parse_json(body))
    except ValidationError as error:
        raise CampaignError(campaign_errors(error)) from error


def _check_templates(campaign: Campaign, templates: Templates) -> None:
    for number, journey in enumerate(campaign.journeys):
        for place, step in journey.walk():
            try:
                if step.send:
                    templates.check(step.send.template, journey.on, campaign.campaign)
            except TemplateError as error:
                field = field_path(("journeys", number, *place, "send", "template"))
                raise _invalid(field, str(error)) from error


def _check_targets(campaign: Campaign, providers: Mapping[str, Provider]) -> None:
    """Each reward's provider is set up here, and knows what its target names."""
    tiers = enumerate(campaign.rewards.tiers)
    wanted = {f"rewards.tiers[{number}].reward": tier.reward for number, tier in tiers}
    if campaign.rewards.friend:
        wanted["rewards.friend"] = campaign.rewards.friend
    wanted |= {field_path(place): reward for place, reward in campaign.journey_rewards()}
    for place, reward in wanted.items():
        name, target = campaign.rewards.provider_of(reward)
        if name == "ledger":
            continue
        provider = providers.get(name)
        if provider is None:
            raise _invalid(
                f"{place}.provider", f"the provider {name} is not configured on this deployment"
            )
        try:
            provider.check_target(target, reward.type)
        except ValidationError as error:
            raise CampaignError(
                [
                    FieldError(f"{place}.target.{item.field}".rstrip("."), item.message)
                    for item in field_errors(error)
                ]
            ) from error


def _invalid(field: str, message: str) -> CampaignError:
    return CampaignError([FieldError(field, message)])


async def _in_force(tx: Tx, campaign_id: str, *, lock: bool = False) -> CampaignInForce:
    found = await versions.in_force(tx, campaign_id, lock=lock)
    if found is None:
        raise UnknownCampaignError(campaign_id)
    return found


async def _set_state(
    engine: AppResources, campaign_id: str, state: str, caller: str
) -> CampaignDetails:
    async with engine.store.begin() as tx:
        found = await _in_force(tx, campaign_id, lock=True)
        if found.state == "archived" != state:
            raise CampaignArchivedError(campaign_id)
        await versions.set_state(tx, campaign_id, state)
        await runs.campaign_changed(tx, campaign_id, state, caller, engine.clock())
        return await _details(tx, campaign_id)


async def _details(tx: Tx, campaign_id: str) -> CampaignDetails:
    found = await _in_force(tx, campaign_id)
    definition = found.campaign.model_dump(mode="json")
    older = await runs.count_under_older_versions(tx, found.id, found.version)
    return CampaignDetails(found.id, found.version, found.state, definition, older)
