"""`POST /v1/events`: one event and batches."""

import asyncio
from typing import Any

import pytest

from inbox.process import EventResponse
from tests.api.conftest import Api
from tests.api.problems import problem

BATCH = {"content-type": "application/cloudevents-batch+json"}


def event(number: str, friend: str = "fay", **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": number,
        "source": "shop",
        "type": "referral_converted",
        "data": {"friend": {"id": friend}} | data,
    }


@pytest.mark.parametrize(
    "kind", ["application/cloudevents+json", "application/json", "application/json; charset=utf-8"]
)
async def test_one_event_is_answered_with_its_result(api: Api, kind: str):
    response = await api.http.post("/v1/events", json=event("1"), headers={"content-type": kind})

    assert (response.status_code, response.json()["event"]) == (200, "1")


@pytest.mark.parametrize("headers", [BATCH, {"content-type": "application/json"}])
async def test_a_batch_is_answered_with_one_result_per_event_in_order(
    api: Api, headers: dict[str, str]
):
    events = [event(str(number), friend=f"friend-{number}") for number in range(50)]
    response = await api.http.post("/v1/events", json=events, headers=headers)

    assert response.status_code == 200
    assert [answer["event"] for answer in response.json()] == [str(n) for n in range(50)]


async def test_an_invalid_event_in_a_batch_does_not_affect_the_others(api: Api):
    events = [event("1"), {"id": "2"}, "three", None, event("5", friend="gil")]
    answers = (await api.http.post("/v1/events", json=events, headers=BATCH)).json()

    assert [answer.get("event") for answer in answers] == ["1", "2", None, None, "5"]
    assert [answer.get("status") for answer in answers] == [None, 422, 422, 422, None]
    assert answers[1]["type"] == "urn:referrals:problem:invalid-event"


async def test_an_unexpected_error_in_a_batch_does_not_affect_the_others(api: Api):
    api.inbox.answers = [RuntimeError("fay@example.com")]
    response = await api.http.post("/v1/events", json=[event("1"), event("2", friend="gil")])

    assert (response.json()[0]["event"], response.json()[0]["status"]) == ("1", 500)
    assert response.json()[1]["event"] == "2"
    assert "fay@example.com" not in response.text


async def test_an_empty_batch_has_no_results(api: Api):
    response = await api.http.post("/v1/events", json=[], headers=BATCH)

    assert (response.status_code, response.json()) == (200, [])
    assert api.inbox.calls == []


@pytest.mark.parametrize("body", [{}, "text", 1])
async def test_a_batch_must_be_an_array(api: Api, body: Any):
    problem(await api.http.post("/v1/events", json=body, headers=BATCH), 422, "invalid-batch")
    assert api.inbox.calls == []


async def test_a_batch_has_at_most_1000_events(api: Api):
    events = [event(str(number)) for number in range(1001)]

    problem(await api.http.post("/v1/events", json=events, headers=BATCH), 422, "invalid-batch")
    assert api.inbox.calls == []


async def test_events_of_one_friend_or_order_are_processed_in_their_order(api: Api):
    """Other events do not wait for them, however long they take."""
    order = {"id": "7781", "amount": "10.00", "currency": "EUR"}
    events = [
        event("sign-up") | {"type": "referral_signed_up"},
        event("order", order=order),
        event("other", friend="gil"),
        {**event("refund"), "type": "order_refunded", "data": {"order": {"id": "7781"}}},
    ]
    events[0]["data"]["code"] = "SPRING-1"
    done: list[str] = []
    real = api.inbox.receive

    async def slow(raw: Any, actor: str) -> EventResponse:
        for _ in range({"sign-up": 30, "order": 20, "other": 10, "refund": 0}[raw["id"]]):
            await asyncio.sleep(0)
        answered = await real(raw, actor)
        done.append(raw["id"])
        return answered

    api.inbox.receive = slow
    await api.http.post("/v1/events", json=events, headers=BATCH)

    assert done == ["other", "sign-up", "order", "refund"]
