"""Deletion of a campaign that was applied by mistake."""

import pytest

from referrals.domain.campaign import Campaign
from referrals.errors import CampaignInUseError, UnknownCampaignError
from referrals.store import Store, schema
from referrals.store.flow import campaign_commands
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness


async def delete(harness: StoreHarness, name: str) -> None:
    async with harness.store.begin() as tx:
        await campaign_commands.delete(tx, name, "marketer", harness.now())


async def test_a_mistaken_campaign_is_deleted_with_its_versions_and_nothing_else(store: Store):
    harness = StoreHarness(store)
    await harness.apply(campaign())
    async with store.begin() as tx:
        for url in ("https://a.example", "https://b.example"):
            definition = Campaign.model_validate(campaign("mistake", landing_url=url))
            await campaign_commands.apply(tx, definition, "marketer", harness.now())
    await delete(harness, "mistake")
    assert [row.type for row in await harness.all(schema.activity)] == [
        "campaign_applied",
        "campaign_applied",
        "campaign_deleted",
    ]

    assert [row.id for row in await harness.all(schema.campaigns)] == ["spring"]
    assert [row.campaign_id for row in await harness.all(schema.campaign_versions)] == ["spring"]
    with pytest.raises(UnknownCampaignError):
        await delete(harness, "mistake")


async def test_a_campaign_with_a_code_is_not_deleted(store: Store):
    harness = StoreHarness(store)
    await harness.apply(campaign())
    code = await harness.publish("spring", "ada")
    with pytest.raises(CampaignInUseError, match="Archive it instead"):
        await delete(harness, "spring")

    assert (await harness.convert(code, "fay"))["decision"] == "accepted"
