"""`/hooks/messages`: signatures, bodies, and what is recorded of them."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from entrypoints.api.main import Application
from entrypoints.api.message_callbacks import MAX_BODY_BYTES
from entrypoints.api.resources import AppResources
from referrals.settings import Settings
from referrals.store import Store, schema
from tests.api.problems import problem
from tests.channels.fake_message_endpoint import SECRET, sign
from tests.store.messaging.sending_harness import PROMOTION, REWARD, SendingHarness

URL = "/hooks/messages"
OTHER_SECRET = "whsec_" + "b3RoZXIg" * 5


@dataclass
class Callbacks:
    """The API, and an endpoint that reports statuses of a sent message."""

    http: httpx.AsyncClient
    harness: SendingHarness

    async def send(self, template: str = REWARD, *channels: str) -> str:
        """Send ada a message, and return its id."""
        customer = await self.harness.customer(consent=["email", "http"])
        message = await self.harness.create_message(customer, template, *channels or ["http"])
        await self.harness.send(message)
        return message

    async def report(self, status: str, **values: Any) -> httpx.Response:
        """Report a status of the latest message."""
        (message,) = await self.harness.all(schema.messages)
        return await self.post({"key": message.key, "status": status} | values)

    async def post(
        self, body: Any, *, at: datetime | None = None, secret: str = SECRET, **headers: str
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = sign(content, at or self.harness.now, secret)
        encoded = {name: value.encode() for name, value in (signed | headers).items()}
        return await self.http.post(URL, content=content, headers=encoded)


def open_http(store: Any, harness: SendingHarness, **settings: Any) -> httpx.AsyncClient:
    unused: Any = dict.fromkeys(field.name for field in fields(AppResources))
    known = {"settings": Settings(**settings), "store": store, "clock": lambda: harness.now}
    transport = httpx.ASGITransport(
        Application(AppResources(**unused | known)), raise_app_exceptions=False
    )
    return httpx.AsyncClient(transport=transport, base_url="http://api")


@pytest.fixture
async def callbacks(store: Store) -> AsyncIterator[Callbacks]:
    harness = await SendingHarness(store).open()
    async with open_http(store, harness, http_messages_secret=SecretStr(SECRET)) as http:
        yield Callbacks(http, harness)


async def test_statuses_move_a_message_forward_in_any_order_and_twice(callbacks: Callbacks):
    message = await callbacks.send()
    for status in ("sent", "read", "delivered", "read"):
        response = await callbacks.report(status, reference="ref-1")
        assert (response.status_code, response.content) == (204, b"")

    assert await callbacks.harness.outcome(message) == ("read", "http", None)
    assert await callbacks.harness.logged() == ["message_sent", "message_delivered"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "refused"),
        ({"reason": "refused", "message": "Number blocked: +49 151 12345678"}, "refused"),
        ({"reason": "unreachable"}, "unreachable"),
        ({"reason": "opted_out"}, "opted_out"),
    ],
)
async def test_a_failure_reported_later_fails_the_message(
    callbacks: Callbacks, values: dict[str, str], reason: str
):
    message = await callbacks.send()
    await callbacks.report("failed", reference="ref-1", **values)

    row = await callbacks.harness.message(message)
    assert (row.state, row.reason_code) == ("failed", reason)
    assert "12345678" not in row.reason
    suppressed = await callbacks.harness.all(schema.suppressions)
    assert bool(suppressed) is (reason == "unreachable")


async def test_a_failure_reported_later_selects_the_next_channel(callbacks: Callbacks):
    message = await callbacks.send(REWARD, "http", "email")
    await callbacks.report("failed", reference="ref-1", reason="refused")
    await callbacks.harness.send(message)

    assert await callbacks.harness.outcome(message) == ("sent", "email", None)
    await callbacks.report("failed", reference="ref-1", reason="refused")
    assert await callbacks.harness.outcome(message) == ("sent", "email", None)


async def test_who_answers_stop_gets_no_more_marketing_on_this_channel(callbacks: Callbacks):
    message = await callbacks.send(PROMOTION)
    for _ in range(2):
        await callbacks.report("opted_out")

    assert await callbacks.harness.outcome(message) == ("delivered", "http", None)
    (consent,) = await callbacks.harness.all(schema.consents, source="http")
    assert (consent.channel, consent.purpose) == ("http", "marketing")
    assert consent.state == "withdrawn"
    (ada,) = await callbacks.harness.all(schema.customers)
    assert await callbacks.harness.marketing_channels(ada.id) == ["email"]


async def test_the_time_of_a_status_is_respected_but_never_in_the_future(callbacks: Callbacks):
    message, now = await callbacks.send(), callbacks.harness.now
    await callbacks.report("delivered", at=(now - timedelta(hours=1)).isoformat())
    await callbacks.report("read", at=(now + timedelta(hours=1)).isoformat())

    row = await callbacks.harness.message(message)
    assert (row.delivered_at, row.read_at) == (now - timedelta(hours=1), now)


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,\u00e9"},
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": "1772625601"},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "\u00b2"},
        {"webhook-timestamp": "9" * 400},
    ],
)
async def test_a_changed_request_is_refused(callbacks: Callbacks, changes: dict[str, str]):
    await callbacks.send()
    (message,) = await callbacks.harness.all(schema.messages)
    response = await callbacks.post({"key": message.key, "status": "read"}, **changes)

    problem(response, 403, "invalid-signature")
    assert (await callbacks.harness.message(message.id)).state == "sent"


async def test_only_fresh_requests_with_our_secret_are_accepted(callbacks: Callbacks):
    await callbacks.send()
    (message,) = await callbacks.harness.all(schema.messages)
    body, now = {"key": message.key, "status": "read"}, callbacks.harness.now

    for late in (timedelta(minutes=6), -timedelta(minutes=6)):
        problem(await callbacks.post(body, at=now + late), 403, "invalid-signature")
    problem(await callbacks.post(body, secret=OTHER_SECRET), 403, "invalid-signature")
    problem(await callbacks.http.post(URL, json=body), 403, "invalid-signature")
    signatures = sign(json.dumps(body).encode(), now)["webhook-signature"]
    rotated = {"webhook-signature": f"v1,b2xk {signatures}"}
    assert (await callbacks.post(body, **rotated)).status_code == 204


@pytest.mark.parametrize("secret", [None, SecretStr("")])
async def test_without_a_secret_every_request_is_refused(
    callbacks: Callbacks, secret: SecretStr | None
):
    body = b"{}"
    harness = callbacks.harness
    async with open_http(harness.store, harness, http_messages_secret=secret) as http:
        response = await http.post(URL, content=body, headers=sign(body, harness.now, "whsec_"))

    problem(response, 403, "invalid-signature")


async def test_a_message_that_was_not_sent_by_this_channel_is_unknown(callbacks: Callbacks):
    await callbacks.send(REWARD, "email")

    problem(await callbacks.report("read"), 404, "unknown-message")
    response = await callbacks.post({"key": "spring/other", "status": "read"})
    problem(response, 404, "unknown-message")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status": "lost"}, "status"),
        ({"status": None}, "status"),
        ({"key": ""}, "key"),
        ({"key": "k\x00"}, "key"),
        ({"at": "yesterday"}, "at"),
        ({"at": 1}, "at"),
        ({"reference": "r" * 256}, "reference"),
        ({"reason": "refused"}, "body"),
        ({"status": "failed", "reason": "bad_luck"}, "reason"),
        ({"state": "read"}, "state"),
    ],
)
async def test_an_invalid_status_names_its_field(
    callbacks: Callbacks, changes: dict[str, Any], field: str
):
    response = await callbacks.post({"key": "spring/x", "status": "read"} | changes)
    errors = problem(response, 422, "invalid-request")["errors"]

    assert [error["field"] for error in errors] == [field]


@pytest.mark.parametrize("body", [b"", b"nonsense", b"\xff", b"[" * 10_000])
async def test_a_body_that_is_not_json_is_malformed(callbacks: Callbacks, body: bytes):
    problem(await callbacks.post(body), 400, "malformed-body")


async def test_a_large_body_is_refused_before_it_is_read(callbacks: Callbacks):
    problem(await callbacks.post(b" " * (MAX_BODY_BYTES + 1)), 413, "body-too-large")
