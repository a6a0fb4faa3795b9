"""Signatures of webhook requests by Standard Webhooks 1.0 (https://www.standardwebhooks.com).

A signature is an HMAC-SHA256 of id, timestamp and body. While a secret is rotated, a request has one signature per
secret.
"""

import hmac
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

MAX_AGE = timedelta(minutes=5)
"""Age up to which a signed request is accepted, so that it cannot be replayed later."""

MIN_SIGNING_KEY_LENGTH = 24
"""Bytes, by Standard Webhooks."""
SECRET_PREFIX = "whsec_"  # noqa: S105
SECRET_BYTES = 32


def new_webhook_secret() -> str:
    """Return a random signing secret, such as `whsec_…`."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signing_key(secret: str) -> bytes:
    """Return the key of a secret such as `whsec_…`.

    Raises:
        ValueError: the secret is not base64. The message does not contain it.
    """
    try:
        return b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        raise ValueError("the signing secret must be base64 after the prefix whsec_") from None


def signature_headers(
    keys: Iterable[bytes], message: str, at: datetime, body: bytes
) -> dict[str, str]:
    """Return the headers of a request that is signed at `at` with each of the keys."""
    timestamp = str(int(at.timestamp()))
    signed = f"{message}.{timestamp}.".encode() + body
    signatures = (b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys)
    return {
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def has_valid_signature(key: bytes, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Check that a request was signed with the key within `MAX_AGE`. Compares in constant time."""
    message, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or not message:
        return False
    if abs(now.timestamp() - int(timestamp)) > MAX_AGE.total_seconds():
        return False
    signed = f"{message}.{timestamp}.".encode(errors="replace") + body
    expected = b"v1," + b64encode(hmac.digest(key, signed, "sha256"))
    given = headers.get("webhook-signature", "").encode(errors="replace").split()
    return any(hmac.compare_digest(expected, signature) for signature in given)
