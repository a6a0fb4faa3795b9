"""The lists over HTTP: pages, and CSV."""

import csv
import io
import re

import pytest

from referrals.store import views
from referrals.store.webhooks.delivery_lists import WebhookDelivery
from tests.api.conftest import Api
from tests.api.problems import problem

CSV = {"accept": "text/csv"}

COLUMNS = {
    "/v1/campaigns": views.Campaign,
    "/v1/campaigns/spring/codes": views.ReferralCode,
    "/v1/campaigns/spring/advocates": views.Advocate,
    "/v1/campaigns/spring/referrals": views.Referral,
    "/v1/campaigns/spring/rewards": views.Reward,
    "/v1/campaigns/spring/messages": views.Message,
    "/v1/campaigns/spring/activity": views.Activity,
    "/v1/customers/ada/wallet/entries": views.LedgerEntry,
    "/v1/deliveries": WebhookDelivery,
    "/v1/workflow-starts": views.WorkflowStart,
}


@pytest.mark.parametrize("path", COLUMNS)
async def test_every_list_is_available_as_json_and_csv(api: Api, path: str):
    await _fill(api)
    listed = (await api.get(path)).json()
    response = await api.get(path, headers=CSV)
    names, *rows = csv.reader(io.StringIO(response.text))

    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert names == list(COLUMNS[path].__dataclass_fields__)
    assert len(rows) == len(listed["data"])
    assert all(list(row) == names for row in listed["data"])


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv"),
        ("Text/CSV; charset=utf-8", "text/csv"),
        ("text/csv, */*", "text/csv"),
        ("text/csv, */*;q=0.1", "text/csv"),
        ("application/json;q=0.1, text/csv;q=0.5", "text/csv"),
        ("text/csv;q=0.5, application/json", "application/json"),
        ("text/csv;q=0.5, */*", "application/json"),
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=none", "application/json"),
        ("*/*", "application/json"),
        ("text/*", "application/json"),
        ("", "application/json"),
    ],
)
async def test_the_accept_header_chooses_json_or_csv(api: Api, accept: str, kind: str):
    response = await api.get("/v1/campaigns", headers={"accept": accept})

    assert response.headers["content-type"].startswith(kind)


async def test_all_times_are_written_with_a_z(api: Api):
    """JSON and CSV agree, also for times inside stored JSON."""
    await api.put_campaign(conversion={"hold": "P14D"})
    referral = (await api.harness.convert(await api.harness.publish("spring", "ada"), "fay"))[
        "referral"
    ]
    texts = [
        (await api.get(path, headers=headers)).text for path in COLUMNS for headers in ({}, CSV)
    ]
    texts.append((await api.get(f"/v1/referrals/{referral}")).text)

    for text in texts:
        assert not re.search(r"T\d\d:\d\d:\d\d[^Z]*?\+00:00", text), text
    held = (await api.get("/v1/campaigns/spring/activity?type=referral_held")).json()["data"]
    assert [entry["data"]["until"] for entry in held] == ["2026-03-18T10:00:00Z"]


async def test_the_pages_of_a_list_follow_each_other(api: Api):
    await _fill(api)
    found = []
    after = None
    while True:
        params = {"limit": 2} | ({"after": after} if after else {})
        page = (await api.get("/v1/campaigns/spring/activity", params=params)).json()
        found += [row["id"] for row in page["data"]]
        after = page["next"]
        if after is None:
            break

    assert found == sorted(found, key=int, reverse=True)
    assert len(found) == len(set(found)) > 4


async def test_a_csv_page_links_the_next_page(api: Api):
    await _fill(api)
    path = "/v1/campaigns/spring/rewards?state=granted&limit=3"
    response = await api.get(path, headers=CSV)
    following = await api.get(str(response.url.join(response.links["next"]["url"])), headers=CSV)

    assert len(response.text.splitlines()) == 4
    assert len(following.text.splitlines()) == 2
    assert "next" not in following.links


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
async def test_a_csv_cell_is_never_a_formula(api: Api, start: str):
    await api.harness.publish("spring", f"{start}cmd|' /C calc'!A0")
    response = await api.get("/v1/campaigns/spring/codes", headers=CSV)

    (row,) = csv.DictReader(io.StringIO(response.text))
    assert row["customer"].startswith("'")


async def test_amounts_in_csv_stay_numbers(api: Api):
    code = await api.harness.publish("spring", "ada")
    await api.harness.roll_back((await api.harness.convert(code, "fay"))["referral"])
    response = await api.get("/v1/customers/ada/wallet/entries", headers=CSV)

    amounts = [row["amount"] for row in csv.DictReader(io.StringIO(response.text))]
    assert amounts == ["-100", "100"]


async def test_an_advocate_is_read_with_counts_and_rewards(api: Api):
    await _fill(api)
    ada = (await api.get("/v1/campaigns/spring/advocates/ada")).json()

    assert ada["counts"]["confirmed"] == 2
    assert ada["link"] == f"https://go.example/r/{ada['code']}"
    assert ada["cooldown_until"] is None


@pytest.mark.parametrize(
    "customer", ["ada@example.com", "a/b", "ä ö", "50%", "😀", "a?b=c#d", "..", "a+b"]
)
async def test_customer_ids_may_contain_any_character(api: Api, customer: str):
    await api.harness.publish("spring", customer)
    quoted = "".join(f"%{byte:02X}" for byte in customer.encode())

    for path in (f"/v1/campaigns/spring/advocates/{quoted}", f"/v1/customers/{quoted}/wallet"):
        response = await api.get(path)
        assert response.json()["customer"] == customer
    assert (await api.get(f"/v1/customers/{quoted}")).json()["id"] == customer


async def test_a_referral_is_read_with_its_timeline(api: Api):
    code = await api.harness.publish("spring", "ada")
    referral = (await api.harness.convert(code, "fay"))["referral"]
    found = (await api.get(f"/v1/referrals/{referral}")).json()

    assert [entry["type"] for entry in found["timeline"]] == [
        "referral_converted",
        "reward_granted",
        "reward_granted",
    ]
    assert found["order"]["amount"] == "100.00"


@pytest.mark.parametrize(
    ("action", "body", "kind", "reason"),
    [
        ("approve", None, "approve", ""),
        ("approve", {}, "approve", ""),
        ("reject", {"reason": "Not a customer."}, "reject", "Not a customer."),
        ("roll-back", {"reason": "By hand."}, "roll_back", "By hand."),
    ],
)
async def test_a_command_for_a_referral_is_answered_with_the_referral(
    api: Api, action: str, body: dict | None, kind: str, reason: str
):
    referral = (await api.harness.convert(await api.harness.publish("spring", "ada"), "fay"))[
        "referral"
    ]
    response = await api.http.post(f"/v1/referrals/{referral}/{action}", json=body)

    assert response.json()["id"] == referral
    assert api.inbox.calls == [(kind, referral, reason, "shop")]


@pytest.mark.parametrize(
    "body",
    [{}, {"reason": ""}, {"reason": " \t "}, {"reason": "a\nb"}, {"reason": "x" * 501}],
)
@pytest.mark.parametrize("action", ["roll-back", "reject"])
async def test_rejecting_and_rolling_back_need_a_reason(api: Api, action: str, body: dict):
    response = await api.http.post(f"/v1/referrals/ref_1/{action}", json=body)

    errors = problem(response, 422, "invalid-request")["errors"]
    assert [error["field"] for error in errors] == ["reason"]
    assert api.inbox.calls == []


async def _fill(api: Api) -> None:
    code = await api.harness.publish("spring", "ada")
    await api.harness.convert(code, "fay")
    await api.harness.convert(code, "gil")


async def test_a_misspelt_filter_is_refused_and_changes_nothing(api: Api):
    listed = await api.get("/v1/campaigns/spring/referrals?stat=held")
    void = "/v1/campaigns/spring/rewards/void?state=failed&custmer=fay"
    voided = await api.http.post(void, json={"reason": "Gone"})

    assert problem(listed, 422, "invalid-request")["errors"] == [
        {"field": "stat", "message": "unknown parameter; did you mean state?"}
    ]
    assert problem(voided, 422, "invalid-request")["errors"][0]["field"] == "custmer"


@pytest.mark.parametrize("state", ["pending", "sent", "delivered", "read", "failed"])
async def test_messages_can_be_filtered_by_every_state(api: Api, state: str):
    answer = await api.get(f"/v1/campaigns/spring/messages?state={state}")

    assert answer.json()["data"] == []
