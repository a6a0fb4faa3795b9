"""`/v1/customers`."""

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
