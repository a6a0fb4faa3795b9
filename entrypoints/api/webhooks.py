"""`/v1/webhooks`: where events go out to, and what became of them."""

from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Path, Response
from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from entrypoints.api.http_errors import invalid_field
from entrypoints.api.paging import AS_CSV, List
from entrypoints.api.request_bodies import Route
from entrypoints.api.resources import AppResources, Caller, Engine
from referrals.domain.cloud_events import build_cloud_event
from referrals.domain.durations import Duration
from referrals.domain.event_fields import CampaignSlug, Text
from referrals.domain.event_names import OUTBOUND
from referrals.domain.strict_model import StrictModel
from referrals.domain.webhook_urls import check_webhook_url
from referrals.store import views
from referrals.store.webhooks import subscriptions
from referrals.store.webhooks.deliveries import replay, signing_secrets
from referrals.webhooks.addresses import AddressNotAllowedError

router = APIRouter(route_class=Route, tags=["webhooks"])

TEST = "webhook_test"
MOST_AT_ONCE = 1_000


def _subscribable(kind: str) -> str:
    if kind not in OUTBOUND:
        raise ValueError("is no type of event that goes out, such as referral_converted")
    return kind


WebhookId = Annotated[Text, Path(description="The webhook's id.")]
Url = Annotated[str, Field(max_length=2000), AfterValidator(check_webhook_url)]
Event = Annotated[
    str, AfterValidator(_subscribable), Field(json_schema_extra={"enum": sorted(OUTBOUND)})
]
Events = Annotated[tuple[Event, ...], Field(min_length=1)]
DeliveryId = Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]


class NewWebhook(StrictModel):
    """Without `events` it gets all types, without `campaign` those of every campaign."""

    url: Url
    events: Events | None = None
    campaign: CampaignSlug | None = None


class WebhookChange(StrictModel):
    """What is left out stays; null is all types, every campaign.

    Enabled again, a webhook goes on where it stopped, or with `from_now` without what it has missed.
    """

    url: Url | None = None
    events: Events | None = None
    campaign: CampaignSlug | None = None
    enabled: bool | None = None
    from_now: bool = False


class Rotation(StrictModel):
    """How long deliveries are signed by the old secret too."""

    keep_old: Duration = timedelta(days=1)


class Again(StrictModel):
    """Deliveries by their ids; or all that happened since a time, of these types."""

    deliveries: Annotated[tuple[DeliveryId, ...], Field(max_length=MOST_AT_ONCE)] | None = None
    since: AwareDatetime | None = None
    events: Events | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Again":
        if (self.deliveries is None) == (self.since is None):
            raise ValueError("must name deliveries, or say since when")
        if self.deliveries is not None and self.events is not None:
            raise ValueError("must name deliveries or events, not both")
        return self


class Replayed(StrictModel):
    replayed: int


class Tested(StrictModel):
    """What the endpoint made of a test event: its status, or why there is none."""

    webhook: str
    accepted: bool
    status: int | None
    error: str | None


@router.get("/webhooks", response_model=views.Page[subscriptions.Webhook], responses=AS_CSV)
async def list_webhooks(engine: Engine, asked: List) -> Any:
    async with engine.store.scan() as tx:
        page = await subscriptions.list_webhooks(tx, asked.cursor)
    return asked.answer(page, subscriptions.Webhook)


@router.post("/webhooks", status_code=201)
async def create_webhook(
    body: NewWebhook, engine: Engine, caller: Caller
) -> subscriptions.WebhookSecret:
    """The secret is told this once."""
    await _check(engine, body.url)
    async with engine.store.begin() as tx:
        return await subscriptions.create(
            tx, body.url, body.events, body.campaign, caller, engine.clock()
        )


@router.get("/webhooks/{webhook}")
async def get_webhook(webhook: WebhookId, engine: Engine) -> subscriptions.Webhook:
    async with engine.store.read() as tx:
        return await subscriptions.get(tx, webhook)


@router.patch("/webhooks/{webhook}")
async def change_webhook(
    webhook: WebhookId, body: WebhookChange, engine: Engine, caller: Caller
) -> subscriptions.Webhook:
    values = body.model_dump(include=body.model_fields_set - {"from_now"})
    values = {key: value for key, value in values.items() if value is not None or key in _CLEARED}
    if "url" in values:
        await _check(engine, values["url"])
    if "campaign" in values:
        values["campaign_id"] = values.pop("campaign")
    async with engine.store.begin() as tx:
        return await subscriptions.change(
            tx, webhook, values, caller, engine.clock(), from_now=body.from_now
        )


_CLEARED = ("events", "campaign")
"""What null says something of."""


@router.delete("/webhooks/{webhook}", status_code=204)
async def delete_webhook(webhook: WebhookId, engine: Engine) -> Response:
    """With all that was still to be delivered to it."""
    async with engine.store.begin() as tx:
        await subscriptions.delete(tx, webhook)
    return Response(status_code=204)


@router.post("/webhooks/{webhook}/rotate")
async def rotate_secret(
    webhook: WebhookId, engine: Engine, body: Rotation | None = None
) -> subscriptions.WebhookSecret:
    """A new secret, told this once; the old one is good for a day more, or as long as you say."""
    keep = (body or Rotation()).keep_old
    async with engine.store.begin() as tx:
        return await subscriptions.rotate(tx, webhook, keep, engine.clock())


@router.post("/webhooks/{webhook}/test")
async def send_test(webhook: WebhookId, engine: Engine) -> Tested:
    """Send an event of the type `webhook_test` now, once, whether the webhook is enabled or not."""
    now = engine.clock()
    async with engine.store.begin() as tx:
        row = await subscriptions.require(tx, webhook)
    message = f"test_{uuid4().hex}"
    told = {"webhook": webhook}
    event = build_cloud_event(message, engine.settings.public_url, TEST, now, None, told)
    answer = await engine.webhook_poster.post(
        row.url, message, views.with_zulu_times(event), signing_secrets(row, now)
    )
    return Tested(
        webhook=webhook, accepted=answer.accepted, status=answer.status, error=answer.error
    )


@router.post("/webhooks/{webhook}/replay")
async def replay_deliveries(webhook: WebhookId, body: Again, engine: Engine) -> Replayed:
    """Send again, under the same `webhook-id`; what waits already is not sent twice for it."""
    numbers = None if body.deliveries is None else list(map(int, body.deliveries))
    async with engine.store.begin() as tx:
        row = await subscriptions.require(tx, webhook)
        count = await replay(
            tx, row, engine.clock(), since=body.since, events=body.events, deliveries=numbers
        )
    return Replayed(replayed=count)


@router.get(
    "/webhooks/{webhook}/deliveries",
    response_model=views.Page[subscriptions.Delivery],
    responses=AS_CSV,
)
async def list_deliveries(
    webhook: WebhookId,
    engine: Engine,
    asked: List,
    state: Literal["pending", "delivered", "failed"] | None = None,
) -> Any:
    async with engine.store.scan() as tx:
        page = await subscriptions.list_deliveries(tx, webhook, asked.cursor, state=state)
    return asked.answer(page, subscriptions.Delivery)


async def _check(engine: AppResources, url: str) -> None:
    try:
        await engine.webhook_poster.check(url)
    except AddressNotAllowedError as error:
        raise invalid_field("url", str(error)) from error
