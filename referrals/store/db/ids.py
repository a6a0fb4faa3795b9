"""Ids of rows: what they name, when they were made, and chance; so they sort by creation."""

import secrets
import time

_PART_OF_MS = 1 << 16
_latest = 0


def new_id(kind: str) -> str:
    """Such as `ref_019ab4c5d6e7…`; never derived from a caller's id, which may be an e-mail address."""
    return f"{kind}_{_moment():016x}{secrets.token_hex(6)}"


def _moment() -> int:
    """Milliseconds and their 65,536th parts; of one process each is later than the last."""
    global _latest  # noqa: PLW0603 - the clock of this process
    _latest = max(time.time_ns() * _PART_OF_MS // 1_000_000, _latest + 1)
    return _latest
