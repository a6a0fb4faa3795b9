"""Addresses that webhooks must not reach, so that they cannot be used to enter the internal network."""

import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from referrals.addresses import AddressNotAllowedError, resolve_allowed
from referrals.domain.webhook_urls import check_webhook_url
from referrals.webhooks.poster import Poster
from tests.webhooks.conftest import SECRET
from tests.webhooks.receiver import Receiver

INTERNAL = (
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
NEVER_ALLOWED = (
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


def resolver_of(*results: Sequence[str]):
    """Return a resolver that returns these results in order."""
    remaining = list(results)

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return remaining.pop(0)

    return resolve


@pytest.mark.parametrize("host", INTERNAL + NEVER_ALLOWED)
async def test_only_public_addresses_are_allowed(host: str):
    with pytest.raises(AddressNotAllowedError, match="not a public internet address"):
        await resolve_allowed(f"https://{host}/", private=False)


@pytest.mark.parametrize("host", INTERNAL)
async def test_setting_allows_private_addresses(host: str):
    assert await resolve_allowed(f"http://{host}:8080/", private=True)


@pytest.mark.parametrize("host", NEVER_ALLOWED)
async def test_metadata_services_and_non_host_addresses_are_never_allowed(host: str):
    with pytest.raises(AddressNotAllowedError):
        await resolve_allowed(f"http://{host}/", private=True)


async def test_http_requires_the_setting():
    with pytest.raises(AddressNotAllowedError, match="https://"):
        await resolve_allowed("http://93.184.216.34/", private=False)


async def test_one_disallowed_address_blocks_the_host():
    resolve = resolver_of(["93.184.216.34", "10.0.0.1"])

    with pytest.raises(AddressNotAllowedError):
        await resolve_allowed("https://shop.example/", private=False, resolve=resolve)


async def test_host_that_resolves_to_an_internal_address_later_is_not_called(receiver: Receiver):
    url = receiver.url.replace("http://127.0.0.1", "https://shop.example")
    poster = Poster(resolve=resolver_of(["93.184.216.34"], ["127.0.0.1"]))
    await poster.check(url)
    response = await poster.post(url, "act_1", {"type": "t"}, [SECRET])

    assert (response.accepted, response.error) == (
        False,
        "the address is not a public internet address",
    )
    assert receiver.received == []


async def test_request_goes_to_a_checked_address_with_the_original_host(receiver: Receiver):
    """The name is resolved once; if the first address refuses the connection, the next one is tried."""
    url = receiver.url.replace("127.0.0.1", "shop.example")
    poster = Poster(allow_private=True, resolve=resolver_of(["127.0.0.2", "127.0.0.1"]))
    response = await poster.post(url, "act_1", {"type": "t"}, [SECRET])

    assert response.accepted
    assert receiver.received[0].headers["host"].startswith("shop.example:")


async def test_certificate_must_match_the_host_name_not_the_address(
    tls_receiver: Receiver, trusting: ssl.SSLContext
):
    by_name = tls_receiver.url.replace("127.0.0.1", "localhost")
    by_other = tls_receiver.url.replace("127.0.0.1", "shop.example")
    poster = Poster(allow_private=True, tls=trusting, resolve=resolver_of(*[["127.0.0.1"]] * 2))

    assert (await poster.post(by_name, "act_1", {"type": "t"}, [SECRET])).accepted
    refused = await poster.post(by_other, "act_1", {"type": "t"}, [SECRET])
    assert refused.error == "the TLS certificate is not trusted"
    assert len(tls_receiver.received) == 1


async def test_unresolvable_host_is_reported():
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError

    poster = Poster(resolve=unknown)
    await poster.check("https://shop.example/")
    response = await poster.post("https://shop.example/", "act_1", {"type": "t"}, [SECRET])

    assert response.error == "the host name could not be resolved"


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
def test_ambiguous_url_or_url_with_credentials_is_rejected(url: str):
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
