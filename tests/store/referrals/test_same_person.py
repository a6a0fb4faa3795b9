"""Customers with different ids who share a contact are one person to a campaign."""

import asyncio
from typing import Any

import pytest

from referrals.domain.events import parse_event
from referrals.domain.rewards import Asset
from referrals.store import Store, schema
from referrals.store.flow import receiving, responses
from referrals.store.referrals import conversions, signups
from referrals.store.reporting import wallets
from tests.harness.campaigns import campaign
from tests.harness.store_harness import MAX_AGE, StoreHarness

MAIL, PHONE = "fay@shop.example", "+4915112345678"


@pytest.fixture
def harness(store: Store) -> StoreHarness:
    return StoreHarness(store)


async def convert(
    harness: StoreHarness, code: str, own_id: str, **contact: str
) -> tuple[str, str | None]:
    order = {"id": f"order-of-{own_id}", "amount": "100.00", "currency": "EUR"}
    data = {"code": code, "friend": {"id": own_id, **contact}, "order": order}
    answer = await harness.event("referral_converted", data)
    return answer["decision"], (answer["reason"] or {}).get("code")


@pytest.mark.parametrize(
    ("same_person", "by_email", "by_phone"),
    [
        ("reject", ("rejected", "already_referred"), ("held", "same_person")),
        ("review", ("held", "same_person"), ("held", "same_person")),
        ("allow", ("accepted", None), ("accepted", None)),
    ],
)
async def test_the_campaign_decides_what_happens(
    harness: StoreHarness, same_person: str, by_email: Any, by_phone: Any
):
    await harness.apply(campaign(conversion={"same_person": same_person}))
    code = await harness.publish("spring", "ada")
    await convert(harness, code, "one", email=MAIL, phone=PHONE)

    assert await convert(harness, code, "two", email=MAIL) == by_email
    assert await convert(harness, code, "three", phone=PHONE) == by_phone


async def test_a_known_customer_is_no_new_customer(harness: StoreHarness):
    await harness.apply(campaign())
    await harness.apply(campaign("new_only", conversion={"new_customers_only": True}))
    await convert(harness, await harness.publish("spring", "ada"), "one", email=MAIL)
    harness.time += harness.time.resolution
    code = await harness.publish("new_only", "bob")

    assert await convert(harness, code, "two", email=MAIL) == ("rejected", "existing_customer")


async def test_an_approved_review_confirms_without_its_reason(harness: StoreHarness):
    await harness.apply(campaign())
    code = await harness.publish("spring", "ada")
    for own_id in ("one", "two"):
        await convert(harness, code, own_id, phone=PHONE)
    (held,) = await harness.all(schema.referrals, state="in_review")
    await harness.command("approve", held.id)

    assert (await harness.state(held.id), await harness.reason(held.id)) == (
        "rewarded",
        (None, None),
    )


async def test_a_sign_up_under_a_second_id_replaces_the_first(harness: StoreHarness):
    await harness.apply(campaign())
    code = await harness.publish("spring", "ada")
    for own_id in ("one", "two"):
        await harness.event(
            "referral_signed_up", {"code": code, "friend": {"id": own_id, "email": MAIL}}
        )

    states = {row.state for row in await harness.all(schema.referrals)}
    assert (states, await convert(harness, code, "two")) == (
        {"expired", "signed_up"},
        ("accepted", None),
    )


async def test_sign_ups_stay_where_persons_are_not_compared(harness: StoreHarness):
    await harness.apply(campaign(conversion={"same_person": "allow"}))
    code = await harness.publish("spring", "ada")
    for own_id in ("one", "two"):
        data = {"code": code, "friend": {"id": own_id, "email": MAIL}}
        await harness.event("referral_signed_up", data)

    assert {row.state for row in await harness.all(schema.referrals)} == {"signed_up"}


async def test_a_shared_contact_stays_known_as_such_after_a_merge(harness: StoreHarness):
    await harness.apply(campaign())
    code = await harness.publish("spring", "ada")
    for number in range(5):
        await convert(harness, code, f"c-{number}", email="club@shop.example")
    await harness.merge("c-0", "c-1")

    assert await convert(harness, code, "c-2") == ("accepted", None)


async def test_a_changed_contact_identifies_no_longer(harness: StoreHarness):
    await harness.apply(campaign())
    code = await harness.publish("spring", "ada")
    await convert(harness, code, "one", email=MAIL)
    await harness.receive(
        "customer_registered", {"customer": {"id": "one", "email": "one@shop.example"}}
    )

    assert await convert(harness, code, "two", email=MAIL) == ("accepted", None)


async def test_a_contact_that_many_share_stays_known_as_such(harness: StoreHarness):
    await harness.apply(campaign())
    for number in range(6):
        customer = {"id": f"c-{number}", "email": "club@shop.example"}
        await harness.receive("customer_registered", {"customer": customer})
    for number in range(5):
        customer = {"id": f"c-{number}", "email": f"c{number}@shop.example"}
        await harness.receive("customer_registered", {"customer": customer})
    code = await harness.publish("spring", "c-5")

    assert await convert(harness, code, "new", email="club@shop.example") == ("accepted", None)


@pytest.mark.parametrize("kind", ["referral_signed_up", "referral_converted"])
async def test_two_ids_of_one_person_at_once_give_one_live_referral(
    store: Store, harness: StoreHarness, kind: str
):
    await harness.apply(campaign())
    codes = [await harness.publish("spring", name) for name in ("ada", "bob", "cem", "dan")]

    async def decide(number: int, code: str) -> Any:
        """Receive and decide in one transaction, as the inbox does for sign-ups."""
        friend = {"id": f"fay-{number}", "email": MAIL}
        order = {"order": {"id": f"o-{number}", "amount": "9.00", "currency": "EUR"}}
        data = {"code": code, "friend": friend} | (order if kind == "referral_converted" else {})
        event = parse_event(
            {
                "specversion": "1.0",
                "id": f"e-{number}",
                "source": "shop",
                "type": kind,
                "data": data,
            }
        )
        act = conversions.convert if kind == "referral_converted" else signups.sign_up
        async with store.begin() as tx:
            received = await receiving.receive(tx, event, "shop", harness.now(), MAX_AGE, {})
            await asyncio.sleep(0.05)  # all have received before the first decides
            return await responses.decide(tx, lambda tx: act(tx, received.row.id, harness.now()))

    answers = await asyncio.gather(*(decide(number, code) for number, code in enumerate(codes[:3])))

    assert sorted(answer["decision"] for answer in answers) == ["accepted", "rejected", "rejected"]


async def test_a_merged_customer_is_recognised_by_both_addresses(harness: StoreHarness):
    await harness.apply(campaign())
    code = await harness.publish("spring", "ada")
    for own_id in ("ada", "other"):
        customer = {"id": own_id, "email": f"{own_id}@shop.example"}
        await harness.receive("customer_registered", {"customer": customer})
    await harness.merge("ada", "other")

    for number, address in enumerate(("ada@shop.example", "other@shop.example")):
        decision = await convert(harness, code, f"friend-{number}", email=address)
        assert decision == ("rejected", "self_referral")


async def test_nobody_is_reinstated_beside_a_referral_under_another_id(harness: StoreHarness):
    await harness.apply(campaign())
    code = await harness.publish("spring", "ada")

    async def change(kind: str, own_id: str) -> str:
        data = {"order": {"id": f"order-of-{own_id}"}}
        (effect,) = (await harness.event(kind, data))["effects"]
        return str(effect["effect"])

    await change("order_cancelled", "one")
    assert await convert(harness, code, "one", email=MAIL) == ("rejected", "order_cancelled")
    assert await convert(harness, code, "two", email=MAIL) == ("accepted", None)

    assert await change("order_reinstated", "one") == "kept"
    await change("order_cancelled", "two")
    assert await change("order_reinstated", "one") == "reinstated"


@pytest.mark.parametrize("contact", [{"email": MAIL}, {"phone": PHONE}], ids=["email", "phone"])
@pytest.mark.parametrize("kind", ["referral_signed_up", "referral_converted"])
async def test_a_person_is_free_under_any_id_after_a_recovered_roll_back(
    harness: StoreHarness, kind: str, contact: dict[str, str]
):
    await harness.apply(campaign(conversion={"new_customers_only": True}))
    code = await harness.publish("spring", "ada")
    await convert(harness, code, "one", **contact)
    harness.time += harness.time.resolution
    await harness.refund("order-of-one")

    if kind == "referral_signed_up":
        data = {"code": code, "friend": {"id": "two", **contact}}
        assert (await harness.event(kind, data))["decision"] == "accepted"
    assert await convert(harness, code, "two", **contact) == ("accepted", None)
    assert [await harness.balance(name) for name in ("ada", "one", "two")] == [100, 0, 50]
    again = ("rejected", "already_referred") if "email" in contact else ("held", "same_person")
    assert await convert(harness, code, "three", **contact) == again


@pytest.mark.parametrize("why", ["final", "by an operator", "something is owed"])
async def test_a_person_is_known_under_any_id_after_another_roll_back(
    harness: StoreHarness, why: str
):
    after_refund = "final" if why == "final" else "allow_again"
    await harness.apply(campaign(conversion={"after_refund": after_refund}))
    code = await harness.publish("spring", "ada")
    await convert(harness, code, "one", email=MAIL)
    if why == "something is owed":
        async with harness.store.begin() as tx:
            asset = Asset("points", None)
            await wallets.redeem(tx, "one", asset, 20, "key", "Spent", harness.now())
    if why == "by an operator":
        (referral,) = await harness.all(schema.referrals)
        await harness.roll_back(referral.id)
    else:
        await harness.refund("order-of-one")

    assert await convert(harness, code, "two", email=MAIL) == ("rejected", "already_referred")
