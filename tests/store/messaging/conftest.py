import pytest

from referrals.store import Store
from tests.store.messaging.sending_harness import SendingHarness


@pytest.fixture
async def harness(store: Store) -> SendingHarness:
    return await SendingHarness(store).open()
