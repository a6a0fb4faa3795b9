"""Channel `http`: request, responses, lost responses and addresses."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from starlette.responses import JSONResponse, PlainTextResponse, Response

from referrals.addresses import CheckedTransport
from referrals.channels import OutgoingMessage
from referrals.channels.errors import (
    AddressUnreachable,
    ChannelSuspended,
    ChannelUnavailable,
    MessageRejected,
    RecipientOptedOut,
    SendOutcomeUnknown,
)
from referrals.channels.http_messages import HttpChannel, open_http_messages
from referrals.channels.message_content import HttpMessage, MessageContent
from referrals.http_client import open_client
from referrals.settings import Settings
from tests.channels.fake_message_endpoint import SECRET, FakeMessageEndpoint
from tests.providers.fake_vendor import FAULTS, LEAKED_TEXT, open_impatient_client, serve

CONTACTS = {"customer": "fay", "email": "fay@example.com", "phone": "+4915112345678"}
CONTENT = MessageContent(
    "Welcome", "Long text", purpose="service", http=HttpMessage("Hi Fay", {"link": "https://x"})
)
MESSAGE = OutgoingMessage(
    key="spring/journey/ref_1/0",
    campaign="spring",
    template="thank_friend",
    to=json.dumps(CONTACTS),
    recipient_name="Fay",
    content=replace(CONTENT, locale="de-AT"),
    unsubscribe_url="https://go.example/u/t0ken",
)


@pytest.fixture
async def endpoint() -> AsyncIterator[FakeMessageEndpoint]:
    fake = FakeMessageEndpoint(seed=1)
    stop = await serve(fake)
    yield fake
    await stop()


@pytest.fixture
async def channel(endpoint: FakeMessageEndpoint) -> AsyncIterator[HttpChannel]:
    async with open_impatient_client(endpoint) as client:
        yield HttpChannel(client, f"{endpoint.url}/messages", SecretStr(SECRET))
    assert endpoint.undocumented_requests == []


async def test_the_endpoint_gets_everything_that_it_needs_to_send(
    endpoint: FakeMessageEndpoint, channel: HttpChannel
):
    assert await channel.send(MESSAGE) == "sms-1"

    (sent,) = endpoint.sent
    assert sent.model_dump() == {
        "key": "spring/journey/ref_1/0",
        "campaign": "spring",
        "template": "thank_friend",
        "purpose": "service",
        "locale": "de-AT",
        "recipient": {"name": "Fay", **CONTACTS},
        "subject": "Welcome",
        "text": "Hi Fay",
        "data": {"link": "https://x"},
        "unsubscribe_url": "https://go.example/u/t0ken",
    }


async def test_without_a_short_text_the_endpoint_gets_the_whole_text(
    endpoint: FakeMessageEndpoint, channel: HttpChannel
):
    await channel.send(replace(MESSAGE, content=replace(CONTENT, http=None)))

    assert (endpoint.sent[0].text, endpoint.sent[0].data) == ("Long text", {})


async def test_a_repeated_message_is_sent_once(endpoint: FakeMessageEndpoint, channel: HttpChannel):
    references = {await channel.send(MESSAGE) for _ in range(5)}

    assert references == {"sms-1"}
    assert len(endpoint.sent) == 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_lost_answer_is_an_unknown_outcome(
    endpoint: FakeMessageEndpoint, channel: HttpChannel, fault: str
):
    endpoint.faults.append(fault)
    if fault.startswith("garbage"):  # an answer of 2xx that is not JSON
        assert await channel.send(MESSAGE) is None
        return
    expected = ChannelUnavailable if fault == "limit" else SendOutcomeUnknown
    with pytest.raises(expected) as caught:
        await channel.send(MESSAGE)

    for leak in ("fay@example.com", "+4915112345678", SECRET, LEAKED_TEXT):
        assert leak not in str(caught.value)
    await endpoint.wait_until_idle()
    assert len(endpoint.sent) == (fault.endswith("_done") and 1)


def answer(status: int, body: Any = None, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse(body, status, named)


@pytest.mark.parametrize(
    ("response", "error", "code"),
    [
        (answer(422, {"reason": "unreachable"}), AddressUnreachable, "unreachable"),
        (answer(400, {"reason": "opted_out"}), RecipientOptedOut, "opted_out"),
        (answer(400, {"reason": "refused", "message": "No."}), MessageRejected, "refused"),
        (answer(502, {"reason": "unavailable"}), ChannelUnavailable, None),
        (answer(402, {"reason": "blocked"}), ChannelSuspended, "blocked"),
        (answer(422, {"reason": "other"}), MessageRejected, "refused"),
        (answer(400), MessageRejected, "refused"),
        (PlainTextResponse("No.", 413), MessageRejected, "refused"),
        (answer(401), ChannelSuspended, "signature"),
        (answer(403), ChannelSuspended, "signature"),
        (answer(404), ChannelSuspended, "wrong_url"),
        (answer(405), ChannelSuspended, "wrong_url"),
        (answer(302, location="https://x"), ChannelSuspended, "redirect"),
        (answer(429), ChannelUnavailable, None),
        (answer(503), ChannelUnavailable, None),
        (answer(408), SendOutcomeUnknown, None),
        (answer(500), SendOutcomeUnknown, None),
        (answer(502), SendOutcomeUnknown, None),
        (answer(504, {"reason": 7}), SendOutcomeUnknown, None),
    ],
)
async def test_the_meaning_of_a_response(
    endpoint: FakeMessageEndpoint,
    channel: HttpChannel,
    response: Response,
    error: type[Exception],
    code: str | None,
):
    endpoint.responses.append(response)
    with pytest.raises(error) as caught:
        await channel.send(MESSAGE)

    assert type(caught.value) is error
    assert getattr(caught.value, "code", None) == code
    assert str(response.status_code) in str(caught.value)


@pytest.mark.parametrize(
    ("body", "reference"),
    [
        ({}, None),
        ({"reference": ""}, None),
        ({"reference": "x" * 256}, None),
        ({"reference": "a\x00b"}, None),
        ({"reference": 7}, None),
        ([], None),
        ("ok", None),
        ({"reference": "abc", "cost": 1}, "abc"),
    ],
)
async def test_a_reference_that_cannot_be_stored_counts_as_none(
    endpoint: FakeMessageEndpoint, channel: HttpChannel, body: Any, reference: str | None
):
    endpoint.responses.append(answer(200, body))

    assert await channel.send(MESSAGE) == reference


@pytest.mark.parametrize(
    ("attempt", "headers", "delay"),
    [
        (1, {}, timedelta(minutes=1)),
        (4, {}, timedelta(minutes=8)),
        (1, {"Retry_After": "300"}, timedelta(minutes=5)),
        (9, {"Retry_After": "1"}, timedelta(hours=1)),
        (1, {"Retry_After": "99999999"}, timedelta(days=1)),
    ],
)
async def test_a_delay_grows_and_respects_that_of_the_endpoint(
    endpoint: FakeMessageEndpoint,
    channel: HttpChannel,
    attempt: int,
    headers: dict[str, str],
    delay: timedelta,
):
    endpoint.responses.append(answer(429, **headers))
    with pytest.raises(ChannelUnavailable) as caught:
        await channel.send(replace(MESSAGE, attempt=attempt))

    assert caught.value.retry_after == delay


async def test_the_text_of_a_refusal_has_no_contact_details(
    endpoint: FakeMessageEndpoint, channel: HttpChannel
):
    refusal = {"reason": "refused", "message": "No such user fay@example.com\nor +49 151 12345678"}
    endpoint.responses.append(answer(422, refusal))
    with pytest.raises(MessageRejected, match="422: No such user") as caught:
        await channel.send(MESSAGE)

    assert "fay@" not in str(caught.value)
    assert "12345678" not in str(caught.value)


class TestAddresses:
    def transport(self, *addresses: str, private: bool = False) -> CheckedTransport:
        async def resolve(_host: str, _port: int) -> Sequence[str]:
            if not addresses:
                raise OSError
            return addresses

        return CheckedTransport(private=private, resolve=resolve)

    async def send(self, url: str, transport: httpx.AsyncBaseTransport) -> str | None:
        async with open_client(transport=transport) as client:
            return await HttpChannel(client, url, SecretStr(SECRET)).send(MESSAGE)

    @pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
    async def test_an_endpoint_in_the_internal_network_is_not_called(
        self, endpoint: FakeMessageEndpoint, address: str
    ):
        with pytest.raises(ChannelSuspended, match="not a public") as caught:
            await self.send("https://sms.example", self.transport("8.8.8.8", address))

        assert caught.value.code == "address_not_allowed"

    async def test_plain_http_needs_the_setting_for_private_networks(
        self, endpoint: FakeMessageEndpoint
    ):
        with pytest.raises(ChannelSuspended, match="https://"):
            await self.send("http://sms.example", self.transport("8.8.8.8"))

    async def test_a_host_without_an_address_is_unavailable(self):
        with pytest.raises(ChannelUnavailable):
            await self.send("https://sms.example", self.transport())

    async def test_the_next_address_is_called_if_one_refuses_the_connection(
        self, endpoint: FakeMessageEndpoint
    ):
        port = httpx.URL(endpoint.url).port
        transport = self.transport("127.0.0.2", "127.0.0.1", private=True)
        assert await self.send(f"http://sms.example:{port}/messages", transport) == "sms-1"


async def test_the_channel_is_opened_from_the_settings(endpoint: FakeMessageEndpoint):
    settings = Settings(
        http_messages_url=f"{endpoint.url}/messages",
        http_messages_secret=SecretStr(SECRET),
        webhooks_allow_private=True,
    )
    async with open_http_messages(settings) as channels:
        assert await channels["http"].send(MESSAGE) == "sms-1"
        assert "responds with 404" in await channels["http"].describe()
    async with open_http_messages(Settings()) as channels:
        assert channels == {}


async def test_a_missing_or_short_secret_is_refused():
    with pytest.raises(ValueError, match="REFERRALS_HTTP_MESSAGES_SECRET"):
        async with open_http_messages(Settings(http_messages_url="https://sms.example")):
            pass
    for secret in ("whsec_", "whsec_c2hvcnQ="):
        with pytest.raises(ValidationError, match="24 random bytes"):
            Settings(http_messages_secret=SecretStr(secret))
    assert Settings(http_messages_secret=SecretStr("")).http_messages_secret is None


@pytest.mark.parametrize("url", ["sms", "ftp://sms.example", "https://a@b", "https://sms/?a=b"])
def test_an_invalid_url_is_refused(url: str):
    with pytest.raises(ValidationError, match="http_messages_url"):
        Settings(http_messages_url=url)
