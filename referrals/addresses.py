"""Resolve and check the addresses of endpoints, so that requests cannot reach the internal network (SSRF).

The host name is resolved once, all its addresses are checked, and the request goes to one of these addresses. A second
DNS look-up could return a different address.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from referrals.errors import ReferralsError

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

MAX_ADDRESSES = 3
"""Number of the host's addresses that are tried."""

_NAT64_PREFIX = IPv6Network("64:ff9b::/96")
"""Prefix of NAT64 addresses, whose last 32 bits are an IPv4 address."""


class AddressNotAllowedError(ReferralsError):
    """The address must not be called; the message says why."""


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host name, or of an address in any notation.

    Raises:
        OSError: there are none.
    """
    loop = asyncio.get_running_loop()
    results = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in results))


async def resolve_allowed(url: str, *, private: bool, resolve: Resolve = resolve) -> list[Address]:
    """Return the addresses of the URL's host, all of which may be called.

    `private` allows http, private networks and the loopback address.

    Raises:
        AddressNotAllowedError: an address is not allowed, or the scheme is not https.
        OSError: the host has no address.
    """
    parsed = httpx.URL(url)
    if parsed.scheme != "https" and not private:
        raise AddressNotAllowedError("the URL must start with https://")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    addresses = [ip_address(text.partition("%")[0]) for text in await resolve(parsed.host, port)]
    if not all(_is_allowed(address, private=private) for address in addresses):
        raise AddressNotAllowedError("the address is not a public internet address")
    return addresses


def _is_allowed(address: Address, *, private: bool) -> bool:
    inner = _embedded_ipv4(address)
    if private and inner.is_loopback:
        return True
    # Cloud providers serve instance credentials at link-local addresses.
    if inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner.is_reserved:
        return False
    return private or (address.is_global and inner.is_global)


def _embedded_ipv4(address: Address) -> Address:
    """Return the IPv4 address embedded in an IPv6 address, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64_PREFIX:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


class CheckedTransport(httpx.AsyncHTTPTransport):
    """Transport of a client that calls one endpoint, whose addresses are checked at every request.

    Args:
        private: Allow http, private networks and the loopback address.
        resolve: Resolves host names.

    Raises, when a request is sent:
        AddressNotAllowedError: an address is not allowed, or the scheme is not https.
    """

    def __init__(self, *, private: bool, resolve: Resolve = resolve) -> None:
        super().__init__(trust_env=False)
        self._private = private
        self._resolve = resolve

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the first address that accepts a connection."""
        *others, last = await self._addresses(request)
        for address in others:
            try:
                return await super().handle_async_request(_at(address, request))
            except httpx.ConnectError:
                continue
        return await super().handle_async_request(_at(last, request))

    async def _addresses(self, request: httpx.Request) -> Sequence[Address]:
        url, timeout = str(request.url), request.extensions.get("timeout", {}).get("connect")
        try:
            async with asyncio.timeout(timeout):
                found = await resolve_allowed(url, private=self._private, resolve=self._resolve)
        except TimeoutError:
            raise httpx.ConnectTimeout("the host name was not resolved in time") from None
        except OSError as error:
            raise httpx.ConnectError("the host name could not be resolved") from error
        return found[:MAX_ADDRESSES]


def _at(address: Address, request: httpx.Request) -> httpx.Request:
    """Return the request to this address, with the host name in its headers and in TLS."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.raw_host.decode()},
    )
