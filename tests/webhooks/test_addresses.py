"""Where events may not go: a webhook is no way into the network that the engine runs in."""

import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from referrals.domain.webhook_urls import check_webhook_url
from referrals.webhooks.addresses import AddressNotAllowedError, allowed
from referrals.webhooks.poster import Poster
from tests.webhooks.conftest import SECRET
from tests.webhooks.receiver import Receiver

INSIDE = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "localhost",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "[::1]",
    "[fd00:ec2::254]",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::a00:1]",
    "[2002:a00:1::]",
)
NOWHERE = (
    "169.254.169.254",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[fe80::1]",
    "0.0.0.0",
    "[::]",
    "224.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
)


def answering(*answers: Sequence[str]):
    """A resolver that answers these, one after another."""
    left = list(answers)

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return left.pop(0)

    return resolve


@pytest.mark.parametrize("host", INSIDE + NOWHERE)
async def test_only_public_addresses_are_called(host: str):
    with pytest.raises(AddressNotAllowedError, match="not one of the public internet"):
        await allowed(f"https://{host}/", private=False)


@pytest.mark.parametrize("host", INSIDE)
async def test_private_ones_are_called_where_a_setting_allows(host: str):
    assert await allowed(f"http://{host}:8080/", private=True)


@pytest.mark.parametrize("host", NOWHERE)
async def test_metadata_services_and_what_is_no_host_are_never_called(host: str):
    with pytest.raises(AddressNotAllowedError):
        await allowed(f"http://{host}/", private=True)


async def test_http_needs_the_setting():
    with pytest.raises(AddressNotAllowedError, match="https://"):
        await allowed("http://93.184.216.34/", private=False)


async def test_one_bad_address_among_good_ones_is_enough():
    resolve = answering(["93.184.216.34", "10.0.0.1"])

    with pytest.raises(AddressNotAllowedError):
        await allowed("https://shop.example/", private=False, resolve=resolve)


async def test_a_name_that_has_turned_inward_since_is_not_called(receiver: Receiver):
    url = receiver.url.replace("http://127.0.0.1", "https://shop.example")
    poster = Poster(resolve=answering(["93.184.216.34"], ["127.0.0.1"]))
    await poster.check(url)
    answer = await poster.post(url, "act_1", {"type": "t"}, [SECRET])

    assert (answer.accepted, answer.error) == (
        False,
        "the address is not one of the public internet",
    )
    assert receiver.received == []


async def test_the_call_goes_to_the_address_that_was_checked_under_the_name(receiver: Receiver):
    """The name is looked up once; where the first address takes no connection, the next is tried."""
    url = receiver.url.replace("127.0.0.1", "shop.example")
    poster = Poster(allow_private=True, resolve=answering(["127.0.0.2", "127.0.0.1"]))
    answer = await poster.post(url, "act_1", {"type": "t"}, [SECRET])

    assert answer.accepted
    assert receiver.received[0].headers["host"].startswith("shop.example:")


async def test_the_certificate_must_be_the_name_s_and_not_the_address_s(
    tls_receiver: Receiver, trusting: ssl.SSLContext
):
    by_name = tls_receiver.url.replace("127.0.0.1", "localhost")
    by_other = tls_receiver.url.replace("127.0.0.1", "shop.example")
    poster = Poster(allow_private=True, tls=trusting, resolve=answering(*[["127.0.0.1"]] * 2))

    assert (await poster.post(by_name, "act_1", {"type": "t"}, [SECRET])).accepted
    refused = await poster.post(by_other, "act_1", {"type": "t"}, [SECRET])
    assert refused.error == "no answer: ConnectError"
    assert len(tls_receiver.received) == 1


async def test_a_name_that_is_not_known_is_told():
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError

    poster = Poster(resolve=unknown)
    await poster.check("https://shop.example/")
    answer = await poster.post("https://shop.example/", "act_1", {"type": "t"}, [SECRET])

    assert answer.error == "the host's name is not known"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "https://",
        "shop.example/hooks",
        "https://user:password@shop.example/",
        "https://@shop.example/",
        "https://shop.example/#part",
        "https://shop.example/a b",
        "https://shop.example\\@inside.example/",
        "https://shop.example/\r\nx: y",
        "https://shöp.example/",
        "https://shop.example:0/",
        "https://shop.example:99999/",
        "https://[::1/",
    ],
)
def test_an_address_that_means_two_things_or_holds_credentials_is_refused(url: str):
    with pytest.raises(ValueError):
        check_webhook_url(url)


@pytest.fixture
def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=PEM)


PEM = Path(__file__).parents[1] / "channels" / "localhost.pem"


@pytest.fixture
async def tls_receiver():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(PEM)
    async with Receiver(tls=context) as opened:
        yield opened
