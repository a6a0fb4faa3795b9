"""The version in force, read under the campaign's lock while another transaction edits the campaign."""

import asyncio

import pytest

from referrals.domain.campaign import Campaign
from referrals.store import Store
from referrals.store.campaigns import applying, versions
from referrals.store.campaigns.versions import CampaignInForce
from tests.harness.campaigns import campaign
from tests.harness.store_harness import START, StoreHarness


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_lock_that_waited_for_an_edit_returns_the_new_version(store: Store):
    await StoreHarness(store).apply(campaign())
    edited = Campaign.model_validate(campaign(conversion={"hold": "P14D"}))

    async def lock() -> CampaignInForce | None:
        async with store.begin() as tx:
            return await versions.find_in_force(tx, "spring", lock=True)

    async with store.begin() as tx:
        await applying.apply(tx, edited, "marketer", START)
        waiting = asyncio.create_task(lock())
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
    found = await waiting

    assert found is not None
    assert (found.version, found.campaign) == (2, edited)
