"""Rewards in somebody else's ledger: never lost, never paid twice, and nothing else waits for them."""

from datetime import timedelta

import pytest

from referrals.providers import Ambiguous, Grant, Permanent, Receipt, Retryable
from referrals.store import schema
from tests.engine.campaigns import THANKS, campaign
from tests.engine.world import World, open_world

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ELSEWHERE = {"provider": "http", "target": {}}


class Vendor:
    """A provider with a ledger; `faults` are raised one after another, before or after it books."""

    name = "http"
    visible_after = timedelta(0)

    def __init__(self) -> None:
        self.books: dict[str, int] = {}
        self.faults: list[tuple[str, Exception]] = []
        self.down: Exception | None = None
        self.calls = 0

    async def look_up(self, grant: Grant, *, reversal: bool = False) -> Receipt | None:
        if self.down:
            raise self.down
        return Receipt("ref") if grant.booking(reversal=reversal) in self.books else None

    async def grant(self, grant: Grant) -> Receipt:
        return self._book(grant, reversal=False)

    async def roll_back(self, grant: Grant, reference: str | None) -> Receipt:
        return self._book(grant, reversal=True)

    def _book(self, grant: Grant, *, reversal: bool) -> Receipt:
        self.calls += 1
        if self.down:
            raise self.down
        when, fault = self.faults.pop(0) if self.faults else ("", None)
        if fault and when == "before":
            raise fault
        key = grant.booking(reversal=reversal)
        assert key not in self.books, "paid twice"
        self.books[key] = grant.signed(reversal=reversal)
        if fault:
            raise fault
        return Receipt("ref")

    def check_target(self, target, type) -> None: ...

    def describe(self) -> str:
        return "a vendor of the tests"


@pytest.fixture
async def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
async def world(database_url: str, vendor: Vendor):
    async with open_world(database_url, providers={"http": vendor}) as opened:
        await opened.apply(
            campaign(
                journeys=THANKS,
                rewards=campaign()["rewards"] | ELSEWHERE,
            )
        )
        yield opened


async def states(world: World) -> list[str]:
    return sorted(row.state for row in await world.all(schema.rewards))


async def test_rewards_are_granted_by_their_provider(world: World, vendor: Vendor):
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until_state(answer["referral"], "rewarded")

    assert sorted(vendor.books.values()) == [50, 100]
    assert await states(world) == ["granted", "granted"]


async def test_an_answer_that_was_lost_after_booking_pays_once(world: World, vendor: Vendor):
    vendor.faults = [("after", Ambiguous("lost")), ("before", Retryable("busy"))]
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.sleep(hours=1)
    await world.until_state(answer["referral"], "rewarded")

    assert sorted(vendor.books.values()) == [50, 100]


async def test_a_provider_that_is_down_for_six_hours_loses_nothing(world: World, vendor: Vendor):
    vendor.down = Retryable("down")
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.sleep(hours=6)
    assert "failed" not in await states(world)
    assert [state for *_, state in await world.messages()] == ["sent", "sent"]
    vendor.down = None
    await world.sleep(hours=1)
    await world.until_state(answer["referral"], "rewarded")

    assert sorted(vendor.books.values()) == [50, 100]
