"""The fake Graph API rejects what Meta rejects."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.channels.fake_graph_api import NUMBER_ID, FakeGraph
from tests.providers.fake_vendor import TOKEN, serve

BODY = {"type": "body", "parameters": [{"type": "text", "text": "Ada"}]}
BUTTON = {"type": "button", "sub_type": "url", "index": "0", "parameters": BODY["parameters"]}
TEMPLATE = {
    "name": "invite",
    "language": {"policy": "deterministic", "code": "en_US"},
    "components": [BODY, BUTTON],
}
MESSAGE = {
    "messaging_product": "whatsapp",
    "recipient_type": "individual",
    "to": "+4915112345678",
    "type": "template",
    "template": TEMPLATE,
    "biz_opaque_callback_data": "msg-1",
}


@pytest.fixture
async def graph() -> AsyncIterator[FakeGraph]:
    fake = FakeGraph()
    fake.approve("invite", "en_US", "de", category="marketing", body=1, buttons=1)
    stop = await serve(fake)
    yield fake
    await stop()


async def post(graph: FakeGraph, body: Any, token: str = TOKEN) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
        return await client.post(f"{graph.url}/v23.0/{NUMBER_ID}/messages", json=body)


def template(**changes: Any) -> dict[str, Any]:
    return {"template": TEMPLATE | changes}


def parameters(*found: Any) -> dict[str, Any]:
    return template(components=[BODY | {"parameters": list(found)}, BUTTON])


async def test_documented_request_is_accepted(graph: FakeGraph):
    response = (await post(graph, MESSAGE)).json()

    assert response["contacts"] == [{"input": "+4915112345678", "wa_id": "4915112345678"}]
    assert [sent.wamid for sent in graph.sent] == [response["messages"][0]["id"]]


@pytest.mark.parametrize(
    "changes",
    [
        {"idempotency_key": "1"},
        {"messaging_product": "sms"},
        {"to": "4915112345678"},
        {"to": "+49 151"},
        {"biz_opaque_callback_data": "k" * 513},
        {"type": "text", "text": {"body": "Hello"}},
        template(language={"code": "en_US"}),
        template(language={"policy": "deterministic", "code": "en-US"}),
        template(components=[BODY, BUTTON | {"index": 0}]),
        template(components=[BODY, BUTTON | {"index": "1"}]),
        template(components=[BODY, BODY, BUTTON]),
        template(components=[BODY | {"index": "0"}, BUTTON]),
        template(components=[{"type": "footer", "parameters": []}]),
        parameters(),
        parameters({"type": "text", "text": ""}),
        parameters({"type": "text", "text": "two\nlines"}),
        parameters({"type": "text", "text": "five     spaces"}),
        parameters({"type": "text", "text": "Ada", "name": "friend"}),
        parameters({"type": "currency", "currency": {"code": "EUR", "amount_1000": 1}}),
    ],
)
async def test_undocumented_request_is_rejected(graph: FakeGraph, changes: Any):
    response = await post(graph, MESSAGE | changes)

    assert (response.status_code, response.json()["error"]["code"]) == (400, 100)
    assert len(graph.undocumented_requests) == 1
    assert graph.sent == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (template(name="invites"), 132001),
        (template(language={"policy": "deterministic", "code": "fr"}), 132001),
        (template(components=[BODY]), 132000),
        (template(components=[BUTTON]), 132000),
        (parameters({"type": "text", "text": "a"}, {"type": "text", "text": "b"}), 132000),
    ],
)
async def test_template_with_other_parameters_than_approved_is_rejected(
    graph: FakeGraph, changes: Any, code: int
):
    assert (await post(graph, MESSAGE | changes)).json()["error"]["code"] == code
    assert graph.sent == []


async def test_a_recipient_gets_at_most_one_message_in_six_seconds(graph: FakeGraph):
    await post(graph, MESSAGE)

    assert (await post(graph, MESSAGE)).json()["error"]["code"] == 131056
    assert (await post(graph, MESSAGE | {"to": "+4915112345679"})).status_code == 200


async def test_invalid_token_is_rejected(graph: FakeGraph):
    response = await post(graph, MESSAGE, token="another")

    assert (response.status_code, response.json()["error"]["code"]) == (401, 190)
