"""The `time` of an event, which decides windows and holds within bounds."""

from datetime import timedelta

import pytest

from referrals.store import schema
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness

DAY = timedelta(days=1)
LONG_AGO = ["2000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59-12:00"]


@pytest.mark.parametrize("time", LONG_AGO)
async def test_a_time_long_ago_ends_no_hold(harness: StoreHarness, time: str):
    await harness.apply(campaign(conversion={"hold": "P14D"}))
    code = await harness.publish("spring", "ada")
    harness.time += 10 * DAY

    answer = await harness.convert(code, "fay", time=time)

    (referral,) = await harness.all(schema.referrals)
    assert referral.due_at == harness.time + 7 * DAY
    assert answer["decision"] == "held"
    assert [warning["field"] for warning in answer["warnings"]] == ["time"]


async def test_a_time_long_ago_makes_no_new_customer(harness: StoreHarness):
    await harness.apply(campaign(conversion={"new_customers_only": True}))
    code = await harness.publish("spring", "ada")
    harness.time += 20 * DAY
    await harness.publish("spring", "fay")  # makes a customer of the friend
    harness.time += 8 * DAY

    answer = await harness.convert(code, "fay", time=LONG_AGO[0])

    assert answer["reason"]["code"] == "existing_customer"


@pytest.mark.parametrize(
    ("time", "warned"),
    [
        ("2026-03-04T10:04:00Z", []),
        ("2026-03-05T10:00:00Z", ["time"]),
        ("9999-12-31T23:59:59-14:00", ["time"]),
    ],
)
async def test_a_time_in_the_future_counts_as_the_receipt(
    harness: StoreHarness, time: str, warned: list[str]
):
    code = await harness.publish("spring", "ada")

    answer = await harness.convert(code, "fay", time=time)

    (referral,) = await harness.all(schema.referrals)
    assert referral.converted_at == harness.time
    assert [warning["field"] for warning in answer["warnings"]] == warned


async def test_a_time_within_the_bounds_counts(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    harness.time += 7 * DAY

    answer = await harness.convert(code, "fay", time="2026-03-05T12:00:00+02:00")

    (referral,) = await harness.all(schema.referrals)
    assert referral.converted_at == harness.time - 6 * DAY
    assert answer["warnings"] == []
