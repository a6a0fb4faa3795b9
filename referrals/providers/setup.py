"""Create the providers that are configured in the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from referrals.clock import Clock, utc_now
from referrals.http_client import open_client
from referrals.providers import Provider
from referrals.providers.http_endpoint import HttpProvider
from referrals.providers.talon_one import TalonOne
from referrals.providers.voucherify import Voucherify
from referrals.settings import Settings


@asynccontextmanager
async def open_providers(
    settings: Settings, clock: Clock = utc_now
) -> AsyncIterator[dict[str, Provider]]:
    """Open the configured providers, by the names that campaigns use.

    Raises:
        ValueError: a setting is malformed.
    """
    providers: dict[str, Provider] = {}
    async with open_client() as client:
        if settings.voucherify_app_id and settings.voucherify_app_token:
            providers["voucherify"] = Voucherify(
                client,
                settings.voucherify_url,
                settings.voucherify_app_id,
                settings.voucherify_app_token,
            )
        if settings.talon_one_url and settings.talon_one_api_key:
            providers["talon_one"] = TalonOne(
                client,
                settings.talon_one_url,
                settings.talon_one_api_key,
                settings.talon_one_management_key,
            )
        if settings.http_rewards_url and settings.http_rewards_secret:
            providers["http"] = HttpProvider(
                client, settings.http_rewards_url, settings.http_rewards_secret, clock
            )
        yield providers
