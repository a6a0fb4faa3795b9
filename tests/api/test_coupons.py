"""`/v1/campaigns/{campaign}/coupons`. `tests/engine` covers how coupons are granted."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Api
from tests.api.problems import problem

POOL = "/v1/campaigns/spring/coupons/welcome"
CSV = {"content-type": "text/csv"}


async def post(api: Api, text: str, path: str = POOL):
    return await api.http.post(path, content=text.encode(), headers=CSV)


async def available(api: Api) -> int:
    return (await api.get(POOL)).json()["available"]


async def test_codes_are_imported_from_csv_or_json(api: Api):
    as_csv = await post(api, '\ufeffcode\r\nW-1\r\n\r\n"W-2" \r\n')
    as_json = await api.http.post(POOL, json={"codes": ["W-3", " w-4 "]})

    assert as_csv.json() == {"imported": 2, "errors": [], "ignored_columns": []}
    assert as_json.json() == {"imported": 2, "errors": [], "ignored_columns": []}
    assert await available(api) == 4


async def test_errors_name_their_line_and_nothing_is_imported(api: Api):
    await post(api, "code\nW-1")
    answer = await post(api, "code\nW-2\nW-3\nW-2\na b\nW-4,x")
    repeated = await post(api, "code\nW-5\n\nW-1")
    respelled = await post(api, "code\nW-6\nw6")

    unwritten = "must be 1 to 64 letters and digits, with - _ . between them"
    assert answer.json() == {
        "imported": 0,
        "errors": [
            {"line": 4, "column": "code", "reason": "W-2 is duplicated"},
            {"line": 5, "column": "code", "reason": unwritten},
            {"line": 6, "column": "code", "reason": "has 2 cells, but the header has 1"},
        ],
        "ignored_columns": [],
    }
    reason = "W-1 already exists"
    assert repeated.json()["errors"] == [{"line": 4, "column": "code", "reason": reason}]
    reason = "w6 is duplicated"
    assert respelled.json()["errors"] == [{"line": 3, "column": "code", "reason": reason}]
    assert await available(api) == 1


async def test_an_import_has_at_most_10000_codes(api: Api):
    codes = [f"W-{number}" for number in range(10_001)]

    problem(await api.http.post(POOL, json={"codes": codes}), 422, "invalid-request")
    problem(await post(api, "\n".join(["code", *codes])), 422, "invalid-request")
    assert (await api.http.post(POOL, json={"codes": codes[1:]})).json()["imported"] == 10_000
    assert await available(api) == 10_000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "nothing"),
        ("coupon\nW-1", "coupon"),
        ("W-1\nW-2", "W-1"),
        ("code;Code\nW-1;W-2", "code, Code"),
        (";value\n;1", "(empty), value"),
    ],
)
async def test_a_csv_file_needs_one_column_code(api: Api, text: str, found: str):
    detail = problem(await post(api, text), 400, "malformed-body")["detail"]

    assert detail == f"The first line must have one column code; it has {found}."


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
async def test_whatever_a_spreadsheet_writes_is_read(
    api: Api, encoding: str, delimiter: str, newline: str
):
    rows = [
        ("gültig bis", " CODE ", ""),
        ("31.12.2027", "W-1", ""),
        ("", "", ""),
        ("", '"W-2"', ""),
    ]
    text = newline.join(delimiter.join(row) for row in rows)

    answer = await api.http.post(POOL, content=text.encode(encoding), headers=CSV)

    assert answer.json() == {"imported": 2, "errors": [], "ignored_columns": ["gültig bis"]}


async def test_a_first_line_may_name_the_separator(api: Api):
    assert (await post(api, "sep=|\r\nvalue|code\r\n1|W-1\r\n")).json()["imported"] == 1


async def test_a_line_without_a_code_is_an_error(api: Api):
    answer = await post(api, "code;value\nW-1;10\n;20\nW-3\nW-4;30;\n")

    error = {"line": 3, "column": "code", "reason": "is empty"}
    assert answer.json() == {"imported": 0, "errors": [error], "ignored_columns": ["value"]}


async def test_a_file_that_is_cut_off_in_a_character_is_refused(api: Api):
    cut = "code\nW-1".encode("utf-16")[:-1]
    problem(await api.http.post(POOL, content=cut, headers=CSV), 400, "malformed-body")


@pytest.mark.parametrize("body", [{}, [], {"codes": "W-1"}, {"codes": [1]}, {"codes": [], "x": 1}])
async def test_an_import_of_another_shape_is_refused(api: Api, body: object):
    problem(await api.http.post(POOL, json=body), 422, "invalid-request")


async def test_a_pool_needs_a_known_campaign(api: Api):
    elsewhere = "/v1/campaigns/nowhere/coupons/welcome"

    problem(await post(api, "code\nW-1", elsewhere), 404, "unknown-campaign")
    problem(await api.get(elsewhere), 404, "unknown-campaign")
    problem(await post(api, "code\nW-1", "/v1/campaigns/spring/coupons/No"), 422, "invalid-request")
    problem(await api.http.post(POOL, content=b"W-1"), 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "body",
    [
        {"key": "1"},
        {"key": "1", "amount": "5"},
        {"key": "1", "coupon": "W-1", "type": "points", "amount": "5"},
        {"coupon": "W-1"},
        {"key": "1", "coupon": "W-1", "order": {"amount": "1.005", "currency": "EUR"}},
        {"key": "1", "type": "points", "amount": "5", "order": {"amount": "9", "currency": "EUR"}},
    ],
)
async def test_a_redemption_is_of_an_amount_or_of_a_coupon(api: Api, body: dict[str, Any]):
    await api.harness.publish("spring", "ada")

    refused = await api.http.post("/v1/customers/ada/wallet/redeem", json=body)
    problem(refused, 422, "invalid-request")


async def test_a_coupon_with_terms_is_redeemed_for_an_order_within_them(api: Api):
    terms = {"percent": 20, "min_order": "80.00", "currency": "EUR"}
    friend = {"type": "coupon", "discount": terms, "pattern": "TEN-######"}
    await api.put_campaign(rewards={"friend": friend, "tiers": []})
    code = await api.harness.publish("spring", "ada")
    coupon = (await api.harness.convert(code, "fay"))["discount"]["code"]

    async def redeem(amount: str, currency: str = "EUR") -> httpx.Response:
        body = {"key": "1", "coupon": coupon, "order": {"amount": amount, "currency": currency}}
        return await api.http.post("/v1/customers/fay/wallet/redeem", json=body)

    refused = problem(await redeem("79.99"), 409, "coupon-not-redeemable")
    assert refused["detail"] == "The coupon is for orders from EUR 80.00."
    refused = problem(await redeem("80", "USD"), 409, "coupon-not-redeemable")
    assert refused["detail"] == "The coupon is for orders in EUR."
    assert (await redeem("80")).json()["coupons"][0]["state"] == "redeemed"
    assert (await redeem("1")).status_code == 200  # a repeat
