"""`/hooks/whatsapp`: responses to Meta's callbacks, and what is recorded of them."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from entrypoints.api import whatsapp_callbacks
from entrypoints.api.main import Application
from entrypoints.api.request_bodies import MAX_BODY_BYTES
from entrypoints.api.resources import AppResources
from referrals.clock import utc_now
from referrals.domain.message_status import MarketingPreference, MessageStatus
from referrals.settings import Settings
from tests.api.problems import problem
from tests.channels.fake_graph_api import Sent, Template
from tests.channels.fake_whatsapp_webhooks import (
    APP_SECRET,
    VERIFY_TOKEN,
    Hook,
    disorder,
    hook,
    preference,
    sign,
    status,
    story,
)

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
URL = "/hooks/whatsapp"
TEMPLATE = Template.model_construct(name="invite")


def sent(number: int = 1) -> Sent:
    return Sent(f"wamid.{number}", f"msg-{number}", "+4915112345678", "utility", TEMPLATE, NOW)


@dataclass
class Api:
    http: httpx.AsyncClient
    statuses: list[MessageStatus] = field(default_factory=list)
    preferences: list[MarketingPreference] = field(default_factory=list)
    broken: bool = False

    async def record(self, _: Any, statuses: Any, preferences: Any, now: datetime) -> None:
        if self.broken:
            raise RuntimeError("the database is away")
        self.statuses += statuses
        self.preferences += preferences

    async def post(self, hook: Hook) -> httpx.Response:
        return await self.http.post(URL, content=hook.body, headers=hook.headers)

    async def post_signed(self, body: bytes) -> httpx.Response:
        return await self.post(Hook(body, sign(body)))


def open_http(**settings: Any) -> httpx.AsyncClient:
    unused: Any = dict.fromkeys(field.name for field in fields(AppResources))
    resources = AppResources(**unused | {"settings": Settings(**settings), "clock": utc_now})
    transport = httpx.ASGITransport(Application(resources), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://api")


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    secrets = {"app_secret": SecretStr(APP_SECRET), "verify_token": SecretStr(VERIFY_TOKEN)}
    async with open_http(
        **{f"whatsapp_{name}": value for name, value in secrets.items()}
    ) as opened:
        yield opened


@pytest.fixture
def api(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(http)
    monkeypatch.setattr(whatsapp_callbacks, "record_callback", api.record)
    return api


def challenge(**changes: str) -> dict[str, str]:
    shown = {"mode": "subscribe", "challenge": "1158201444", "verify_token": VERIFY_TOKEN}
    return {f"hub.{name}": value for name, value in (shown | changes).items()}


async def test_meta_subscribes_with_the_verify_token(api: Api):
    response = await api.http.get(URL, params=challenge())

    assert (response.status_code, response.text) == (200, "1158201444")
    assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "changes",
    [
        {"verify_token": "another"},
        {"verify_token": ""},
        {"verify_token": "v\u00e9rify\ud83d".encode("utf-8", "replace").decode()},
        {"mode": "unsubscribe"},
        {"challenge": "1" * 256},
    ],
)
async def test_a_wrong_verify_token_is_refused(api: Api, changes: dict[str, str]):
    problem(await api.http.get(URL, params=challenge(**changes)), 403, "not-from-whatsapp")
    problem(await api.http.get(URL), 403, "not-from-whatsapp")


@pytest.mark.parametrize("secret", [None, SecretStr("")])
async def test_without_secrets_every_callback_is_refused(secret: SecretStr | None):
    """An empty secret counts as none, because everybody could sign with it."""
    settings = {"whatsapp_app_secret": secret, "whatsapp_verify_token": secret}
    signed = hook(status(sent(), "read", NOW))
    async with open_http(**settings) as http:
        subscription = await http.get(URL, params=challenge(verify_token=""))
        signature = {"X-Hub-Signature-256": sign(signed.body, "")}
        callback = await http.post(URL, content=signed.body, headers=signature)

    assert (subscription.status_code, callback.status_code) == (403, 403)


async def test_each_status_is_recorded_with_the_message_key(api: Api):
    states = ["sent", "delivered", "read"]
    response = await api.post(hook(*(status(sent(), state, NOW) for state in states)))

    assert (response.status_code, response.content) == (200, b"")
    assert api.statuses == [MessageStatus("msg-1", "wamid.1", state, NOW) for state in states]


# By the table of Meta's codes.
KINDS = {
    "unreachable": [131026],
    "opted_out": [131050],
    "unavailable": [1, 2, 4, 80007, 130429, 131000, 131016, 131056, 131057, 132015, 135000],
    "blocked": [0, 3, 10, 190, 200, 299, 131005, 131048, 131064],
    "refused": [100, 131008, 131009, 131021, 131030, 131047, 131049, 130472, 131051, 130497],
}
KINDS["blocked"] += [33, 133000, 133005, 133006, 133010]
KINDS["blocked"] += [368, 131031, 131037, 131042, 131045]
KINDS["blocked"] += [132000, 132001, 132005, 132007, 132008, 132012]
KINDS["refused"] += [131063, 132016, 4711]


@pytest.mark.parametrize(
    ("code", "kind"), [(code, kind) for kind, codes in KINDS.items() for code in codes]
)
async def test_a_late_failure_has_the_meaning_of_an_immediate_one(api: Api, code: int, kind: str):
    await api.post(hook(status(sent(), "failed", NOW, code)))

    (found,) = api.statuses
    assert (found.key, found.state, found.kind, found.at) == ("msg-1", "failed", kind, NOW)
    assert found.code
    assert str(found.message).startswith(f"WhatsApp reported error {code}: ")
    assert (found.scope == "template") is (kind == "blocked" and 132000 <= code < 133000)
    assert "4915112345678" not in str(found)


async def test_a_late_failure_that_meta_calls_passing_is_retried(api: Api):
    failed = status(sent(), "failed", NOW, 4711)
    failed["errors"][0]["is_transient"] = True
    await api.post(hook(failed))

    (found,) = api.statuses
    assert (found.kind, found.code) == ("unavailable", "transient")


async def test_a_preference_is_recorded_with_the_address_and_the_time(api: Api):
    stop = preference("+4915112345678", "stop", NOW)
    resume = preference("+4915112345678", "resume", NOW + timedelta(days=1))
    await api.post(hook(preferences=[stop, resume | {"timestamp": str(resume["timestamp"])}]))

    assert api.preferences == [
        MarketingPreference("whatsapp", "+4915112345678", "stop", NOW),
        MarketingPreference("whatsapp", "+4915112345678", "resume", NOW + timedelta(days=1)),
    ]


@pytest.mark.parametrize(
    ("reported", "known"),
    [
        ("551187654321", "+5511987654321"),
        ("5511987654321", "+5511987654321"),
        ("5215512345678", "+525512345678"),
        ("525512345678", "+525512345678"),
        ("541112345678", "+5491112345678"),
        ("5491112345678", "+5491112345678"),
        ("16505551234", "+16505551234"),
    ],
)
async def test_an_opt_out_is_found_by_the_stored_form_of_the_number(
    api: Api, reported: str, known: str
):
    """Meta's ids of Brazilian, Mexican and Argentine numbers are not always in E.164 form."""
    await api.post(hook(preferences=[preference(reported, "stop", NOW)]))

    addresses = [preference.address for preference in api.preferences]
    assert known in addresses
    assert f"+{reported}" in addresses
    assert len(addresses) == len(set(addresses)) <= 2


@pytest.mark.parametrize("seed", range(10))
async def test_exactly_the_signed_callbacks_are_recorded_in_any_order(api: Api, seed: int):
    random = Random(seed)
    statuses = [
        one for n in range(20) for one in story(sent(n), random, random.choice([None, 131026]))
    ]

    for one in disorder(statuses, random):
        response = await api.post(one)
        assert response.status_code == (200 if one.genuine else 403)

    assert {(found.key, found.state) for found in api.statuses} == {
        (one["biz_opaque_callback_data"], one["status"]) for one in statuses
    }


async def test_the_signature_is_over_the_raw_bytes(api: Api):
    """Meta escapes some characters; the same JSON in other bytes has another signature."""
    body = json.dumps(
        {"entry": [{"changes": [{"value": {"statuses": [status(sent(), "read", NOW)]}}]}]}
        | {"note": "ä/ö\u2028"},
        indent=3,
    ).replace("/", r"\/")
    signature = sign(body.encode())

    assert (await api.post(Hook(body.encode(), signature))).status_code == 200
    reencoded = json.dumps(json.loads(body)).encode()
    problem(await api.post(Hook(reencoded, signature)), 403, "not-from-whatsapp")
    assert len(api.statuses) == 1


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        sign(b"{}", "another"),
        sign(b"{}").removeprefix("sha256="),
        sign(b"{}").replace("sha256", "sha1"),
        sign(b"{}").upper(),
        sign(b"{}") + "0",
        "sha256=\u00e9",
    ],
)
async def test_an_unsigned_callback_is_refused(api: Api, signature: str):
    headers = {"X-Hub-Signature-256": signature.encode("latin-1")}
    response = await api.http.post(URL, content=b"{}", headers=headers)

    problem(response, 403, "not-from-whatsapp")
    problem(await api.http.post(URL, content=b"{}"), 403, "not-from-whatsapp")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"nonsense",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 10_000,
        b"null",
        b"[]",
        b'{"entry": null}',
        b'{"entry": {"changes": []}}',
        b'{"entry": [null, 1, [], {"changes": 7}, {"changes": [null, {"value": "x"}]}]}',
        b'{"entry": [{"changes": [{"value": {"statuses": [null, 1, {}, []]}}]}]}',
        b'{"entry": [{"changes": [{"value": {"user_preferences": {"wa_id": "1"}}}]}]}',
        b'{"entry": [{"changes": [{"value": {"messages": [{"from": "49151", "type": "text"}]}}]}]}',
    ],
)
async def test_every_signed_callback_is_answered_200(api: Api, body: bytes):
    assert (await api.post_signed(body)).status_code == 200
    assert (api.statuses, api.preferences) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "deleted"},
        {"status": None},
        {"timestamp": "soon"},
        {"timestamp": "9" * 400},
        {"timestamp": None},
        {"timestamp": "2026-03-04T10:00:00"},
        {"id": None},
        {"id": "w" * 256},
        {"id": "w\x00"},
        {"id": "w\ud800"},
        {"biz_opaque_callback_data": 7},
        {"biz_opaque_callback_data": "k" * 513},
        {"biz_opaque_callback_data": "k\x00"},
    ],
)
async def test_an_invalid_status_does_not_affect_the_others(api: Api, changes: dict[str, Any]):
    read = status(sent(), "read", NOW)
    response = await api.post(hook(read | changes, read))

    assert response.status_code == 200
    assert [found.key for found in api.statuses] == ["msg-1"]


@pytest.mark.parametrize("errors", [None, [], {}, "x", [None], [{"code": "x"}], [{"code": True}]])
async def test_a_failure_without_a_reason_is_recorded(api: Api, errors: Any):
    failed = status(sent(), "failed", NOW) | {"errors": errors}
    await api.post(hook(failed | {"biz_opaque_callback_data": None}))

    (found,) = api.statuses
    assert (found.key, found.reference, found.state) == (None, "wamid.1", "failed")
    assert (found.kind, found.code) == ("refused", "unknown_error")


async def test_a_too_large_callback_is_refused(api: Api):
    problem(await api.post_signed(b" " * (MAX_BODY_BYTES + 1)), 413, "body-too-large")


async def test_a_callback_that_could_not_be_stored_is_not_answered_200(api: Api):
    """Meta retries for seven days."""
    signed, api.broken = hook(status(sent(), "read", NOW)), True
    assert (await api.post(signed)).status_code == 500

    api.broken = False
    assert (await api.post(signed)).status_code == 200
    assert len(api.statuses) == 1
