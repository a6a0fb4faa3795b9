"""`ProviderApi`: classification of outcomes, and limits on what a vendor can make it do."""

import asyncio
import logging
import traceback
from datetime import timedelta

import httpx
import pytest

from referrals.http_client import MAX_ERROR_LENGTH, MAX_RESPONSE_BYTES, open_client
from referrals.providers import (
    OutcomeUnknownError,
    PermanentError,
    RetryableError,
    RetryAfterError,
    UnavailableError,
)
from referrals.providers.api_client import (
    IgnoredBody,
    ProviderApi,
    RequestRejectedError,
    path_segment,
)
from tests.providers.fake_endpoint import FakeEndpoint
from tests.providers.fake_vendor import LEAKED_TEXT, TOKEN

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
SECONDS = 1792567680  # DATE
CREDENTIALS = {"Authorization": f"Key-v1 {TOKEN}"}


def api(answer, timeout=60, **options) -> ProviderApi:
    """Create an API whose vendor sends this response, or the result of this function."""

    def handler(request):
        response = answer(request) if callable(answer) else answer
        return httpx.Response(
            response.status_code, headers=response.headers, stream=response.stream
        )

    client = httpx.AsyncClient(transport=httpx.MockTransport(handler), timeout=timeout)
    return ProviderApi(client, "The vendor", "https://vendor.example/base", CREDENTIALS, **options)


async def outcome(vendor: ProviderApi, *, changes_balance: bool) -> Exception:
    with pytest.raises((RetryableError, PermanentError, OutcomeUnknownError)) as raised:
        await vendor.send("POST", "/x", IgnoredBody, body={}, changes_balance=changes_balance)
    return raised.value


@pytest.mark.parametrize(
    ("response", "booking", "other", "code"),
    [
        (httpx.Response(500, json={"message": "x"}), OutcomeUnknownError, UnavailableError, None),
        (
            httpx.Response(502, text="<h1>Bad gateway</h1>"),
            OutcomeUnknownError,
            UnavailableError,
            None,
        ),
        (httpx.Response(503), OutcomeUnknownError, UnavailableError, None),
        (httpx.Response(408), OutcomeUnknownError, UnavailableError, None),
        (httpx.Response(200, text="<h1>Hello</h1>"), OutcomeUnknownError, UnavailableError, None),
        (httpx.Response(200, text="[" * 100_000), OutcomeUnknownError, UnavailableError, None),
        (
            httpx.Response(200, json=["another", "shape"]),
            OutcomeUnknownError,
            UnavailableError,
            None,
        ),
        (httpx.Response(429), RetryAfterError, RetryAfterError, None),
        (
            httpx.Response(423, json={"key": "non_active_program"}),
            RetryableError,
            RetryableError,
            None,
        ),
        (httpx.Response(425), RetryableError, RetryableError, None),
        (
            httpx.Response(400, json={"key": "multiple_requests"}),
            RetryableError,
            RetryableError,
            None,
        ),
        (httpx.Response(401), PermanentError, PermanentError, "credentials"),
        (
            httpx.Response(403, json={"key": "whatever"}),
            PermanentError,
            PermanentError,
            "credentials",
        ),
        (httpx.Response(301), PermanentError, PermanentError, "redirect"),
        (httpx.Response(404), RequestRejectedError, RequestRejectedError, "http_404"),
        (
            httpx.Response(400, json={"key": "not_published"}),
            RequestRejectedError,
            RequestRejectedError,
            "not_published",
        ),
        (
            httpx.Response(400, json={"key": "fay@example.com"}),
            RequestRejectedError,
            RequestRejectedError,
            "http_400",
        ),
        (
            httpx.Response(400, json={"key": ["?"], "errors": 7}),
            RequestRejectedError,
            RequestRejectedError,
            "http_400",
        ),
    ],
)
async def test_status_is_classified_by_whether_a_booking_is_possible(
    response, booking, other, code
):
    vendor = api(response, retryable_codes={"multiple_requests"})

    errors = [
        await outcome(vendor, changes_balance=True),
        await outcome(vendor, changes_balance=False),
    ]

    assert [type(error) for error in errors] == [booking, other]
    assert [error.code for error in errors] == [code or booking.code, code or other.code]


@pytest.mark.parametrize(
    ("error", "booking"),
    [
        (httpx.ConnectError, UnavailableError),
        (httpx.ConnectTimeout, UnavailableError),
        (httpx.PoolTimeout, UnavailableError),
        (httpx.WriteError, OutcomeUnknownError),
        (httpx.WriteTimeout, OutcomeUnknownError),
        (httpx.ReadError, OutcomeUnknownError),
        (httpx.ReadTimeout, OutcomeUnknownError),
        (httpx.RemoteProtocolError, OutcomeUnknownError),
    ],
)
async def test_only_unsent_requests_are_certainly_not_booked(error, booking):
    def fail(request):
        raise error(LEAKED_TEXT)

    errors = [
        await outcome(api(fail), changes_balance=True),
        await outcome(api(fail), changes_balance=False),
    ]

    assert [type(error) for error in errors] == [booking, UnavailableError]
    assert "fay" not in str(errors)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": "9999999999"}, 86_400),
        ({"Retry-After": "99999999999999999999"}, 60),
        ({"Retry-After": "Wed, 21 Oct 2026 07:29:30 GMT", "Date": DATE}, 90),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 1),
        ({"Retry-After": "Wed, 21 Oct 2026 07:29:30"}, 60),
        ({"Retry-After": "soon"}, 60),
        ({"X-Rate-Limit-Retry": str(SECONDS + 30), "Date": DATE}, 30),
        ({"X-Rate-Limit-Retry": "later"}, 60),
        ({}, 60),
    ],
)
async def test_rate_limit_response_sets_the_delay(headers, seconds):
    error = await outcome(api(httpx.Response(429, headers=headers)), changes_balance=True)

    assert error.after == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "body",
    [
        {"code": 400, "key": "x", "message": LEAKED_TEXT, "details": TOKEN},
        {"message": LEAKED_TEXT, "errors": [{"title": LEAKED_TEXT, "details": TOKEN}]},
        {"type": "about:blank", "title": LEAKED_TEXT, "detail": TOKEN},
    ],
)
@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_errors_contain_the_vendors_message_without_secrets_and_contact_details(status, body):
    error = await outcome(api(httpx.Response(status, json=body)), changes_balance=True)

    text = "".join(traceback.format_exception(error))
    assert "no such user" in text
    assert not any(secret in text for secret in (TOKEN, "fay@", "1234567"))


async def test_vendor_message_is_shortened_to_one_line():
    words = {"message": "no\n\x1b[31m no " * 10_000}

    error = await outcome(api(httpx.Response(400, json=words)), changes_balance=True)

    assert str(error).isprintable()
    assert len(str(error)) < MAX_ERROR_LENGTH + 50


async def test_redirect_is_neither_followed_nor_shown():
    seen = []

    def redirect(request):
        seen.append(request.url.host)
        return httpx.Response(307, headers={"Location": "https://elsewhere.example/fay@x"})

    error = await outcome(api(redirect), changes_balance=True)

    assert seen == ["vendor.example"]
    assert error.code == "redirect"
    assert "elsewhere" not in str(error)


async def test_reading_stops_at_the_size_limit():
    sent = []

    async def endless():
        while True:
            sent.append(2**20)
            yield b" " * 2**20

    error = await outcome(api(httpx.Response(200, content=endless())), changes_balance=True)

    assert type(error) is OutcomeUnknownError
    assert sum(sent) <= MAX_RESPONSE_BYTES + 2**20


async def test_slow_response_is_aborted_at_the_deadline():
    """Each chunk arrives within the read time-out, but the whole response does not."""

    async def trickle():
        while True:
            await asyncio.sleep(0.001)
            yield b" "

    async with asyncio.timeout(60):
        error = await outcome(
            api(httpx.Response(200, content=trickle()), timeout=0.02), changes_balance=True
        )

    assert type(error) is OutcomeUnknownError


async def test_client_ignores_proxies_and_redirects(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    async with open_client() as client:
        assert client._mounts == {}
        assert not client.trust_env
        assert not client.follow_redirects


async def test_urls_with_customer_ids_are_not_logged(client, start, caplog):
    caplog.set_level(logging.DEBUG)
    vendor = await start(FakeEndpoint())

    with pytest.raises(RequestRejectedError):
        await ProviderApi(client, "It", vendor.url, {}).send(
            "GET", "/fay%40example.com", IgnoredBody
        )

    assert "fay" not in caplog.text


async def test_cancelled_call_returns_its_connection(start):
    """Cancel at any point; a leaked connection would in time exhaust the pool."""
    vendor = await start(FakeEndpoint())

    async with open_client() as client:
        it = ProviderApi(client, "It", vendor.url, {})
        for rounds in range(60):
            call = asyncio.create_task(it.send("GET", "/x", IgnoredBody))
            for _ in range(rounds):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
        await vendor.wait_until_idle()

        assert all(connection.is_idle() for connection in client._transport._pool.connections)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "vendor.example",
        "ftp://vendor.example",
        "https://",
        "https://u:p@vendor.example",
        "https://vendor.example/?key=1",
    ],
)
def test_invalid_base_url_is_rejected(url):
    with pytest.raises(ValueError, match="must look like https") as refused:
        ProviderApi(httpx.AsyncClient(), "The vendor", url, {})

    assert "u:p" not in str(refused.value)


@pytest.mark.parametrize("customer", ["", ".", ".."])
def test_customer_id_that_changes_the_path_is_rejected(customer):
    with pytest.raises(PermanentError, match="must not be empty"):
        path_segment(customer)
