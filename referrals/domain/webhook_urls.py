"""URLs of webhooks."""

from urllib.parse import urlsplit


def check_webhook_url(url: str) -> str:
    """Return the URL if it is valid.

    Raises:
        ValueError: the URL is not a plain http or https URL, or contains credentials or a fragment.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as https://shop.example/hooks")
    if "@" in parts.netloc:
        raise ValueError("must not contain credentials; verify the signature of deliveries instead")
    if parts.fragment or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("must be an ASCII URL without spaces and without a fragment")
    if parts.port == 0:
        raise ValueError("must not use port 0")
    return url


def concurrency_group(url: str) -> str:
    """Return scheme, host and port of the URL. Deliveries within one group wait for each other."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"
