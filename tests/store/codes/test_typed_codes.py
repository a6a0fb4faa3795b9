"""Codes as people type and paste them, and what else they write into that field."""

from typing import Any

import pytest

from referrals.errors import NotPublishedError
from referrals.store import schema
from tests.harness.store_harness import StoreHarness

ORDER = {"amount": "100.00", "currency": "EUR"}
JUNK = ["none / n.a.", "-", "SUMMER20", "http://shop.example/r/ADA", "x" * 10_000, "\x00\ud800"]


async def converted(harness: StoreHarness, friend: str, **data: Any) -> dict[str, Any]:
    order = ORDER | {"id": f"order-of-{friend}"}
    return await harness.event(
        "referral_converted", {"friend": {"id": friend}, "order": order, **data}
    )


@pytest.mark.parametrize(
    "typed",
    ["ada\u20132026", "ADA 2026", "\u200bAda-2026", "ADA-2026.", "\uff21DA-2026", "ada2026"],
)
async def test_a_code_is_found_in_every_spelling(harness: StoreHarness, typed: str):
    code = await harness.publish("spring", "ada", code="ADA-2026")

    answer = await converted(harness, "fay", code=typed)

    (referral,) = await harness.all(schema.referrals)
    assert (answer["decision"], answer["warnings"]) == ("accepted", [])
    assert referral.code == code == "ADA-2026"


async def test_two_codes_that_compare_equal_cannot_both_exist(harness: StoreHarness):
    await harness.publish("spring", "ada", code="ADA-2026")

    with pytest.raises(NotPublishedError, match="is taken"):
        await harness.publish("spring", "bob", code="ADA2026")
    assert await harness.publish("spring", "ada", code="ADA2026") == "ADA-2026"


@pytest.mark.parametrize("typed", JUNK)
async def test_a_text_that_is_no_code_is_an_unknown_code(harness: StoreHarness, typed: str):
    await harness.publish("spring", "ada")

    answer = await converted(harness, "fay", code=typed, campaign="spring")

    assert (answer["decision"], answer["reason"]["code"]) == ("rejected", "unknown_code")


@pytest.mark.parametrize("typed", JUNK)
async def test_with_an_open_sign_up_it_counts_as_no_code(harness: StoreHarness, typed: str):
    await harness.sign_up(await harness.publish("spring", "ada"), "fay")

    answer = await converted(harness, "fay", code=typed)

    (converting,) = await harness.all(schema.activity, type="referral_converted")
    assert answer["decision"] == "accepted"
    assert [warning["field"] for warning in answer["warnings"]] == ["data.code"]
    assert converting.data["warnings"] == answer["warnings"]


async def test_a_known_code_still_counts_against_another_sign_up(harness: StoreHarness):
    await harness.sign_up(await harness.publish("spring", "ada"), "fay")
    other = await harness.publish("spring", "bob")

    answer = await converted(harness, "fay", code=other)

    assert answer["reason"]["code"] == "already_referred"


async def test_a_sign_up_without_a_code_is_rejected(harness: StoreHarness):
    answer = await harness.event("referral_signed_up", {"friend": {"id": "fay"}, "code": ""})

    assert answer["reason"] == {"code": "unknown_code", "message": "The event carries no code."}


@pytest.mark.parametrize("kind", ["referral_link_shared", "referral_link_clicked"])
async def test_a_share_of_an_unknown_code_is_rejected(harness: StoreHarness, kind: str):
    answer = await harness.event(kind, {"code": "nobody's", "channel": "TikTok"})

    assert answer["reason"]["code"] == "unknown_code"
    assert [warning["field"] for warning in answer["warnings"]] == ["data.channel"]
