"""API keys and problem documents."""

import asyncio
import json

import pytest

from inbox.process import EventResponse
from referrals.errors import EventIdReusedError, NotPossibleError
from referrals.store import api_keys
from tests.api.conftest import Api
from tests.api.problems import problem

EVENT = {
    "specversion": "1.0",
    "id": "order-7781",
    "source": "shop",
    "type": "referral_converted",
    "data": {"friend": {"id": "fay"}},
}


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer rk_wrong", "Basic c2hvcDpwYXNz", "rk_", "Bearer \xff"],
)
async def test_without_a_valid_key_every_request_is_unauthorised(api: Api, header: str):
    headers = {"authorization": header.encode("latin-1")}
    for path in ("/v1/campaigns", "/v1/campaigns/none", "/v1/referrals/none"):
        response = await api.get(path, headers=headers)

        problem(response, 401, "unauthorised")
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_revoked_key_is_invalid(api: Api):
    await api_keys.revoke(api.harness.store, "shop")

    problem(await api.get("/v1/campaigns"), 401, "unauthorised")


async def test_the_caller_is_the_name_of_the_key(api: Api):
    await api.http.post("/v1/events", json=EVENT)

    assert api.inbox.calls == [("event", "order-7781", "shop")]


@pytest.mark.parametrize("path", ["/v1/nothing", "/", "/v1", "/v1/campaigns/spring/nothing"])
async def test_an_unknown_path_is_an_unknown_route(api: Api, path: str):
    problem(await api.get(path), 404, "unknown-route")


@pytest.mark.parametrize("path", ["/v1/webhooks/", "/v1/campaigns/"])
async def test_an_incomplete_path_is_not_redirected(api: Api, path: str):
    problem(await api.get(path), 404, "unknown-route")


async def test_an_unsupported_method_is_answered_405(api: Api):
    response = await api.http.delete("/v1/events")

    problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "id"),
        ({"specversion": "0.3"}, "specversion"),
        ({"type": "an order"}, "type"),
        ({"data": {}}, "data.friend"),
        ({"data": {"friend": {"id": "a\x00b"}}}, "data.friend.id"),
        ({"data": {"friend": {"id": "\ud800"}}}, "data.friend.id"),
        (
            {"data": {"friend": {"id": "f"}, "order": {"id": "1", "amount": "-5"}}},
            "data.order.amount",
        ),
        ({"data": {"friend": {"id": "f", "\ud83d": 1}}}, "data.friend"),
    ],
)
async def test_an_invalid_event_names_the_fields_at_fault(api: Api, change: dict, field: str):
    body = json.dumps(EVENT | change)  # in ASCII, for unpaired surrogates
    headers = {"content-type": "application/json"}
    response = await api.http.post("/v1/events", content=body, headers=headers)
    found = problem(response, 422, "invalid-event")

    assert field in [error["field"] for error in found["errors"]]
    assert all(error["message"] for error in found["errors"])


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"data": []}, "data", "must be a mapping of keys to values"),
        ({"source": None}, "source", "is required"),
        ({"specversion": "0.3"}, "specversion", "must be '1.0'"),
        ({"data": {"friend": {"id": "f"}, "campaign": "Sp"}}, "data.campaign", "lower-case"),
    ],
)
async def test_field_errors_are_worded_in_terms_of_json(
    api: Api, change: dict, field: str, message: str
):
    found = problem(await api.http.post("/v1/events", json=EVENT | change), 422, "invalid-event")

    (error,) = found["errors"]
    assert error["field"] == field
    assert message in error["message"]


@pytest.mark.parametrize("body", ["three", 3, {**EVENT, "data_base64": "e30="}])
async def test_an_error_of_the_whole_event_names_the_body(api: Api, body: object):
    found = problem(await api.http.post("/v1/events", json=body), 422, "invalid-event")

    assert [error["field"] for error in found["errors"]] == ["body"]
    assert found["detail"].startswith("body: ")


@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [
        ("POST", "/v1/campaigns/spring/publications", [], "invalid-request"),
        ("PUT", "/v1/customers/ada", [], "invalid-request"),
        ("PUT", "/v1/campaigns/spring", [], "invalid-campaign"),
    ],
)
async def test_a_body_must_be_a_mapping(api: Api, method: str, path: str, body: object, kind: str):
    found = problem(await api.http.request(method, path, json=body), 422, kind)

    assert found["errors"] == [{"field": "body", "message": "must be a mapping of keys to values"}]


async def test_a_missing_body_is_named(api: Api):
    found = problem(await api.http.post("/v1/events"), 422, "invalid-request")

    assert found["errors"] == [{"field": "body", "message": "is required"}]


async def test_a_reused_event_id_is_a_conflict(api: Api):
    api.inbox.answers = [EventIdReusedError("order-7781", "shop", ["data.friend.id"])]
    found = problem(await api.http.post("/v1/events", json=EVENT), 409, "event-id-reused")

    assert [error["field"] for error in found["errors"]] == ["data.friend.id"]


async def test_a_refused_command_is_answered_with_its_message(api: Api):
    api.inbox.answers = [NotPossibleError("It is closed.")]
    found = problem(await api.http.post("/v1/referrals/ref_1/approve"), 409, "not-possible")

    assert (found["title"], found["detail"]) == ("Not possible", "It is closed.")


async def test_an_unexpected_error_reveals_nothing(api: Api):
    api.inbox.answers = [RuntimeError("fay@example.com")]
    response = await api.http.post("/v1/events", json=EVENT)

    problem(response, 500, "internal")
    assert "fay@example.com" not in response.text


async def test_an_event_that_temporal_does_not_answer_in_time_is_queued(api: Api):
    api.inbox.answers = [
        EventResponse(202, {"event": "order-7781", "state": "queued", "warnings": []})
    ]
    response = await api.http.post("/v1/events", json=EVENT)

    assert (response.status_code, response.json()["state"]) == (202, "queued")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("referrals?limit=0", "limit"),
        ("referrals?limit=201", "limit"),
        ("referrals?limit=many", "limit"),
        ("referrals?after=nonsense", "after"),
        ("referrals?after=%00", "after"),
        ("referrals?state=lost", "state"),
        ("referrals?friend=a%00b", "friend"),
        ("messages?state=lost", "state"),
        ("activity?type=lost", "type"),
        ("activity?since=yesterday", "since"),
    ],
)
async def test_an_invalid_parameter_is_named(api: Api, query: str, field: str):
    response = await api.get(f"/v1/campaigns/spring/{query}")

    (error,) = problem(response, 422, "invalid-request")["errors"]
    assert error["field"] == field
    assert "Input" not in error["message"]


async def test_a_path_with_a_nul_character_is_invalid(api: Api):
    for path in ("/v1/campaigns/a%00b", "/v1/referrals/%00", "/v1/customers/%00"):
        problem(await api.get(path), 422, "invalid-request")


async def test_at_most_50_field_errors_are_listed(api: Api):
    codes = {"codes": [7] * 1000}
    response = await api.http.post("/v1/campaigns/spring/coupons/pool", json=codes)

    assert len(problem(response, 422, "invalid-request")["errors"]) == 50


async def test_a_request_that_a_shutdown_interrupts_is_answered_503(
    api: Api, monkeypatch: pytest.MonkeyPatch
):
    reached = asyncio.Event()

    async def slow(*_: object) -> EventResponse:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(api.inbox, "receive", slow)
    request = asyncio.create_task(api.http.post("/v1/events", json=EVENT))
    await reached.wait()
    request.cancel()

    problem(await request, 503, "stopping")
