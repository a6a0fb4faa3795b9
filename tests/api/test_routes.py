"""Paths: ids with slashes, mistyped verbs, methods that a path does not have."""

from urllib.parse import quote

import pytest

from tests.api.conftest import Api
from tests.api.problems import problem

IDS = ("ada/wallet", "ada/wallet/redeem", "a/b//c", "/", "a%2Fb", "a b+c&d", "ä/ö", "%")


@pytest.mark.parametrize("customer", IDS)
async def test_an_id_with_slashes_collides_with_no_route(api: Api, customer: str):
    path = f"/v1/customers/{quote(customer, safe='')}"
    ada = await api.http.put("/v1/customers/ada", json={"name": "Ada"})

    stored = await api.http.put(path, json={"name": "Odd"})
    wallet = await api.get(f"{path}/wallet")

    assert ada.status_code == 200
    assert (stored.json()["id"], stored.json()["name"]) == (customer, "Odd")
    assert (await api.get(path)).json()["id"] == customer
    assert wallet.json()["customer"] == customer
    assert (await api.get("/v1/customers/ada")).json()["name"] == "Ada"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/customers/ada/walet"),
        ("PUT", "/v1/customers/ada/wallet/entries/more"),
        ("POST", "/v1/customers/ada/wallet/redem"),
        ("DELETE", "/v1/customers/ada/suppression/email"),
        ("GET", "/v1/customers/"),
        ("GET", "/v1/campaigns/spring/advocates/ada/referrals"),
    ],
)
async def test_a_mistyped_path_creates_nothing(api: Api, method: str, path: str):
    body = {"json": {"name": "Ada"}} if method != "GET" else {}
    problem(await api.http.request(method, path, **body), 404, "unknown-route")

    problem(await api.get("/v1/customers/ada"), 404, "unknown-customer")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/customers/ada", "GET, PUT"),
        ("/v1/customers/ada%2F1", "GET, PUT"),
        ("/v1/customers/ada/wallet", "GET"),
        ("/v1/customers/ada/wallet/redeem", "POST"),
        ("/v1/campaigns/spring", "GET, PUT, DELETE"),
        ("/v1/webhooks", "GET, POST"),
        ("/v1/webhooks/whk_1", "GET, PATCH, DELETE"),
        ("/v1/events", "POST"),
        ("/u/token", "GET, POST"),
        ("/r/CODE", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
    ],
)
async def test_another_method_is_refused_with_all_that_are_allowed(
    api: Api, path: str, allowed: str
):
    response = await api.http.request("OPTIONS", path)

    problem(response, 405, "method-not-allowed")
    assert set(allowed.split(", ")) <= set(response.headers["allow"].split(", "))
    for method in ("GET", "PUT", "POST", "PATCH", "DELETE"):
        if method not in response.headers["allow"]:
            assert (await api.http.request(method, path)).status_code == 405
