import pytest

from referrals.store import Store
from tests.sending.office import Office


@pytest.fixture
async def office(store: Store) -> Office:
    return await Office(store).open()
