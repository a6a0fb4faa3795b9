import pytest

from referrals.store import Store
from tests.store.messaging.sending_harness import Office


@pytest.fixture
async def office(store: Store) -> Office:
    return await Office(store).open()
