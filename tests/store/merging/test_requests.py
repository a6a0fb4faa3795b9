"""Which merges are asked for, and in which order (docs/merging.md, "Requests" and "Events")."""

import asyncio
from datetime import timedelta

import pytest

from referrals.domain.events import parse_event
from referrals.errors import EventIdReusedError, InvalidEventError
from referrals.store import schema
from referrals.store.customers import profiles
from referrals.store.flow import responses
from referrals.store.merging import merge
from referrals.store.referrals import conversions
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness


async def survivor_of(harness: StoreHarness, customer: str) -> str:
    async with harness.store.read() as tx:
        found = await profiles.find(tx, customer)
    assert found is not None
    return found.external_id


async def test_the_merged_id_stands_for_the_survivor_in_later_events(harness):
    code = await harness.publish("spring", "ben")
    await harness.sign_up(code, "guest")
    await harness.merge("ada", "guest")
    answer = await harness.convert(None, "ada", campaign="spring")
    again = await harness.convert(code, "guest", order="order-2")
    assert answer["decision"] == "accepted"
    assert again["reason"]["code"] == "already_referred"
    assert await harness.balance("ada") == 50
    assert await harness.publish("spring", "guest")
    assert (await harness.all(schema.advocates))[-1].customer_id == await harness.customer_id("ada")


async def test_a_repeat_gets_the_first_report(harness):
    code = await harness.publish("spring", "ben")
    await harness.convert(code, "guest")
    first = await harness.merge("ada", "guest", "Registered")
    harness.time += timedelta(days=1)
    assert await harness.merge("ada", "guest", "Once more") == first
    assert len(await harness.all(schema.customer_merges)) == 1
    assert (await harness.activity()).count("customer_merged") == 1


async def test_a_merge_is_recorded_with_who_when_and_why(harness):
    await harness.merge("ada", "guest", "Registered")
    (row,) = await harness.all(schema.customer_merges)
    (logged,) = await harness.all(schema.activity, type="customer_merged")
    assert (row.actor, row.reason, row.at) == ("shop", "Registered", harness.time)
    assert (logged.actor, logged.at, logged.data["reason"]) == ("shop", harness.time, "Registered")
    assert logged.customer_id == await harness.customer_id("ada")


async def test_the_opposite_merge_is_a_repeat(harness):
    first = await harness.merge("ada", "guest")
    assert await harness.merge("guest", "ada") == first
    assert await survivor_of(harness, "ada") == "ada"


async def test_opposite_merges_at_once_end_in_one_survivor(harness):
    for name in ("ada", "guest"):
        await harness.publish("spring", name)
    reports = await asyncio.gather(
        harness.merge("ada", "guest"), harness.merge("guest", "ada"), harness.merge("ada", "guest")
    )
    assert all(report == reports[0] for report in reports)
    (survivor,) = {await survivor_of(harness, name) for name in ("ada", "guest")}
    assert survivor == reports[0]["customer"]


async def test_a_chain_ends_in_the_last_survivor(harness):
    codes = [await harness.publish("spring", name) for name in ("one", "two", "three")]
    for code in codes:
        await harness.convert(code, f"friend-of-{code}")
    await harness.merge("two", "one")
    await harness.merge("three", "two")
    assert {await survivor_of(harness, name) for name in ("one", "two")} == {"three"}
    assert await harness.balance("three") == 300
    rows = {row.customer_id: row.merged_into for row in await harness.all(schema.advocates)}
    (survivor,) = (row for row in await harness.all(schema.advocates) if row.merged_into is None)
    assert survivor.confirmed_count == 3
    assert set(rows.values()) == {None, survivor.id}


async def test_merging_a_merged_id_again_merges_the_customer_for_whom_it_stands(harness):
    await harness.merge("ben", "guest")
    report = await harness.merge("ada", "guest")
    assert (report["customer"], report["merged"]) == ("ada", "ben")
    assert {await survivor_of(harness, name) for name in ("ben", "guest")} == {"ada"}


async def test_merging_into_a_merged_id_merges_into_its_survivor(harness):
    await harness.merge("ben", "ada")
    report = await harness.merge("ada", "guest")
    assert (report["customer"], report["merged"]) == ("ben", "guest")


async def test_an_event_merges_unknown_customers(harness):
    report = await harness.merge("ada", "guest")
    assert set(report["moved"].values()) == {0}
    code = await harness.publish("spring", "ben")
    await harness.convert(code, "guest")
    assert await harness.balance("ada") == 50


def test_a_merge_with_itself_is_no_event():
    raw = {"specversion": "1.0", "id": "1", "source": "shop", "type": "customer_merged"}
    with pytest.raises(InvalidEventError) as refused:
        parse_event(raw | {"data": {"customer": {"id": "ada"}, "from": "ada"}})
    assert [error.field for error in refused.value.errors] == ["data.from"]


async def test_a_friend_known_by_an_email_alone_is_merged_and_recognised(harness):
    code = await harness.publish("spring", "ben")
    friend = {"email": "fay@shop.example", "verified": True}
    await harness.event("referral_signed_up", {"code": code, "friend": friend})
    (referral,) = await harness.all(schema.referrals)
    await harness.receive("customer_registered", {"customer": {"id": "ada"}})
    await harness.merge("ada", referral.friend_id)
    order = {"id": "order-1", "amount": "100.00", "currency": "EUR"}
    data = {"friend": friend, "order": order, "campaign": "spring"}
    answer = await harness.event("referral_converted", data)
    assert (answer["referral"], answer["decision"]) == (referral.id, "accepted")
    assert await harness.balance("ada") == 50


async def test_an_event_id_belongs_to_one_merge(harness):
    data = {"customer": {"id": "ada"}, "from": "guest"}
    await harness.event("customer_merged", data, id="merge-1")
    with pytest.raises(EventIdReusedError):
        await harness.receive("customer_merged", data | {"from": "other"}, id="merge-1")


async def test_queued_events_of_both_become_the_survivors(harness):
    code = await harness.publish("spring", "ben")
    order = {"id": "order-1", "amount": "100.00", "currency": "EUR"}
    data = {"code": code, "friend": {"id": "guest"}, "order": order}
    queued = await harness.receive("referral_converted", data)
    await harness.merge("ada", "guest")
    await harness.decide(conversions.convert, queued.id)
    (referral,) = await harness.all(schema.referrals)
    assert referral.friend_id == await harness.customer_id("ada")
    assert await harness.balance("ada") == 50


async def test_a_processed_event_of_the_merged_id_keeps_its_answer(harness):
    code = await harness.publish("spring", "ben")
    first = await harness.convert(code, "guest", id="event-of-guest")
    await harness.merge("ada", "guest")
    row = await harness.receive(
        "referral_converted",
        {
            "code": code,
            "friend": {"id": "guest"},
            "order": {"id": "order-of-guest", "amount": "100.00", "currency": "EUR"},
        },
        id="event-of-guest",
    )
    assert row.response == first


async def test_a_preview_reports_what_the_merge_does_and_changes_nothing(harness):
    await harness.apply(campaign(conversion={"hold": "P14D"}))
    codes = [await harness.publish("spring", name) for name in ("ben", "eve")]
    await harness.convert(codes[0], "ada")
    await harness.convert(codes[1], "guest")
    before = await rows_by_table(harness)
    row = await harness.receive(
        "customer_merged",
        {"customer": {"id": "ada"}, "from": "guest", "reason": "Same person"},
    )
    async with harness.store.uncommitted() as tx:
        response = await responses.decide(tx, lambda tx: merge.decide(tx, row.id, harness.now()))
    assert response is not None
    preview = response["merge"]
    assert await rows_by_table(harness) == before
    assert await harness.merge("ada", "guest") == preview


async def rows_by_table(harness: StoreHarness) -> dict[str, list[object]]:
    return {
        table.name: await harness.all(table)
        for table in schema.metadata.sorted_tables
        if table.name != "inbox_events"
    }
