"""The HTTP API."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline

from entrypoints.api import (
    campaigns,
    consents,
    coupons,
    customers,
    events,
    health,
    openapi,
    problems,
    qr_codes,
    referral_links,
    referrals,
    reward_batches,
    unsubscribe,
    webhooks,
    whatsapp_callbacks,
)
from entrypoints.api.request_bodies import BodyLimit
from entrypoints.api.resources import AppResources, open_app_resources
from referrals.process import freeze_gc, start_logging
from referrals.settings import Settings
from referrals.version import VERSION

GRACE = 4
"""Seconds for requests in flight when the process is asked to stop."""


def create_app(resources: AppResources) -> FastAPI:
    """The application on these resources, which are the caller's to open and close."""
    app = FastAPIOffline(
        title="Referrals",
        version=VERSION,
        redoc_url=None,
        redirect_slashes=False,
        responses=problems.DOCUMENTED,
    )
    app.state.resources = resources
    app.add_middleware(BodyLimit)
    problems.install(app)
    key = Depends(HTTPBearer(auto_error=False, description="An API key."))
    v1 = APIRouter(prefix="/v1", dependencies=[key])
    for module in (
        events,
        campaigns,
        coupons,
        referrals,
        reward_batches,
        qr_codes,
        consents,
        customers,
        webhooks,
    ):
        v1.include_router(module.router)
    for router in (
        v1,
        referral_links.router,
        unsubscribe.router,
        whatsapp_callbacks.router,
        health.router,
    ):
        app.include_router(router)
    openapi.describe(app)
    return app


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    start_logging(settings)
    asyncio.run(_serve(settings, host, port))


class _Server(uvicorn.Server):
    """Ends by returning, so that what stands around it is closed; uvicorn would raise the signal again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def _serve(settings: Settings, host: str, port: int) -> None:
    async with open_app_resources(settings) as resources:
        config = uvicorn.Config(
            create_app(resources),
            host=host,
            port=port,
            log_config=None,
            # Paths hold customers' ids, which may be e-mail addresses.
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
        freeze_gc()
        await _Server(config).serve()
