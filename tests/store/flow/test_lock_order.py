"""The campaign's row is shared by all of its conversions, so a conversion locks it as late as it can."""

import re
from typing import Any

import pytest
from sqlalchemy import event

from referrals.store import Store
from tests.harness.campaigns import POINTS_50, THANKS, campaign
from tests.harness.store_harness import StoreHarness

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
BONUS = {"name": "bonus", "on": "referral_converted"}
GRANT = {"grant": {"to": "friend", "reward": POINTS_50}}


async def test_a_conversion_is_counted_after_all_that_journeys_do(store: Store):
    harness = StoreHarness(store)
    await harness.apply(campaign(journeys=[*THANKS, BONUS | {"steps": [GRANT]}]))
    code = await harness.publish("spring", "ada")
    written: list[str] = []

    def note(_: Any, __: Any, statement: str, *_rest: Any) -> None:
        if found := re.match(r"(?:INSERT INTO|UPDATE) (\w+)", statement):
            written.append(found[1])

    event.listen(store.decisions, "before_cursor_execute", note)
    await harness.convert(code, "fay")

    assert {"activity", "ledger_entries", "messages", "rewards"} <= set(written)
    assert written[written.index("campaigns") :] == ["campaigns", "inbox_events"]
