"""Every kind of provider with its fake vendor running: the fixture `case`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

import httpx
import pytest
from pydantic import SecretStr

from referrals.http_client import open_client
from referrals.providers import Grant, Provider
from referrals.providers.http_endpoint import HttpProvider
from referrals.providers.talon_one import TalonOne
from referrals.providers.voucherify import Voucherify
from tests.providers import fake_talon_one, fake_voucherify
from tests.providers.booking import sample_grants
from tests.providers.fake_endpoint import SECRET, FakeEndpoint
from tests.providers.fake_talon_one import MANAGEMENT_TOKEN, FakeTalonOne
from tests.providers.fake_vendor import TOKEN, FakeVendor, open_impatient_client, serve
from tests.providers.fake_voucherify import APP_ID, FakeVoucherify


def voucherify(client: httpx.AsyncClient, vendor: FakeVendor) -> Voucherify:
    return Voucherify(client, vendor.url, APP_ID, SecretStr(TOKEN))


def talon_one(client: httpx.AsyncClient, vendor: FakeVendor) -> TalonOne:
    return TalonOne(client, vendor.url, SecretStr(TOKEN), SecretStr(MANAGEMENT_TOKEN))


def endpoint(client: httpx.AsyncClient, vendor: FakeVendor) -> HttpProvider:
    return HttpProvider(client, f"{vendor.url}/rewards", SecretStr(SECRET))


class ProviderKind(NamedTuple):
    """A provider and one of the targets on which it can book."""

    vendor: type[FakeVendor]
    provider: Callable[[httpx.AsyncClient, FakeVendor], Provider]
    target: dict
    currency: str | None = None

    def grants(self, count: int) -> list[Grant]:
        kind = "gift_credit" if self.currency else "points"
        return sample_grants(count, self.target, type=kind, currency=self.currency)


LOYALTY = {"loyalty": {"program": fake_talon_one.PROGRAM, "subledger": "referrals"}}
PROVIDER_KINDS = {
    "voucherify_points_v2": ProviderKind(
        FakeVoucherify, voucherify, {"program": fake_voucherify.PROGRAM}
    ),
    "voucherify_points_v1": ProviderKind(FakeVoucherify, voucherify, {"loyalty_campaign": "Club"}),
    "voucherify_gift_credit": ProviderKind(
        FakeVoucherify, voucherify, {"gift_campaign": "Gifts"}, "EUR"
    ),
    "talon_one_event": ProviderKind(
        FakeTalonOne, talon_one, {"event": fake_talon_one.EVENT}, "EUR"
    ),
    "talon_one_loyalty": ProviderKind(FakeTalonOne, talon_one, LOYALTY),
    "http": ProviderKind(FakeEndpoint, endpoint, {"account": "main"}, "EUR"),
}


class Case(NamedTuple):
    """A kind of provider, its vendor, and two clients of it; `impatient` waits only briefly for lost responses."""

    kind: ProviderKind
    vendor: FakeVendor
    provider: Provider
    impatient: Provider

    @property
    def grant(self) -> Grant:
        return self.kind.grants(1)[0]


@pytest.fixture(scope="session")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client() as opened:
        yield opened


@pytest.fixture
async def start() -> AsyncIterator[Callable[[FakeVendor], Awaitable[FakeVendor]]]:
    """Start a vendor: `await start(FakeTalonOne())`."""
    stops = []

    async def started(vendor: FakeVendor) -> FakeVendor:
        stops.append(await serve(vendor))
        return vendor

    yield started
    for stop in stops:
        await stop()


@pytest.fixture(params=PROVIDER_KINDS)
async def case(request, client, start) -> AsyncIterator[Case]:
    """Start the vendor, which records requests that its documentation does not allow."""
    kind = PROVIDER_KINDS[request.param]
    vendor = await start(kind.vendor(seed=1))
    async with open_impatient_client(vendor) as impatient:
        yield Case(kind, vendor, kind.provider(client, vendor), kind.provider(impatient, vendor))
