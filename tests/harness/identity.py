"""Fixed secrets of identity for tests."""

from typing import Any

from pydantic import SecretStr

from referrals.settings import Settings

IDENTITY_SETTINGS: dict[str, Any] = {
    "reward_key_secret": SecretStr("the tests' secret of reward keys"),
    "identity_secrets": SecretStr("test:the tests' secret of digests of contacts"),
    "shared_contacts": "till@shop.example, +49 30 901820",
}
IDENTITY = Settings(**IDENTITY_SETTINGS).identity
