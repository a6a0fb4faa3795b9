"""Resources of the API, and the dependencies by which routes get them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Self, cast

from fastapi import Depends, Path, Request
from temporalio.client import Client

from entrypoints.api.omitted_clicks import OmittedClicks
from entrypoints.api.refusal_counts import RefusalCounts
from inbox.receive import Inbox
from plugin import Resources, open_resources
from referrals.domain.event_fields import Text
from referrals.settings import Settings
from referrals.temporal.connection import connect


@dataclass(frozen=True, kw_only=True)
class AppResources(Resources):
    """All resources, with a Temporal client, the inbox, and the counter of visits that are no clicks."""

    client: Client
    inbox: Inbox
    omitted_clicks: OmittedClicks
    refusals: RefusalCounts

    @classmethod
    def of(cls, resources: Resources, client: Client, inbox: Inbox) -> Self:
        store, clock = resources.store, resources.clock
        return cls(
            **vars(resources),
            client=client,
            inbox=inbox,
            omitted_clicks=OmittedClicks(store),
            refusals=RefusalCounts(store, clock),
        )


@asynccontextmanager
async def open_app_resources(settings: Settings) -> AsyncIterator[AppResources]:
    """Open the resources. While they are open, queued events are processed and counts are written."""
    async with open_resources(settings) as resources:
        client = await connect(lazy=True)
        inbox = Inbox(resources.store, client, settings, resources.clock)
        opened = AppResources.of(resources, client, inbox)
        running = (
            inbox.drain_forever,
            opened.omitted_clicks.flush_forever,
            opened.refusals.flush_forever,
        )
        loops = [asyncio.create_task(run()) for run in running]
        try:
            yield opened
        finally:
            for loop in loops:
                loop.cancel()
            for loop in loops:
                with suppress(asyncio.CancelledError):
                    await loop


async def _resources(request: Request) -> AppResources:
    return cast(AppResources, request.state.resources)


async def _caller(request: Request) -> str:
    return str(request.state.caller)


ResourcesDep = Annotated[AppResources, Depends(_resources)]
Caller = Annotated[str, Depends(_caller)]
"""Name of the request's API key."""

CampaignId = Annotated[Text, Path(description="The campaign's slug.")]
CustomerId = Annotated[Text, Path(description="The caller's own id of the customer.")]
RewardId = Annotated[Text, Path(description="The reward's id.")]
ReferralId = Annotated[Text, Path(description="The referral's id.")]
