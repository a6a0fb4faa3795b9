"""`/v1/webhooks`: subscriptions to events, and their deliveries."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Path, Response
from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from entrypoints.api.http_errors import invalid_field
from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import problems
from entrypoints.api.resources import AppResources, Caller, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.addresses import AddressNotAllowedError
from referrals.domain.campaign_fields import raise_field_errors
from referrals.domain.cloud_events import build_cloud_event
from referrals.domain.durations import Duration
from referrals.domain.event_fields import CampaignSlug, Text
from referrals.domain.event_names import OUTBOUND
from referrals.domain.strict_model import StrictModel
from referrals.domain.webhook_urls import check_webhook_url
from referrals.errors import UnknownCampaignError, UnknownWebhookError
from referrals.store import views
from referrals.store.webhooks import delivery_lists, subscriptions
from referrals.store.webhooks.deliveries import replay, signing_secrets

router = APIRouter(route_class=AuthenticatedRoute, tags=["webhooks"])

TEST_EVENT = "webhook_test"
MAX_REPLAYED = 1_000


def _check_event_type(kind: str) -> str:
    if kind not in OUTBOUND:
        raise ValueError("must be a type of outbound event, such as referral_converted")
    return kind


WebhookId = Annotated[Text, Path(description="The webhook's id.")]
Url = Annotated[str, Field(max_length=2000), AfterValidator(check_webhook_url)]
Event = Annotated[
    str, AfterValidator(_check_event_type), Field(json_schema_extra={"enum": sorted(OUTBOUND)})
]
Events = Annotated[tuple[Event, ...], Field(min_length=1)]
DeliveryId = Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]


class WebhookCreate(StrictModel):
    """A new webhook. Without `events` it gets all types, without `campaign` the events of all campaigns."""

    url: Url
    """Endpoint: https, or http on the own machine if the settings allow it."""
    events: Events | None = None
    """Types of events to deliver; all by default."""
    campaign: CampaignSlug | None = None
    """Slug of the campaign whose events to deliver; all by default."""


class WebhookUpdate(StrictModel):
    """Changes of a webhook. Fields that are left out keep their values; null means all types or campaigns.

    An enabled webhook resumes where it stopped or, with `from_now`, skips the events that it missed.
    """

    url: Url | None = None
    """Endpoint."""
    events: Events | None = None
    """Types of events to deliver; null for all."""
    campaign: CampaignSlug | None = None
    """Slug of the campaign; null for all."""
    enabled: bool | None = None
    """False stops deliveries, true resumes them."""
    from_now: bool = False
    """Skip the events that were missed."""


class SecretRotation(StrictModel):
    """Body of a rotation. Deliveries are also signed with the old secret for the duration `keep_old`."""

    keep_old: Duration = timedelta(days=1)
    """Duration for which deliveries are signed with the old secret too, such as `P1D`."""


class ReplayRequest(StrictModel):
    """Deliveries by id, or all events since a time, of these types."""

    deliveries: Annotated[tuple[DeliveryId, ...], Field(max_length=MAX_REPLAYED)] | None = None
    """Ids of deliveries."""
    since: AwareDatetime | None = None
    """Time from which all events are delivered again."""
    events: Events | None = None
    """Types of events, with `since`."""

    @model_validator(mode="after")
    def _is_by_id_or_time(self) -> "ReplayRequest":
        mistakes = []
        if self.deliveries is None and self.since is None:
            mistakes.append((("deliveries",), "is required without since"))
        if self.deliveries is not None and self.since is not None:
            mistakes.append((("since",), "must be left out with deliveries"))
        if self.deliveries is not None and self.events is not None:
            mistakes.append((("events",), "must be left out with deliveries"))
        raise_field_errors(mistakes)
        return self


class ReplayResult(StrictModel):
    """Result of a replay."""

    replayed: int
    """Number of deliveries."""


class WebhookTestResult(StrictModel):
    """Response of the endpoint to a test event: its status, or the error if there was no response."""

    webhook: str
    """Id of the webhook."""
    accepted: bool
    """True if the endpoint answered with 2xx."""
    status: int | None
    """HTTP status of the response; null if there was none."""
    error: str | None
    """Error, if the event was not accepted."""


@router.get("/webhooks", response_model=views.Page[subscriptions.Webhook], responses=AS_CSV)
async def list_webhooks(resources: ResourcesDep, params: Paging) -> Any:
    """List the webhooks, newest first."""
    async with resources.store.read_long() as tx:
        page = await subscriptions.list_webhooks(tx, params.cursor)
    return params.render(page, subscriptions.Webhook)


@router.post("/webhooks", status_code=201, responses=problems(UnknownCampaignError))
async def create_webhook(
    body: WebhookCreate, resources: ResourcesDep, caller: Caller
) -> subscriptions.WebhookSecret:
    """Create a webhook. Its secret is shown only in this response."""
    await _check(resources, body.url)
    async with resources.store.begin() as tx:
        return await subscriptions.create(
            tx, body.url, body.events, body.campaign, caller, resources.clock()
        )


@router.get("/webhooks/{webhook}", responses=problems(UnknownWebhookError))
async def get_webhook(webhook: WebhookId, resources: ResourcesDep) -> subscriptions.Webhook:
    """Return a webhook without its secret."""
    async with resources.store.read() as tx:
        return await subscriptions.get(tx, webhook)


@router.patch("/webhooks/{webhook}", responses=problems(UnknownWebhookError, UnknownCampaignError))
async def update_webhook(
    webhook: WebhookId, body: WebhookUpdate, resources: ResourcesDep, caller: Caller
) -> subscriptions.Webhook:
    """Change, enable or disable a webhook."""
    values = body.model_dump(include=body.model_fields_set - {"from_now"})
    values = {key: value for key, value in values.items() if value is not None or key in _NULLABLE}
    if "url" in values:
        await _check(resources, values["url"])
    if "campaign" in values:
        values["campaign_id"] = values.pop("campaign")
    async with resources.store.begin() as tx:
        return await subscriptions.change(
            tx, webhook, values, caller, resources.clock(), from_now=body.from_now
        )


_NULLABLE = ("events", "campaign")
"""Fields for which null is a value."""


@router.delete("/webhooks/{webhook}", status_code=204, responses=problems(UnknownWebhookError))
async def delete_webhook(webhook: WebhookId, resources: ResourcesDep) -> Response:
    """Delete a webhook and its pending deliveries."""
    async with resources.store.begin() as tx:
        await subscriptions.delete(tx, webhook)
    return Response(status_code=204)


@router.post("/webhooks/{webhook}/rotate", responses=problems(UnknownWebhookError))
async def rotate_webhook_secret(
    webhook: WebhookId, resources: ResourcesDep, body: SecretRotation | None = None
) -> subscriptions.WebhookSecret:
    """Create a new secret, shown only in this response. The old one stays valid for a day, or for `keep_old`."""
    keep = (body or SecretRotation()).keep_old
    async with resources.store.begin() as tx:
        return await subscriptions.rotate(tx, webhook, keep, resources.clock())


@router.post("/webhooks/{webhook}/test", responses=problems(UnknownWebhookError))
async def send_webhook_test(webhook: WebhookId, resources: ResourcesDep) -> WebhookTestResult:
    """Send one event of type `webhook_test` now, even if the webhook is disabled."""
    now = resources.clock()
    async with resources.store.begin() as tx:
        row = await subscriptions.require(tx, webhook)
    message = f"test_{uuid4().hex}"
    data = {"webhook": webhook}
    event = build_cloud_event(message, resources.settings.public_url, TEST_EVENT, now, None, data)
    response = await resources.webhook_poster.post(
        row.url, message, views.with_zulu_times(event), signing_secrets(row, now)
    )
    return WebhookTestResult(
        webhook=webhook, accepted=response.accepted, status=response.status, error=response.error
    )


@router.post("/webhooks/{webhook}/replay", responses=problems(UnknownWebhookError))
async def replay_webhook_deliveries(
    webhook: WebhookId, body: ReplayRequest, resources: ResourcesDep
) -> ReplayResult:
    """Deliver events again under the same `webhook-id`. Deliveries that are still pending are not duplicated."""
    numbers = None if body.deliveries is None else list(map(int, body.deliveries))
    async with resources.store.begin() as tx:
        row = await subscriptions.require(tx, webhook)
        count = await replay(
            tx, row, resources.clock(), since=body.since, events=body.events, deliveries=numbers
        )
    return ReplayResult(replayed=count)


@router.get(
    "/webhooks/{webhook}/deliveries",
    response_model=views.Page[delivery_lists.WebhookDelivery],
    responses=AS_CSV | problems(UnknownWebhookError),
)
async def list_webhook_deliveries(
    webhook: WebhookId,
    resources: ResourcesDep,
    params: Paging,
    state: delivery_lists.DeliveryState | None = None,
) -> Any:
    """List the deliveries of a webhook, newest first."""
    async with resources.store.read_long() as tx:
        page = await delivery_lists.list_deliveries(tx, params.cursor, webhook=webhook, state=state)
    return params.render(page, delivery_lists.WebhookDelivery)


async def _check(resources: AppResources, url: str) -> None:
    try:
        await resources.webhook_poster.check(url)
    except AddressNotAllowedError as error:
        raise invalid_field("url", str(error)) from error
