"""The HTTP API."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache

import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from starlette.types import Receive, Scope, Send

from entrypoints.api import (
    activity,
    advocates,
    campaigns,
    codes,
    consents,
    coupons,
    customers,
    deliveries,
    document,
    events,
    health,
    installation,
    message_callbacks,
    messages,
    problems,
    qr_codes,
    referral_links,
    referrals,
    refusals,
    reward_batches,
    rewards,
    suppressions,
    tracked_events,
    unknown_orders,
    unsubscribe,
    webhooks,
    whatsapp_callbacks,
    workflow_starts,
)
from entrypoints.api.request_bodies import BodyLimit
from entrypoints.api.request_log import RequestLog
from entrypoints.api.resources import AppResources, open_app_resources
from entrypoints.api.routing import EncodedSlashes
from referrals.logging import start_logging
from referrals.process import freeze_gc
from referrals.settings import Settings
from referrals.version import VERSION

AUTHENTICATED = (
    events,
    unknown_orders,
    refusals,
    campaigns,
    coupons,
    codes,
    advocates,
    referrals,
    rewards,
    messages,
    activity,
    reward_batches,
    qr_codes,
    consents,
    suppressions,
    tracked_events,
    customers,
    webhooks,
    deliveries,
    workflow_starts,
    installation,
)
"""Modules whose routes need a key, in the order of the OpenAPI document."""
UNAUTHENTICATED = (
    referral_links,
    unsubscribe,
    whatsapp_callbacks,
    message_callbacks,
    health,
)
SHUTDOWN_TIMEOUT = timedelta(seconds=4)
"""Time for requests in flight when the process is asked to stop."""


class Application:
    """The API on these resources, which the caller opens and closes. Requests find them in their state."""

    def __init__(self, resources: AppResources) -> None:
        self.resources = resources
        self._app = create_app()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["resources"] = self.resources
        await self._app(scope, receive, send)


@cache
def create_app() -> FastAPI:
    """Create the routes once per process, because FastAPI's own caches keep every application alive."""
    app = FastAPIOffline(
        title="Referrals",
        version=VERSION,
        redoc_url=None,
        redirect_slashes=False,
        description=document.DESCRIPTION,
        generate_unique_id_function=document.operation_id,
    )
    app.add_middleware(EncodedSlashes)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestLog)
    problems.install(app)
    for router in (_create_v1(), *(module.router for module in UNAUTHENTICATED)):
        app.include_router(router)
    document.install(app)
    return app


def _create_v1() -> APIRouter:
    key = Depends(HTTPBearer(auto_error=False, description="An API key."))
    v1 = APIRouter(prefix="/v1", dependencies=[key])
    for module in AUTHENTICATED:
        v1.include_router(module.router)
    return v1


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    start_logging(settings)
    asyncio.run(_serve(settings, host, port))


class _Server(uvicorn.Server):
    """Server that returns after a signal, so that resources are closed; uvicorn would raise the signal again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def _serve(settings: Settings, host: str, port: int) -> None:
    async with open_app_resources(settings) as resources:
        config = uvicorn.Config(
            Application(resources),
            host=host,
            port=port,
            log_config=None,
            # Paths contain customer ids, which may be email addresses.
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(SHUTDOWN_TIMEOUT.total_seconds()),
        )
        freeze_gc()
        await _Server(config).serve()
