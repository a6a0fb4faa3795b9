"""Signatures of webhook requests by Standard Webhooks 1.0 (https://www.standardwebhooks.com).

A signature is an HMAC-SHA256 of id, timestamp and body. While a secret is rotated, a request has one signature per
secret.
"""

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime

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
