"""`examples/sms_bridge.py` connects the channel `http` to an SMS service: a message there, and its statuses back."""

import importlib.util
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from referrals.channels.http_messages import HttpChannel
from referrals.clock import utc_now
from referrals.http_client import open_client
from referrals.store import Store, schema
from tests.api.test_message_callbacks import open_http
from tests.call_graph import ROOT
from tests.channels.fake_message_endpoint import SECRET
from tests.channels.test_http import MESSAGE
from tests.store.messaging.sending_harness import PROMOTION, REWARD, SendingHarness

BRIDGE = ROOT / "examples" / "sms_bridge.py"
TOKEN = {"Authorization": "sms-t0ken"}


@dataclass
class SmsService:
    """SMS service that accepts every SMS, or answers with the responses of the test."""

    sms: list[dict[str, str]] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)

    async def receive(self, request: Request) -> Response:
        assert request.headers["Authorization"] == TOKEN["Authorization"]
        if self.responses:
            return self.responses.pop()
        self.sms.append(await request.json())
        return JSONResponse({"id": f"sms-{len(self.sms)}"}, 201)


@dataclass
class Bridged:
    harness: SendingHarness
    bridge: httpx.AsyncClient
    service: SmsService

    async def send(self, template: str = REWARD, **customer: Any) -> str:
        customer_id = await self.harness.customer(consent=["http", "email"], **customer)
        message = await self.harness.create_message(customer_id, template, "http", "email")
        await self.harness.try_to_send(message)
        return message

    async def report(self, status: str, number: int = 1, **values: str) -> int:
        """Send a callback of the SMS service, and return the status of the response."""
        reference = self.service.sms[number - 1]["client_reference"]
        body = {"id": f"sms-{number}", "client_reference": reference, "status": status} | values
        return (await self.bridge.post("/sms-status", json=body, headers=TOKEN)).status_code


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    for name, value in {
        "REFERRALS_HTTP_MESSAGES_SECRET": SECRET,
        "REFERRALS_PUBLIC_URL": "https://go.example",
        "SMS_URL": "https://sms.example",
        "SMS_TOKEN": TOKEN["Authorization"],
        "SMS_DATABASE": str(tmp_path / "sms.db"),
    }.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("sms_bridge", BRIDGE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def bridged(store: Store, module: ModuleType) -> AsyncIterator[Bridged]:
    service, harness = SmsService(), await SendingHarness(store).open()
    harness.now = utc_now()
    sms_app = Starlette(routes=[Route("/sms", service.receive, methods=["POST"])])
    to_bridge = httpx.ASGITransport(module.app)
    async with (
        open_http(store, harness, http_messages_secret=SecretStr(SECRET)) as api,
        open_client(transport=to_bridge) as client,
        httpx.AsyncClient(transport=to_bridge, base_url="https://bridge.example") as bridge,
    ):
        mounts = {
            "https://sms.example": httpx.ASGITransport(sms_app),
            "https://go.example": api._transport,
        }
        await module.http.aclose()
        module.http = httpx.AsyncClient(mounts=mounts)
        url = "https://bridge.example/messages"
        harness.use({"http": HttpChannel(client, url, SecretStr(SECRET)), "email": harness.email})
        yield Bridged(harness, bridge, service)
        await module.http.aclose()
        module.sent.close()


pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_message_becomes_an_sms_whose_status_comes_back(bridged: Bridged):
    message = await bridged.send()
    (sms,) = bridged.service.sms
    assert sms["to"].startswith("+49151")
    assert await bridged.harness.outcome(message) == ("sent", "http", None)

    for _ in range(2):
        assert await bridged.report("delivered") == 200
    assert await bridged.harness.outcome(message) == ("delivered", "http", None)


async def test_marketing_says_how_to_unsubscribe_and_stop_ends_it(bridged: Bridged):
    await bridged.send(PROMOTION)
    assert "https://go.example/u/" in bridged.service.sms[0]["text"]

    assert await bridged.report("stop") == 200
    (ada,) = await bridged.harness.all(schema.customers)
    assert await bridged.harness.marketing_channels(ada.id) == ["email"]


async def test_a_lost_sms_goes_out_by_email(bridged: Bridged):
    message = await bridged.send()
    assert await bridged.report("lost", error="invalid_number") == 200
    await bridged.harness.send(message)

    assert await bridged.harness.outcome(message) == ("sent", "email", None)
    assert len(await bridged.harness.all(schema.suppressions)) == 1


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (JSONResponse({"error": "invalid_number"}, 400), ("sent", "email", None)),
        (JSONResponse({"error": "too_many"}, 429), ("pending", None, "unavailable")),
        (JSONResponse({"error": "no_credit"}, 402), ("pending", None, "blocked")),
    ],
)
async def test_a_refusal_of_the_service(bridged: Bridged, response: Response, outcome: Any):
    bridged.service.responses.append(response)

    assert await bridged.harness.outcome(await bridged.send()) == outcome


async def test_without_a_phone_number_the_next_channel_is_used(bridged: Bridged):
    message = await bridged.send(phone=None)

    assert await bridged.harness.outcome(message) == ("sent", "email", None)


async def test_a_repeated_request_sends_no_second_sms(bridged: Bridged):
    channel = bridged.harness.activities.channels["http"]
    references = [await channel.send(MESSAGE) for _ in range(3)]

    assert references == ["sms-1"] * 3
    assert len(bridged.service.sms) == 1


async def test_forged_requests_are_refused(bridged: Bridged):
    await bridged.send()
    headers = {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
    forged = await bridged.bridge.post("/messages", json={}, headers=headers)
    status = await bridged.bridge.post("/sms-status", json={}, headers={"Authorization": "x"})

    assert (forged.status_code, status.status_code) == (401, 401)
    assert len(BRIDGE.read_text("utf-8").splitlines()) <= 80
