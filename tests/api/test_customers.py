"""`/v1/customers`."""

from typing import Any

import pytest

from inbox.receive import Inbox
from referrals.settings import Settings
from tests.api.conftest import Api
from tests.api.problems import problem

ADA = {"name": "Ada", "email": "ada@example.com", "consent": ["email"], "locale": "de"}


async def test_a_customer_is_stored_and_read(api: Api):
    stored = (await api.http.put("/v1/customers/ada", json=ADA)).json()

    assert {key: stored[key] for key in ADA} == ADA
    assert (await api.get("/v1/customers/ada")).json() == stored


async def test_fields_left_out_keep_their_values_and_null_removes_them(api: Api):
    await api.http.put("/v1/customers/ada", json=ADA)
    changed = await api.http.put("/v1/customers/ada", json={"name": "Ada L.", "email": None})

    assert (changed.json()["name"], changed.json()["email"]) == ("Ada L.", None)
    assert changed.json()["locale"] == "de"


async def test_a_blank_text_removes_a_field_as_null_does(api: Api):
    await api.http.put("/v1/customers/ada", json=ADA)
    changed = await api.http.put("/v1/customers/ada", json={"email": " ", "locale": ""})

    assert (changed.json()["email"], changed.json()["locale"]) == (None, None)


async def test_contacts_that_cannot_be_written_to_are_stored_and_named(api: Api):
    contacts = {"email": "taro..yamada.@docomo.ne.jp", "phone": "0151 12345678"}
    stored = (await api.http.put("/v1/customers/taro", json=contacts)).json()

    assert (stored["email"], stored["phone"]) == (contacts["email"], "015112345678")
    assert stored["unreachable"] == ["email", "phone"]
    assert (await api.http.put("/v1/customers/ada", json=ADA)).json()["unreachable"] == []


@pytest.mark.parametrize("amount", ["1.00", "1.0", " 1 ", "001"])
async def test_points_are_spent_in_every_spelling(api: Api, amount: str):
    code = await api.harness.publish("spring", "ada")
    await api.harness.convert(code, "fay")

    body = {"key": "o-1", "type": "points", "amount": amount}
    wallet = (await api.http.post("/v1/customers/ada/wallet/redeem", json=body)).json()

    assert [balance["balance"] for balance in wallet["balances"]] == ["99"]


async def test_the_body_may_repeat_the_id_but_not_change_it(api: Api):
    same = await api.http.put("/v1/customers/ada", json=ADA | {"id": "ada"})
    other = await api.http.put("/v1/customers/ada", json=ADA | {"id": "ben"})

    assert same.status_code == 200
    errors = problem(other, 422, "invalid-request")["errors"]
    assert [error["field"] for error in errors] == ["id"]


async def test_an_invalid_contact_field_is_named(api: Api):
    response = await api.http.put("/v1/customers/ada", json=ADA | {"phone": "0151"})

    errors = problem(response, 422, "invalid-request")["errors"]
    assert [error["field"] for error in errors] == ["phone"]
    problem(await api.get("/v1/customers/ada"), 404, "unknown-customer")


async def test_a_customer_must_be_a_json_object(api: Api):
    problem(await api.http.put("/v1/customers/ada", json=[]), 422, "invalid-request")


async def test_a_wallet_has_the_documented_shape(api: Api):
    code = await api.harness.publish("spring", "ada")
    await api.harness.convert(code, "fay")
    wallet = (await api.get("/v1/customers/ada/wallet")).json()

    assert wallet == {
        "customer": "ada",
        "balances": [
            {"type": "points", "currency": None, "balance": "100", "pending": "0", "owed": "0"}
        ],
        "coupons": [],
    }


@pytest.fixture
def merging(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The API with the real inbox for merges, which need no Temporal while no workflow is concerned."""
    client: Any = api.temporal
    inbox = Inbox(api.harness.store, client, Settings(), api.harness.now)
    monkeypatch.setattr(api.inbox, "merge_customers", inbox.merge_customers, raising=False)
    return api


async def test_two_customers_are_merged_after_a_preview(merging: Api):
    code = await merging.harness.publish("spring", "ben")
    await merging.harness.convert(code, "guest")
    await merging.http.put("/v1/customers/ada", json=ADA)
    body = {"from": "guest", "reason": "Registered"}

    preview = (
        await merging.http.post("/v1/customers/ada/merge", json=body | {"preview": True})
    ).json()
    before = (await merging.get("/v1/customers/ada/wallet")).json()["balances"]
    report = (await merging.http.post("/v1/customers/ada/merge", json=body)).json()

    assert before == []
    assert preview["preview"]
    same = ("customer", "merged", "reason", "moved", "balances", "conflicts")
    assert {key: report[key] for key in same} == {key: preview[key] for key in same}
    assert report["merged_by"] == "shop"
    for customer in ("ada", "guest"):
        assert (await merging.get(f"/v1/customers/{customer}")).json()["id"] == "ada"
        wallet = (await merging.get(f"/v1/customers/{customer}/wallet")).json()
        assert (wallet["customer"], wallet["balances"][0]["balance"]) == ("ada", "50")
    assert (await merging.http.post("/v1/customers/ada/merge", json=body)).json() == report
    (merged,) = (await merging.get("/v1/customers/ada")).json()["merged"]
    assert (merged["id"], merged["merged_by"], merged["reason"]) == ("guest", "shop", "Registered")


@pytest.mark.parametrize("wrong", ["ada", "nobody", ""])
async def test_a_merge_names_another_known_customer(merging: Api, wrong: str):
    await merging.http.put("/v1/customers/ada", json=ADA)
    response = await merging.http.post("/v1/customers/ada/merge", json={"from": wrong})

    errors = problem(response, 422, "invalid-request")["errors"]
    assert [error["field"] for error in errors] == ["from"]


async def test_the_account_of_a_guest_may_be_new(merging: Api):
    await merging.http.put("/v1/customers/guest", json=ADA)
    preview = {"from": "guest", "preview": True}
    assert (await merging.http.post("/v1/customers/ada/merge", json=preview)).status_code == 200
    problem(await merging.get("/v1/customers/ada"), 404, "unknown-customer")
    await merging.http.post("/v1/customers/ada/merge", json={"from": "guest"})
    assert (await merging.get("/v1/customers/guest")).json()["id"] == "ada"


async def test_lists_and_filters_find_the_survivor_by_either_id(merging: Api):
    code = await merging.harness.publish("spring", "guest")
    await merging.harness.convert(code, "fay")
    await merging.http.put("/v1/customers/ada", json=ADA)
    await merging.http.post("/v1/customers/ada/merge", json={"from": "guest"})

    for customer in ("ada", "guest"):
        shown = (await merging.get(f"/v1/campaigns/spring/advocates/{customer}")).json()
        assert (shown["customer"], shown["counts"]["confirmed"]) == ("ada", 1)
        for path in ("referrals?advocate", "rewards?customer", "codes?customer"):
            found = (await merging.get(f"/v1/campaigns/spring/{path}={customer}")).json()["data"]
            assert found, path
        log = (await merging.get(f"/v1/campaigns/spring/activity?customer={customer}")).json()[
            "data"
        ]
        assert "referral_converted" in {entry["type"] for entry in log}
