"""Which addresses may be called: nobody reaches this network's inside by way of a webhook.

A name is resolved here, every address that it stands for is checked, and the call goes to one of these: a second
look-up could answer otherwise.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from referrals.errors import ReferralsError

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_TRANSLATED = IPv6Network("64:ff9b::/96")
"""NAT64: the last 32 bits are an IPv4 address."""


class AddressNotAllowedError(ReferralsError):
    """The address must not be called; the message says why."""


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, or of an address in any notation. Raises OSError where there are none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def allowed(url: str, *, private: bool, resolve: Resolve = resolve) -> list[Address]:
    """The addresses that the URL's host stands for, all of which may be called.

    `private` allows http, and the addresses of private networks and of this machine.

    Raises:
        AddressNotAllowedError: one of them may not, or the scheme is not https.
        OSError: it stands for none.
    """
    parsed = httpx.URL(url)
    if parsed.scheme != "https" and not private:
        raise AddressNotAllowedError("the address must begin with https://")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    found = [ip_address(text.partition("%")[0]) for text in await resolve(parsed.host, port)]
    if not all(_may_be_called(address, private=private) for address in found):
        raise AddressNotAllowedError("the address is not one of the public internet")
    return found


def _may_be_called(address: Address, *, private: bool) -> bool:
    inner = _within(address)
    if private and inner.is_loopback:
        return True
    # Link-local is where clouds tell an instance its credentials.
    if inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner.is_reserved:
        return False
    return private or (address.is_global and inner.is_global)


def _within(address: Address) -> Address:
    """The IPv4 address that an IPv6 address wraps, else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)
