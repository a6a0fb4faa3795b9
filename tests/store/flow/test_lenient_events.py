"""Events with less than they should have: what is stored, and what their decisions say."""

import asyncio
from typing import Any

import pytest

from referrals.errors import EventIdReusedError
from referrals.store import schema
from tests.harness.store_harness import StoreHarness

ORDER = {"id": "o-1", "amount": "100.00", "currency": "EUR"}
FAY = {
    "id": "fay",
    "name": "Fay",
    "email": "fay@example.com",
    "phone": "+4915112345678",
    "locale": "de",
    "timezone": "Europe/Berlin",
    "consent": ["email"],
}
NOTHING: list[Any] = [None, "", "  ", [None], ["", None]]


async def customer(harness: StoreHarness, own_id: str) -> dict[str, Any]:
    (row,) = await harness.all(schema.customers, external_id=own_id)
    return {name: getattr(row, name) for name in FAY if name != "id"}


@pytest.mark.parametrize("nothing", NOTHING, ids=repr)
async def test_null_and_blank_erase_nothing_and_withdraw_nothing(
    harness: StoreHarness, nothing: Any
):
    code = await harness.publish("spring", "ada")
    await harness.event("referral_signed_up", {"code": code, "friend": FAY})
    before = await customer(harness, "fay")
    blank = dict.fromkeys(FAY, nothing) | {"id": "fay"}

    data = {"friend": blank, "order": ORDER | {"items": nothing, "attributes": nothing}}
    answer = await harness.event("referral_converted", data | {"code": nothing, "plan": nothing})

    assert await customer(harness, "fay") == before
    assert [row.state for row in await harness.all(schema.consents)] == ["given"]
    assert (answer["decision"], answer["warnings"]) == ("accepted", [])
    (event,) = await harness.all(schema.inbox_events, type="referral_converted")
    assert event.data["more"] == {}


async def test_what_was_left_out_is_stored_with_the_event_and_shown(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    friend = FAY | {"locale": "german", "email": "fay..@docomo.ne.jp", "x": 1}
    items = [{"sku": "a", "quantity": "many"}, {"amount": "-5.00"}]

    data = {"code": code, "friend": friend, "order": ORDER | {"items": items}}
    answer = await harness.event("referral_converted", data)

    fields = [warning["field"] for warning in answer["warnings"]]
    assert sorted(fields) == [
        "data.friend.email",
        "data.friend.locale",
        "data.friend.x",
        "data.order.items[0].quantity",
    ]
    (event,) = await harness.all(schema.inbox_events, type="referral_converted")
    assert sorted(event.left_out) == ["friend.locale", "friend.x", "order.items[0].quantity"]
    (converting,) = await harness.all(schema.activity, type="referral_converted")
    assert converting.data["warnings"] == event.warnings == answer["warnings"]
    assert (await customer(harness, "fay"))["email"] == "fay..@docomo.ne.jp"


async def test_one_key_is_one_event_even_if_two_are_sent_at_once(harness: StoreHarness):
    code = await harness.publish("spring", "ada")

    async def send(friend: str, source: str) -> str:
        data = {"code": code, "friend": {"id": friend}}
        try:
            await harness.receive("referral_signed_up", data, id="e-1", source=source)
        except EventIdReusedError as error:
            return error.errors[0].field
        return "stored"

    sent = [send("fay", "/de"), send("gus", "/de"), send("hal", "/fr"), send("fay", "/de")]
    answers = await asyncio.gather(*sent)

    assert answers[2] == "stored"
    assert sorted({*answers[:2], answers[3]}) == ["data.friend.id", "stored"]
    stored = await harness.all(schema.inbox_events, type="referral_signed_up")
    assert sorted(row.source for row in stored) == ["/de", "/fr"]


async def test_many_warnings_are_summarised(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    items = [{"quantity": "many", "x": 1} for _ in range(1000)]

    data = {"code": code, "friend": {"id": "fay"}, "order": ORDER | {"items": items}}
    answer = await harness.event("referral_converted", data)

    assert answer["decision"] == "accepted"
    assert answer["warnings"] == [
        {"field": "data.order.items", "message": "has parts that were left out"}
    ]
