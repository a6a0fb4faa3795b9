"""Rewards after a restore of the database, at a provider whose books are newer."""

import pytest

from referrals.store import Store
from tests.harness.campaigns import POINTS_50, campaign
from tests.harness.deliveries import Deliveries
from tests.harness.fake_provider import FakeProvider
from tests.harness.identity import IDENTITY
from tests.harness.store_harness import StoreHarness

KEY = f"spring/{IDENTITY.reward_subject('friend 0')}/friend"


@pytest.fixture
async def deliveries(store: Store) -> Deliveries:
    harness = StoreHarness(store)
    rewards = {"friend": POINTS_50, "provider": "http", "target": {}}
    await harness.apply(campaign(rewards=rewards))
    deliveries = Deliveries(harness, FakeProvider())
    deliveries.activities.looks_up_first = True
    return deliveries


async def test_a_reward_that_the_books_show_is_not_granted_again(deliveries: Deliveries):
    deliveries.provider.enter(f"{KEY}/1", 50)
    await deliveries.grant_one()

    assert deliveries.provider.bookings == {f"{KEY}/1": 50}


async def test_a_key_that_was_granted_and_reversed_is_followed_by_the_next(deliveries: Deliveries):
    for key, change in ((f"{KEY}/1", 50), (f"{KEY}/1:roll_back", -50)):
        deliveries.provider.enter(key, change)
    await deliveries.grant_one()

    assert deliveries.provider.bookings[f"{KEY}/2"] == 50
    assert (await deliveries.reward()).key == f"{KEY}/2"


async def test_a_reward_that_the_books_do_not_show_is_granted(deliveries: Deliveries):
    await deliveries.grant_one()

    assert deliveries.provider.bookings == {f"{KEY}/1": 50}


async def test_a_request_that_was_rejected_before_is_sent_anew(deliveries: Deliveries):
    deliveries.provider.rejected = {f"{KEY}/1"}
    await deliveries.grant_one()

    assert deliveries.provider.bookings == {f"{KEY}/1": 50}
