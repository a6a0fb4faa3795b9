"""Ids of rows: kind, time and random digits, so that they sort by creation."""

import re
import secrets
import time

_PART_OF_MS = 1 << 16
_latest = 0
_ID = re.compile(r"(?P<kind>[a-z]+)_[0-9a-f]{28}")


def new_id(kind: str) -> str:
    """Return an id such as `ref_019ab4c5d6e7…`. Ids never contain a caller's id, which may be an email address."""
    return f"{kind}_{_moment():016x}{secrets.token_hex(6)}"


def is_id(text: str, *kinds: str) -> bool:
    """Return whether the text looks like an id of one of these kinds; a caller's id rarely does."""
    found = _ID.fullmatch(text)
    return found is not None and found["kind"] in kinds


def _moment() -> int:
    """Return the time in 65,536ths of a millisecond, later than any time that this process returned before."""
    global _latest  # noqa: PLW0603 - state of this process
    _latest = max(time.time_ns() * _PART_OF_MS // 1_000_000, _latest + 1)
    return _latest
