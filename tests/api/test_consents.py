"""Consents, suppressions, blocks, and the unsubscribe page."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from referrals.domain.reasons import Reason
from referrals.store import schema
from referrals.store.messaging import channel_suspensions, suppressions
from tests.api.conftest import Api
from tests.api.problems import problem
from tests.store.messaging.sending_harness import PROMOTION, SendingHarness

CONSENTS = "/v1/customers/ada/consents"
NOBODY: dict[str, Any] = {"headers": {"authorization": ""}}


async def send_promotion(api: Api) -> tuple[SendingHarness, str]:
    """Send ada a promotion by email; return the path of its unsubscribe link."""
    harness = SendingHarness(api.harness.store)
    harness.now = api.harness.time
    message = await harness.create_message(await harness.customer(consent=["email"]), PROMOTION)
    await harness.send(message)
    (sent,) = harness.email.received
    return harness, str(sent.unsubscribe_url).removeprefix("https://go.example")


async def consent_rows(api: Api) -> list[tuple[str, str, str, bool]]:
    page = (await api.get(CONSENTS)).json()
    return [
        (entry["channel"], entry["state"], entry["source"], entry["in_force"])
        for entry in page["data"]
    ]


async def test_consents_are_listed_as_a_history(api: Api):
    await api.http.put("/v1/customers/ada", json={"consent": ["email"]})
    api.harness.time += timedelta(hours=1)
    update = {"channel": "email", "state": "withdrawn", "source": "operator"}
    answer = await api.http.post(CONSENTS, json=update)

    assert answer.status_code == 200
    assert answer.json() == (await api.get(CONSENTS)).json()
    assert await consent_rows(api) == [
        ("email", "withdrawn", "operator", True),
        ("email", "given", "list", False),
    ]
    assert (await api.get("/v1/customers/ada")).json()["consent"] == []
    csv = await api.get(CONSENTS, headers={"accept": "text/csv"})
    assert csv.text.splitlines()[0] == "channel,purpose,state,source,at,in_force"


async def test_a_consent_from_before_an_opt_out_does_not_override_it(api: Api):
    await api.http.put("/v1/customers/ada", json={})
    await api.http.post(CONSENTS, json={"channel": "email", "state": "withdrawn"})
    before = (api.harness.time - timedelta(days=1)).isoformat()
    await api.http.post(CONSENTS, json={"channel": "email", "state": "given", "at": before})
    assert (await api.get("/v1/customers/ada")).json()["consent"] == []

    api.harness.time += timedelta(days=1)
    await api.http.post(CONSENTS, json={"channel": "email", "state": "given"})
    assert (await api.get("/v1/customers/ada")).json()["consent"] == ["email"]


@pytest.mark.parametrize(
    ("update", "field"),
    [
        ({"channel": "log", "state": "given"}, "channel"),
        ({"channel": "email", "state": "maybe"}, "state"),
        ({"channel": "email", "state": "given", "source": "link"}, "source"),
        ({"channel": "email", "state": "given", "at": "2027-01-01T00:00:00Z"}, "at"),
    ],
)
async def test_an_invalid_consent_names_its_field(api: Api, update: dict[str, str], field: str):
    await api.http.put("/v1/customers/ada", json={})

    errors = problem(await api.http.post(CONSENTS, json=update), 422, "invalid-request")["errors"]

    assert [error["field"] for error in errors] == [field]


async def test_an_unknown_customer_has_no_consents(api: Api):
    update = {"channel": "email", "state": "given"}
    problem(
        await api.http.post("/v1/customers/nobody/consents", json=update), 404, "unknown-customer"
    )
    problem(await api.get("/v1/customers/nobody/consents"), 404, "unknown-customer")
    problem(await api.get(CONSENTS, **NOBODY), 401, "unauthorised")


async def test_the_unsubscribe_link_changes_nothing_until_the_button_is_pressed(api: Api):
    _, link = await send_promotion(api)

    for method in ("GET", "HEAD"):
        page = await api.http.request(method, link, **NOBODY)
        assert page.status_code in (200, 405)
    page = await api.get(link, **NOBODY)
    assert '<form method="post">' in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert await consent_rows(api) == [("email", "given", "list", True)]

    for _ in range(2):
        done = await api.http.post(link, data={"List-Unsubscribe": "One-Click"}, **NOBODY)
        assert done.status_code == 200
        assert "ada" not in done.text
    assert await consent_rows(api) == [
        ("email", "withdrawn", "link", True),
        ("email", "given", "list", False),
    ]


async def test_the_link_of_a_log_message_unsubscribes_from_marketing_on_all_channels(
    api: Api,
):
    harness = SendingHarness(api.harness.store)
    harness.now = api.harness.time
    customer = await harness.customer(consent=["email", "whatsapp"])
    message = await harness.create_message(customer, PROMOTION, "log")
    await harness.send(message)
    async with harness.store.begin() as tx:
        await tx.execute(schema.messages.update().values(unsubscribe_token="t0ken"))

    await api.http.post("/u/t0ken", **NOBODY)

    withdrawn = [row for row in await consent_rows(api) if row[1] == "withdrawn"]
    assert sorted(withdrawn) == [
        ("email", "withdrawn", "link", True),
        ("http", "withdrawn", "link", True),
        ("whatsapp", "withdrawn", "link", True),
    ]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", ["guess", "msg_1", "%00", "a" * 65, "'or'1"])
async def test_a_guessed_unsubscribe_link_is_unknown(api: Api, method: str, token: str):
    await send_promotion(api)

    answer = await api.http.request(method, f"/u/{token}", **NOBODY)

    assert answer.status_code == 404
    assert await consent_rows(api) == [("email", "given", "list", True)]


async def test_an_empty_token_matches_no_message_without_a_link(api: Api):
    harness, _ = await send_promotion(api)
    async with harness.store.begin() as tx:
        await tx.execute(schema.messages.update().values(unsubscribe_token=None))

    for token in ("", "None", "null"):
        answer: httpx.Response = await api.http.post(f"/u/{token}", **NOBODY)
        assert answer.status_code == 404


async def test_a_suppression_is_listed_without_the_address_and_can_be_lifted(api: Api):
    harness, _ = await send_promotion(api)
    (ada,) = await harness.all(schema.customers, external_id="ada")
    async with harness.store.begin() as tx:
        digest = suppressions.hash_address(ada.email)
        reason = Reason("no_mailbox", "No.")
        await suppressions.add(tx, ada.id, "email", digest, reason, harness.now)

    (shown,) = (await api.get("/v1/suppressions?customer=ada")).json()["data"]
    assert shown.keys() == {"customer", "channel", "reason", "since"}
    assert (shown["customer"], shown["reason"]["code"]) == ("ada", "no_mailbox")
    lift = "/v1/customers/ada/suppressions/email"
    assert (await api.http.delete(lift)).status_code == 204
    problem(await api.http.delete(lift), 404, "unknown-suppression")
    assert (await api.get("/v1/suppressions")).json() == {"data": [], "next": None}


async def test_a_block_is_listed_and_can_be_lifted(api: Api):
    async with api.harness.store.begin() as tx:
        await channel_suspensions.suspend(
            tx, "whatsapp", "invite", "token", "Expired.", api.harness.time
        )

    (shown,) = (await api.get("/v1/blocks")).json()["data"]
    assert (shown["channel"], shown["template"]) == ("whatsapp", "invite")
    assert shown["reason"] == {"code": "token", "message": "Expired."}
    assert (await api.http.delete(f"/v1/blocks/{shown['id']}")).status_code == 204
    problem(await api.http.delete(f"/v1/blocks/{shown['id']}"), 404, "unknown-block")


async def test_a_message_shows_when_it_was_delivered_and_why_it_waits(api: Api):
    harness, _ = await send_promotion(api)
    (row,) = await harness.all(schema.messages)
    await harness.receive_status("delivered", channel="email", reference=row.reference)

    (message,) = (await api.get("/v1/campaigns/spring/messages")).json()["data"]

    shown = {name: message[name] for name in ("state", "channel", "purpose", "reason")}
    assert shown == {
        "state": "delivered",
        "channel": "email",
        "purpose": "marketing",
        "reason": None,
    }
    assert message["delivered_at"] is not None
    assert message["not_before"] is None
    assert "token" not in message
