"""Addresses that webhooks are delivered to."""

from urllib.parse import urlsplit


def check_webhook_url(url: str) -> str:
    """The address itself.

    Raises:
        ValueError: it is no plain http or https address, or holds credentials or a fragment.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://shop.example/hooks")
    if "@" in parts.netloc:
        raise ValueError("must not hold credentials: deliveries are signed instead")
    if parts.fragment or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("must be an address in ASCII without spaces and without a fragment")
    if parts.port == 0:
        raise ValueError("must not name port 0")
    return url


def concurrency_group(url: str) -> str:
    """Scheme, host and port: deliveries to one of these wait for each other, not for those to another."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"
