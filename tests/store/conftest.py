import pytest

from referrals.store import Store
from tests.harness.campaigns import EACH, campaign, milestone
from tests.harness.store_harness import StoreHarness


@pytest.fixture
async def harness(store: Store) -> StoreHarness:
    """A database with the campaign `spring`: 50 and 100 points, and 1,000 for two conversions."""
    opened = StoreHarness(store)
    rewards = campaign()["rewards"] | {"tiers": [EACH, milestone(2)]}
    await opened.apply(campaign(rewards=rewards))
    return opened
