"""Secrets of the keyed hashes that stand for customers and their contact details."""

import hmac
from dataclasses import dataclass, field

_HASH_LENGTH = 32
"""Length of a hash in hexadecimal digits: 128 bits."""


@dataclass(frozen=True)
class IdentitySecrets:
    """Keys of the HMACs, which nobody can compute without them."""

    reward_keys: str = field(repr=False)
    """Never changed: with another secret, a provider could not recognise a reward that it granted before."""

    def reward_subject(self, own_id: str) -> str:
        """Return the part of a reward's key that stands for the customer with this id."""
        return _keyed_hash(self.reward_keys, own_id)


def _keyed_hash(secret: str, text: str) -> str:
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()[:_HASH_LENGTH]
