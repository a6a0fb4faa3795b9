"""Each way that a provider can book, with its vendor running: the fixture `case`."""

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
from tests.providers.delivering import grants
from tests.providers.fake_endpoint import SECRET, FakeEndpoint
from tests.providers.fake_talon_one import MANAGEMENT_TOKEN, FakeTalonOne
from tests.providers.fake_voucherify import APP_ID, FakeVoucherify
from tests.providers.vendors import TOKEN, Vendor, serve


def voucherify(client: httpx.AsyncClient, vendor: Vendor) -> Voucherify:
    return Voucherify(client, vendor.url, APP_ID, SecretStr(TOKEN))


def talon_one(client: httpx.AsyncClient, vendor: Vendor) -> TalonOne:
    return TalonOne(client, vendor.url, SecretStr(TOKEN), SecretStr(MANAGEMENT_TOKEN))


def endpoint(client: httpx.AsyncClient, vendor: Vendor) -> HttpProvider:
    return HttpProvider(client, f"{vendor.url}/rewards", SecretStr(SECRET))


class Way(NamedTuple):
    vendor: type[Vendor]
    provider: Callable[[httpx.AsyncClient, Vendor], Provider]
    target: dict
    currency: str | None = None

    def grants(self, count: int) -> list[Grant]:
        kind = "gift_credit" if self.currency else "points"
        return grants(count, self.target, type=kind, currency=self.currency)


LOYALTY = {"loyalty": {"program": fake_talon_one.PROGRAM, "subledger": "referrals"}}
WAYS = {
    "voucherify_points_v2": Way(FakeVoucherify, voucherify, {"program": fake_voucherify.PROGRAM}),
    "voucherify_points_v1": Way(FakeVoucherify, voucherify, {"loyalty_campaign": "Club"}),
    "voucherify_gift_credit": Way(FakeVoucherify, voucherify, {"gift_campaign": "Gifts"}, "EUR"),
    "talon_one_event": Way(FakeTalonOne, talon_one, {"event": fake_talon_one.EVENT}, "EUR"),
    "talon_one_loyalty": Way(FakeTalonOne, talon_one, LOYALTY),
    "http": Way(FakeEndpoint, endpoint, {"account": "main"}, "EUR"),
}


class Case(NamedTuple):
    way: Way
    vendor: Vendor
    provider: Provider
    hasty: Provider
    """The same, but it gives up soon."""

    @property
    def grant(self) -> Grant:
        return self.way.grants(1)[0]


@pytest.fixture(scope="session")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client() as opened:
        yield opened


@pytest.fixture(scope="session")
async def hasty() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(connect=1, read=0.2) as opened:
        yield opened


@pytest.fixture
async def start() -> AsyncIterator[Callable[[Vendor], Awaitable[Vendor]]]:
    """Start a vendor: `await start(FakeTalonOne())`."""
    stops = []

    async def started(vendor: Vendor) -> Vendor:
        stops.append(await serve(vendor))
        return vendor

    yield started
    for stop in stops:
        await stop()


@pytest.fixture(params=WAYS)
async def case(request, client, hasty, start) -> Case:
    """Every correct request is answered; whatever the documents do not have is noted by the vendor."""
    way = WAYS[request.param]
    vendor = await start(way.vendor(seed=1))
    return Case(way, vendor, way.provider(client, vendor), way.provider(hasty, vendor))
