"""Standard Webhooks 1.0 (https://www.standardwebhooks.com): how a request shows who sent it.

The signature is an HMAC-SHA256 over id, timestamp and body; a request may carry one for each of several secrets.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime

SECRET_PREFIX = "whsec_"  # noqa: S105


def signing_key(secret: str) -> bytes:
    """The key within `whsec_…`. Raises ValueError, without the secret, where it is none."""
    try:
        return b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        raise ValueError("the signing secret must be base64, with whsec_ before it") from None


def signature_headers(
    keys: Iterable[bytes], message: str, at: datetime, body: bytes
) -> dict[str, str]:
    """The headers of a request that was signed `at` that time with each of the keys."""
    timestamp = str(int(at.timestamp()))
    signed = f"{message}.{timestamp}.".encode() + body
    signatures = (b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys)
    return {
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
