"""`/v1/campaigns`: definitions, states and summaries of campaigns."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import ValidationError

from entrypoints.api.campaign_checks import secret_errors, target_errors, template_errors
from entrypoints.api.http_errors import UnsupportedMediaTypeError
from entrypoints.api.openapi import (
    CHECK_BODY,
    FILE,
    PUBLICATION_BODY,
    QUEUED,
    REF,
    EventResult,
    PublicationResult,
)
from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import Json, problems
from entrypoints.api.request_bodies import content_type, decode, is_json, parse_json
from entrypoints.api.resources import AppResources, Caller, CampaignId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.campaign_file import campaign_errors, load_campaign
from referrals.campaign_schema import PUBLIC_NAMES
from referrals.domain.campaign import Campaign
from referrals.domain.campaign_changes import CampaignChange
from referrals.domain.field_docs import Described
from referrals.errors import (
    CampaignArchivedError,
    CampaignEditError,
    CampaignError,
    CampaignInUseError,
    FieldError,
    NotPublishedError,
    UnknownCampaignError,
    UnknownVersionError,
)
from referrals.store import views
from referrals.store.campaigns import versions
from referrals.store.campaigns.edit_effects import EditEffect
from referrals.store.db.sql import Tx
from referrals.store.flow import campaign_commands
from referrals.store.journeys import runs
from referrals.store.reporting import lists
from referrals.store.reporting.summary import summarise
from referrals.yaml_lines import add_lines

YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")

router = APIRouter(route_class=AuthenticatedRoute, tags=["campaigns"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": REF.format(model=PUBLIC_NAMES[Campaign.__name__])}
            },
            YAML[0]: {"schema": FILE},
        },
    }
}


@dataclass(frozen=True)
class CampaignDetails(Described):
    """A campaign with the definition in force."""

    campaign: str
    """Slug of the campaign."""
    version: int
    """Number of the version in force."""
    state: views.CampaignState
    """State; only a `running` campaign accepts conversions."""
    definition: dict[str, Any]
    """Definition in force, with all defaults."""
    journeys_under_older_versions: int
    """Journey runs that started under an earlier version and continue under it."""


@dataclass(frozen=True)
class AppliedCampaign(CampaignDetails):
    """A campaign after an edit, or, with `dry_run`, as it would be."""

    changes: Sequence[CampaignChange]
    """Differences from the version before; none for a new campaign."""
    effects: Sequence[EditEffect]
    """Consequences for referrals, journeys and milestones under way."""
    dry_run: bool
    """True if nothing was changed."""


DryRun = Annotated[
    bool, Query(description="Change nothing, and answer what applying it would change.")
]
VersionNumber = Annotated[int, Path(ge=1, le=10**9, description="The number of the version.")]


@router.get("/campaigns", response_model=views.Page[views.Campaign], responses=AS_CSV)
async def list_campaigns(resources: ResourcesDep, params: Paging) -> Any:
    """List all campaigns, newest first."""
    async with resources.store.read_long() as tx:
        return params.render(await lists.list_campaigns(tx, params.cursor), views.Campaign)


@router.put(
    "/campaigns/{campaign}",
    openapi_extra=_BODY,
    responses=problems(CampaignError, CampaignEditError),
)
async def apply_campaign(
    campaign: CampaignId,
    request: Request,
    resources: ResourcesDep,
    caller: Caller,
    dry_run: DryRun = False,
) -> AppliedCampaign:
    """Create the campaign or a new version of it. Running referrals keep the version they started under."""
    definition, text = await _read(request)
    try:
        if definition.campaign != campaign:
            raise _invalid("campaign", f"must be {campaign}, as in the path")
        return await _apply(resources, definition, caller, dry_run=dry_run)
    except (CampaignError, CampaignEditError) as error:
        if text is None:
            raise
        raise type(error)(await asyncio.to_thread(add_lines, error.errors, text)) from error


@router.get(
    "/campaigns/{campaign}/versions",
    response_model=views.Page[views.CampaignVersion],
    responses=AS_CSV | problems(UnknownCampaignError),
)
async def list_campaign_versions(
    campaign: CampaignId, resources: ResourcesDep, params: Paging
) -> Any:
    """List the versions of a campaign, newest first."""
    async with resources.store.read_long() as tx:
        page = await lists.list_versions(tx, campaign, params.cursor)
    return params.render(page, views.CampaignVersion)


@router.get(
    "/campaigns/{campaign}/versions/{version}",
    responses=problems(UnknownCampaignError, UnknownVersionError),
)
async def get_campaign_version(
    campaign: CampaignId, version: VersionNumber, resources: ResourcesDep
) -> dict[str, Any]:
    """Return the definition of a version."""
    async with resources.store.read() as tx:
        found = await versions.require_definition(tx, campaign, version)
    return cast("dict[str, Any]", json.loads(found))


@router.post(
    "/campaigns/{campaign}/versions/{version}/restore",
    responses=problems(UnknownCampaignError, UnknownVersionError, CampaignError, CampaignEditError),
)
async def restore_campaign_version(
    campaign: CampaignId,
    version: VersionNumber,
    resources: ResourcesDep,
    caller: Caller,
    dry_run: DryRun = False,
) -> AppliedCampaign:
    """Apply the definition of an earlier version as a new version, with the checks of every edit."""
    async with resources.store.read() as tx:
        found = await versions.require_definition(tx, campaign, version)
    return await _apply(resources, _validate(json.loads(found)), caller, dry_run=dry_run)


@router.get("/campaigns/{campaign}", responses=problems(UnknownCampaignError))
async def get_campaign(campaign: CampaignId, resources: ResourcesDep) -> CampaignDetails:
    """Return the campaign with the definition in force."""
    async with resources.store.read() as tx:
        return await _details(tx, campaign)


@router.delete(
    "/campaigns/{campaign}",
    status_code=204,
    responses=problems(UnknownCampaignError, CampaignInUseError),
)
async def delete_campaign(campaign: CampaignId, resources: ResourcesDep, caller: Caller) -> None:
    """Delete a campaign that was applied by mistake, with its versions. Only possible while it has no codes or other records."""
    async with resources.store.begin() as tx:
        await campaign_commands.delete(tx, campaign, caller, resources.clock())


@router.post("/campaigns/{campaign}/archive", responses=problems(UnknownCampaignError))
async def archive_campaign(
    campaign: CampaignId, resources: ResourcesDep, caller: Caller
) -> CampaignDetails:
    """End the campaign and its journeys. Its data is kept."""
    return await _set_state(resources, campaign, "archived", caller)


@router.post(
    "/campaigns/{campaign}/pause", responses=problems(UnknownCampaignError, CampaignArchivedError)
)
async def pause_campaign(
    campaign: CampaignId, resources: ResourcesDep, caller: Caller
) -> CampaignDetails:
    """Stop accepting conversions and pause waiting journeys. Running referrals continue."""
    return await _set_state(resources, campaign, "paused", caller)


@router.post(
    "/campaigns/{campaign}/activate",
    responses=problems(UnknownCampaignError, CampaignArchivedError),
)
async def activate_campaign(
    campaign: CampaignId, resources: ResourcesDep, caller: Caller
) -> CampaignDetails:
    """Accept conversions again, and resume waiting journeys."""
    return await _set_state(resources, campaign, "running", caller)


@router.get("/campaigns/{campaign}/summary", responses=problems(UnknownCampaignError))
async def get_campaign_summary(
    campaign: CampaignId, resources: ResourcesDep
) -> views.CampaignSummary:
    """Return the numbers of a campaign."""
    async with resources.store.read_long() as tx:
        return await summarise(tx, campaign, resources.clock())


@router.post(
    "/campaigns/{campaign}/check",
    openapi_extra=CHECK_BODY,
    response_model=EventResult,
    responses=problems(UnknownCampaignError),
)
async def check_conversion(
    campaign: CampaignId,
    body: Annotated[Any, Body()],
    resources: ResourcesDep,
    caller: Caller,
) -> Response:
    """Return the decision that a conversion with this `data` would get. Its order may be a cart. Changes nothing."""
    return Json(await resources.inbox.check_conversion(campaign, body, caller))


@router.post(
    "/campaigns/{campaign}/publications",
    openapi_extra=PUBLICATION_BODY,
    response_model=PublicationResult,
    responses=QUEUED | problems(UnknownCampaignError, NotPublishedError),
)
async def publish_code(
    campaign: CampaignId,
    body: Annotated[Any, Body()],
    resources: ResourcesDep,
    caller: Caller,
) -> Response:
    """Assign a code to a customer, who becomes an advocate."""
    response = await resources.inbox.publish(campaign, body, caller)
    return Json(response.body, response.status)


async def _read(request: Request) -> tuple[Campaign, str | None]:
    """Return the campaign of the body, and the text of the file if it is YAML."""
    media_type = content_type(request)
    if not is_json(media_type) and media_type not in YAML:
        raise UnsupportedMediaTypeError(media_type, "application/json or application/yaml")
    body = await request.body()
    if media_type in YAML:
        text = decode(body)
        return await asyncio.to_thread(load_campaign, text), text
    return _validate(parse_json(body)), None


async def _apply(
    resources: AppResources, definition: Campaign, caller: str, *, dry_run: bool
) -> AppliedCampaign:
    """Apply a campaign, or find out what applying it would do."""
    found = await asyncio.to_thread(list, template_errors(definition, resources.templates))
    has_secret = resources.settings.webhook_secret is not None
    if errors := [
        *found,
        *target_errors(definition, resources.providers),
        *secret_errors(definition, has_webhook_secret=has_secret),
    ]:
        raise CampaignError(errors)
    store = resources.store
    async with store.uncommitted() if dry_run else store.begin() as tx:
        applied = await campaign_commands.apply(tx, definition, caller, resources.clock())
        details = await _details(tx, definition.campaign)
    return AppliedCampaign(
        **vars(details), changes=applied.changes, effects=applied.effects, dry_run=dry_run
    )


def _validate(definition: Any) -> Campaign:
    try:
        return Campaign.model_validate(definition)
    except ValidationError as error:
        raise CampaignError(campaign_errors(error)) from error


def _invalid(field: str, message: str) -> CampaignError:
    return CampaignError([FieldError(field, message)])


async def _set_state(
    resources: AppResources, campaign_id: str, state: str, caller: str
) -> CampaignDetails:
    async with resources.store.begin() as tx:
        await campaign_commands.set_state(tx, campaign_id, state, caller, resources.clock())
        return await _details(tx, campaign_id)


async def _details(tx: Tx, campaign_id: str) -> CampaignDetails:
    found = await versions.find_in_force(tx, campaign_id)
    if found is None:
        raise UnknownCampaignError(campaign_id)
    definition = found.campaign.model_dump(mode="json")
    older = await runs.count_under_older_versions(tx, found.id, found.version)
    return CampaignDetails(found.id, found.version, found.state, definition, older)
