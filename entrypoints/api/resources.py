"""What the API stands on, and how its routes get at it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Path, Request
from temporalio.client import Client

from inbox.receive import Inbox
from referrals.channels.templates import Templates
from referrals.clock import Clock, utc_now
from referrals.domain.event_fields import Text
from referrals.providers import Provider
from referrals.providers.setup import open_providers
from referrals.settings import Settings
from referrals.store import Store, open_store
from referrals.temporal.connection import connect


@dataclass(frozen=True)
class Resources:
    """What the API holds open while it serves."""

    settings: Settings
    store: Store
    client: Client
    inbox: Inbox
    templates: Templates
    providers: Mapping[str, Provider] = field(default_factory=dict)
    clock: Clock = utc_now


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """The database and Temporal by their settings; as long as they are open, the inbox is drained."""
    templates = Templates(settings.templates_dir)
    async with open_store(settings.database_url) as store, open_providers(settings) as providers:
        client = await connect(lazy=True)
        inbox = Inbox(store, client, settings, utc_now)
        drain = asyncio.create_task(inbox.drain_forever())
        try:
            yield Resources(settings, store, client, inbox, templates, providers)
        finally:
            drain.cancel()
            with suppress(asyncio.CancelledError):
                await drain


async def _resources(request: Request) -> Resources:
    return cast(Resources, request.app.state.resources)


async def _caller(request: Request) -> str:
    return str(request.state.caller)


Engine = Annotated[Resources, Depends(_resources)]
Caller = Annotated[str, Depends(_caller)]
"""The name of the key that the request came with."""

CampaignId = Annotated[Text, Path(description="The campaign's slug.")]
CustomerId = Annotated[Text, Path(description="The caller's own id of the customer.")]
RewardId = Annotated[Text, Path(description="The reward's id.")]
ReferralId = Annotated[Text, Path(description="The referral's id.")]
