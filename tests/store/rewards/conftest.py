"""Deliveries of provider rewards on the database alone, in skipped time."""

from datetime import timedelta

import pytest

from activities import provider_calls
from referrals.store import Store
from tests.harness.campaigns import POINTS_50, campaign
from tests.harness.deliveries import Deliveries
from tests.harness.fake_provider import FakeProvider
from tests.harness.store_harness import StoreHarness


@pytest.fixture
def without_waits(monkeypatch):
    monkeypatch.setattr(provider_calls, "MAX_TURN_WAIT", timedelta(0))


@pytest.fixture
async def harness(store: Store) -> StoreHarness:
    opened = StoreHarness(store)
    rewards = {"friend": POINTS_50, "provider": "http", "target": {}}
    await opened.apply(campaign(rewards=rewards))
    return opened


@pytest.fixture
def vendor() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def deliveries(without_waits, harness: StoreHarness, vendor: FakeProvider) -> Deliveries:
    return Deliveries(harness, vendor)
