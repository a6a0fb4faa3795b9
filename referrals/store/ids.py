"""Ids of rows: what they name, when they were made, and chance; so they sort by creation."""

import secrets
import time


def new_id(kind: str) -> str:
    """Such as `ref_019ab4c5d6e7…`; never derived from a caller's id, which may be an e-mail address."""
    return f"{kind}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"
