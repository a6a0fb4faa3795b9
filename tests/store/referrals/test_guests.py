"""Friends who are known by an email or phone alone."""

from typing import Any

import pytest

from referrals.errors import EventIdReusedError, InvalidEventError
from referrals.store import Store, schema
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness

MAIL = "fay@shop.example"
VERIFIED = {"email": MAIL, "verified": True}


@pytest.fixture
async def harness(store: Store) -> StoreHarness:
    harness = StoreHarness(store)
    await harness.apply(campaign(conversion={"new_customers_only": True}))
    return harness


async def sign_up(harness: StoreHarness, code: str, friend: dict[str, Any]) -> str:
    return str(
        (await harness.event("referral_signed_up", {"code": code, "friend": friend}))["decision"]
    )


async def order(
    harness: StoreHarness, code: str | None, friend: dict[str, Any]
) -> tuple[str, str | None]:
    """Return the decision about an order, and the code of its reason."""
    number = len(await harness.all(schema.orders))
    data: dict[str, Any] = {"friend": friend, "campaign": "spring"} | (
        {"code": code} if code else {}
    )
    data["order"] = {"id": f"order-{number}", "amount": "100.00", "currency": "EUR"}
    answer = await harness.event("referral_converted", data)
    return answer["decision"], (answer["reason"] or {}).get("code")


async def test_a_verified_guest_converts_under_a_new_id(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    assert await sign_up(harness, code, VERIFIED) == "accepted"
    await harness.receive("customer_registered", {"customer": {"id": "r-1", "email": MAIL}})
    assert await order(harness, None, {"id": "r-1"}) == ("accepted", None)
    assert await order(harness, code, {"id": "r-2", "email": MAIL.upper()}) == (
        "rejected",
        "already_referred",
    )

    (referral,) = await harness.all(schema.referrals, state="rewarded")
    (fay,) = await harness.all(schema.customers, external_id="r-1")
    assert (referral.friend_id, fay.contact_key, fay.email) == (fay.id, None, MAIL)


async def test_a_guest_who_is_not_verified_claims_no_order(harness: StoreHarness):
    code = await harness.publish("spring", "mallory")
    assert await sign_up(harness, code, {"email": MAIL}) == "accepted"

    assert await order(harness, None, {"id": "r-1", "email": MAIL}) == ("rejected", "unknown_code")
    assert await order(harness, None, {"email": MAIL}) == ("rejected", "unknown_code")


async def test_a_guest_who_is_not_verified_keeps_nobody_from_being_referred(harness: StoreHarness):
    mallory, ada = [await harness.publish("spring", name) for name in ("mallory", "ada")]
    await sign_up(harness, mallory, {"email": MAIL})

    assert await sign_up(harness, ada, VERIFIED) == "accepted"
    assert await order(harness, ada, {"id": "r-1", "email": MAIL}) == ("accepted", None)


async def test_nobody_claims_the_orders_of_a_guest_who_is_verified(harness: StoreHarness):
    ada, mallory = [await harness.publish("spring", name) for name in ("ada", "mallory")]
    assert await sign_up(harness, ada, VERIFIED) == "accepted"
    await harness.apply(campaign("summer"))
    summer = await harness.publish("summer", "mallory")
    for code in (mallory, summer):
        assert await sign_up(harness, code, {"email": MAIL, "name": "Mallory"}) == "accepted"

    data = {"friend": {"email": MAIL}, "campaign": "summer"}
    order_data = {"id": "o-1", "amount": "100.00", "currency": "EUR"}
    answer = await harness.event("referral_converted", data | {"order": order_data})
    assert (answer["decision"], answer["reason"]["code"]) == ("rejected", "unknown_code")
    assert await order(harness, None, {"email": MAIL}) == ("accepted", None)
    (referral,) = await harness.all(schema.referrals, state="rewarded")
    assert referral.code == ada


async def test_a_guest_orders_with_the_code_of_the_sign_up_and_once_only(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    await sign_up(harness, code, {"email": MAIL})
    assert await order(harness, code, {"email": MAIL}) == ("accepted", None)

    other = await harness.publish("spring", "bob")
    assert await order(harness, other, {"email": MAIL}) == ("rejected", "already_referred")
    assert len(await harness.all(schema.referrals, state="rewarded")) == 1


async def test_a_verified_sign_up_of_a_known_customer_is_theirs(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    await harness.event(
        "referral_signed_up", {"code": code, "friend": {"id": "r-1", "email": MAIL}}
    )
    await sign_up(harness, code, VERIFIED)

    assert await order(harness, None, {"id": "r-1"}) == ("accepted", None)


async def test_advocates_cannot_refer_their_own_address(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    await harness.receive("customer_registered", {"customer": {"id": "ada", "email": MAIL}})

    assert await order(harness, code, {"email": MAIL}) == ("rejected", "self_referral")


async def test_a_repeated_event_of_a_guest_is_the_same_event(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    data = {"code": code, "friend": VERIFIED}
    first = await harness.receive("referral_signed_up", data, id="sign-up")

    assert (await harness.receive("referral_signed_up", data, id="sign-up")).id == first.id


@pytest.mark.parametrize("own_id", ["r-1", MAIL])
async def test_a_repeated_event_of_a_guest_is_recognised_whoever_it_was(
    harness: StoreHarness, own_id: str
):
    code = await harness.publish("spring", "ada")
    known = {"id": own_id} | ({} if own_id == MAIL else {"email": MAIL})
    await harness.event("referral_signed_up", {"code": code, "friend": known})
    data = {"code": code, "friend": VERIFIED}
    first = await harness.receive("referral_signed_up", data, id="sign-up")
    moved = {"customer": {"id": own_id, "email": "moved@shop.example"}}
    await harness.receive("customer_registered", moved)

    assert (await harness.receive("referral_signed_up", data, id="sign-up")).id == first.id
    for another in ("gus@shop.example", "moved@shop.example"):
        friend = {"email": another, "verified": True}
        with pytest.raises(EventIdReusedError):
            await harness.receive(
                "referral_signed_up", {"code": code, "friend": friend}, id="sign-up"
            )


async def test_a_friend_needs_an_id_or_a_contact(harness: StoreHarness):
    with pytest.raises(InvalidEventError, match=r"data\.friend\.id"):
        await harness.receive("referral_signed_up", {"code": "X", "friend": {"name": "Fay"}})


@pytest.mark.parametrize("first", [MAIL, "gus@shop.example"])
async def test_an_id_that_names_two_guests_takes_over_the_one_who_came_first(
    harness: StoreHarness, first: str
):
    code = await harness.publish("spring", "ada")
    for email in sorted((MAIL, "gus@shop.example"), key=lambda email: email != first):
        await sign_up(harness, code, {"email": email, "verified": True})
    named = {"id": "gus@shop.example", "email": MAIL}
    await harness.receive("customer_registered", {"customer": named})

    (referral, _) = await harness.all(schema.referrals)
    (customer,) = await harness.all(schema.customers, external_id="gus@shop.example")
    assert customer.id == referral.friend_id
