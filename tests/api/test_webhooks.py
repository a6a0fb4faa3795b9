"""`/v1/webhooks`. `tests/webhooks` covers deliveries."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from entrypoints.api.main import Application
from referrals.webhooks.poster import Poster
from tests.api.conftest import Api
from tests.api.problems import problem
from tests.webhooks.receiver import Receiver

HOOKS = "/v1/webhooks"
PUBLIC = "https://93.184.216.34/hooks"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as opened:
        yield opened


@pytest.fixture
async def private(api: Api) -> AsyncIterator[Api]:
    """Return the API with webhooks to private addresses allowed."""
    held = api.http._transport.app.resources
    settings = held.settings.model_copy(update={"webhooks_allow_private": True})
    poster = Poster(allow_private=True, clock=held.clock)
    transport = httpx.ASGITransport(
        Application(replace(held, settings=settings, webhook_poster=poster))
    )
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api", headers=api.http.headers
    ) as http:
        yield replace(api, http=http)


async def create(api: Api, **body: object) -> dict:
    answer = await api.http.post(HOOKS, json={"url": PUBLIC} | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_webhook_is_created_listed_read_and_deleted(api: Api):
    created = await create(api, events=["reward_granted", "code_published"], campaign="spring")
    secret = created.pop("secret")
    listed = (await api.get(HOOKS)).json()["data"]

    assert secret.startswith("whsec_")
    assert created == {
        "id": created["id"],
        "url": PUBLIC,
        "events": ["code_published", "reward_granted"],
        "campaign": "spring",
        "enabled": True,
        "reason": None,
        "disabled_at": None,
        "failing_since": None,
        "pending": 0,
        "old_secret_until": None,
        "created_at": created["created_at"],
    }
    assert listed == [created] == [(await api.get(f"{HOOKS}/{created['id']}")).json()]
    assert (await api.http.delete(f"{HOOKS}/{created['id']}")).status_code == 204
    assert (await api.get(HOOKS)).json()["data"] == []


async def test_a_webhook_without_events_gets_all_types(api: Api):
    created = await create(api)

    assert "reward_granted" in created["events"]
    assert "referral_link_clicked" not in created["events"]
    assert created["campaign"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "https://user:secret@shop.example/"}, "url"),
        ({"url": "ftp://shop.example/"}, "url"),
        ({"url": "http://93.184.216.34/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://localhost:8080/"}, "url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": PUBLIC, "events": ["referral_link_clicked"]}, "events[0]"),
        ({"url": PUBLIC, "events": []}, "events"),
    ],
)
async def test_an_address_or_event_that_is_not_allowed_is_refused(api: Api, body: dict, field: str):
    answer = await api.http.post(HOOKS, json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert "secret" not in answer.text


async def test_a_changed_address_is_checked(api: Api):
    created = await create(api)
    answer = await api.http.patch(f"{HOOKS}/{created['id']}", json={"url": "https://10.0.0.1/"})

    assert problem(answer, 422, "invalid-request")["errors"][0]["field"] == "url"
    assert (await api.get(f"{HOOKS}/{created['id']}")).json()["url"] == PUBLIC


async def test_an_update_keeps_fields_left_out_and_null_means_all(api: Api):
    created = await create(api, events=["reward_granted"], campaign="spring")
    path = f"{HOOKS}/{created['id']}"
    moved = (await api.http.patch(path, json={"url": f"{PUBLIC}/2"})).json()
    opened = (await api.http.patch(path, json={"events": None, "campaign": None})).json()

    assert (moved["url"], moved["events"], moved["campaign"]) == (
        f"{PUBLIC}/2",
        ["reward_granted"],
        "spring",
    )
    assert len(opened["events"]) > 1
    assert opened["campaign"] is None


async def test_a_webhook_can_be_disabled_and_enabled(api: Api):
    created = await create(api)
    path = f"{HOOKS}/{created['id']}"
    disabled = (await api.http.patch(path, json={"enabled": False})).json()
    enabled = (await api.http.patch(path, json={"enabled": True, "from_now": True})).json()

    assert not disabled["enabled"]
    assert disabled["reason"] == {"code": "operator", "message": "Disabled by shop."}
    assert (enabled["enabled"], enabled["reason"], enabled["disabled_at"]) == (True, None, None)


async def test_a_rotation_returns_the_new_secret_and_when_the_old_one_expires(api: Api):
    created = await create(api)
    path = f"{HOOKS}/{created['id']}/rotate"
    by_default = (await api.http.post(path)).json()
    at_once = (await api.http.post(path, json={"keep_old": "PT1S"})).json()

    assert len({created["secret"], by_default["secret"], at_once["secret"]}) == 3
    assert by_default["old_secret_until"] > at_once["old_secret_until"]
    assert "secret" not in (await api.get(f"{HOOKS}/{created['id']}")).json()


async def test_a_test_event_is_sent_at_once_and_its_response_returned(
    private: Api, receiver: Receiver
):
    created = await create(private, url=receiver.url)
    path = f"{HOOKS}/{created['id']}"
    await private.http.patch(path, json={"enabled": False})
    receiver.replies.extend([204, 500])
    accepted = (await private.http.post(f"{path}/test")).json()
    refused = (await private.http.post(f"{path}/test")).json()

    assert accepted == {"webhook": created["id"], "accepted": True, "status": 204, "error": None}
    assert (refused["accepted"], refused["status"], refused["error"]) == (
        False,
        500,
        "answered 500",
    )
    assert receiver.types == ["webhook_test"] * 2
    assert receiver.events[0]["id"] == receiver.ids[0]
    assert receiver.received[0].signed_by(created["secret"])


async def test_a_replay_returns_the_count_and_needs_deliveries_or_a_time(api: Api):
    await api.harness.publish("spring", "ada")
    created = await create(api, events=["code_published"])
    path = f"{HOOKS}/{created['id']}"
    replayed = await api.http.post(f"{path}/replay", json={"since": "2026-01-01T00:00:00Z"})
    (delivery,) = (await api.get(f"{path}/deliveries?state=pending")).json()["data"]
    by_id = await api.http.post(f"{path}/replay", json={"deliveries": [delivery["id"]]})

    assert replayed.json() == by_id.json() == {"replayed": 1}
    assert delivery["event"] == f"act_{delivery['activity']}"
    assert (await api.get(path)).json()["pending"] == 1
    for body in ({}, {"deliveries": ["1"], "since": "2026-01-01T00:00:00Z"}):
        assert (await api.http.post(f"{path}/replay", json=body)).status_code == 422


async def test_deliveries_are_listed_in_pages(api: Api):
    for number in range(3):
        await api.harness.publish("spring", f"ada-{number}")
    created = await create(api)
    path = f"{HOOKS}/{created['id']}"
    await api.http.post(f"{path}/replay", json={"since": "2026-01-01T00:00:00Z"})
    first = (await api.get(f"{path}/deliveries?limit=2")).json()
    second = (await api.get(f"{path}/deliveries?limit=2&after={first['next']}")).json()
    as_csv = await api.get(f"{path}/deliveries", headers={"accept": "text/csv"})

    assert [d["id"] for d in first["data"] + second["data"]] == ["3", "2", "1"]
    assert second["next"] is None
    assert len(as_csv.text.splitlines()) == 4


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/test"),
        ("POST", "/rotate"),
        ("POST", "/replay"),
        ("GET", "/deliveries"),
    ],
)
async def test_an_unknown_webhook_is_answered_404(api: Api, method: str, path: str):
    body = {"since": "2026-01-01T00:00:00Z"} if path == "/replay" else {}
    content = {"json": body} if method in ("PATCH", "POST") else {}
    answer = await api.http.request(method, f"{HOOKS}/whk_none{path}", **content)

    assert problem(answer, 404, "unknown-webhook")["detail"] == "There is no webhook whk_none."
