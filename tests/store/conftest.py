import pytest

from referrals.store import Store
from tests.harness.books import Books
from tests.harness.campaigns import EACH, campaign, milestone


@pytest.fixture
async def books(store: Store) -> Books:
    """A database with the campaign `spring`: 50 and 100 points, and 1,000 for two conversions."""
    opened = Books(store)
    rewards = campaign()["rewards"] | {"tiers": [EACH, milestone(2)]}
    await opened.apply(campaign(rewards=rewards))
    return opened
