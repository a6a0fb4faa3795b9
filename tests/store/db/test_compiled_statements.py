"""Statements of frequent steps are compiled once, because compiling one costs several times as much as running it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine.interfaces import CacheStats

from referrals.store import Store
from tests.harness.campaigns import EACH, POINTS_50, THANKS, campaign, milestone
from tests.harness.store_harness import StoreHarness

TIERS = [EACH, milestone(2)]


@contextmanager
def compiled(store: Store) -> Iterator[list[str]]:
    """The statements that are compiled in the block."""
    found: list[str] = []

    def note(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: Any) -> None:
        if context.compiled and context.cache_hit != CacheStats.CACHE_HIT:
            found.append(statement)

    event.listen(store.decisions, "after_cursor_execute", note)
    yield found
    event.remove(store.decisions, "after_cursor_execute", note)


async def test_a_lifecycle_compiles_no_statement_again(store: Store):
    harness = StoreHarness(store)
    await harness.apply(
        campaign(rewards={"friend": POINTS_50, "tiers": TIERS}, journeys=THANKS, code={"uses": 9})
    )

    async def live(advocate: str, *numbers: int) -> None:
        code = await harness.publish("spring", advocate)
        for number in numbers:
            friend = f"{advocate}-{number}"
            person = {
                "id": friend,
                "email": f"{friend}@example.com",
                "phone": f"+4915123456{number}",
            }
            await harness.event("referral_signed_up", {"code": code, "friend": person})
            referral = (await harness.convert(code, friend))["referral"]
        await harness.roll_back(referral)

    await live("ada", 789, 790)
    with compiled(store) as statements:
        await live("eve", 791, 792)

    assert statements == []
