"""Clicks on referral links: their channels and their ids.

A click id contains the code, so that a sign-up with the id can be attributed before the click is stored, or
if the click is lost.
"""

import re
from typing import Any, Literal, get_args

from referrals.domain.codes import is_code

ShareChannel = Literal["whatsapp", "email", "x", "facebook", "telegram", "social", "link", "qr"]
"""Channel on which a link is shared or clicked. `social` is any other network, `link` the copied link."""

SHARE_CHANNELS: tuple[ShareChannel, ...] = get_args(ShareChannel)

_CLICK_ID = re.compile(r"clk_[0-9a-f]{28}_(.+)")


def parse_share_channel(via: str | None) -> ShareChannel:
    """Return the channel of a link's `via` parameter, which visitors can change; `link` if it is unknown."""
    return next((channel for channel in SHARE_CHANNELS if channel == via), "link")


def code_from_click_id(click: str | None) -> str | None:
    """Return the code in a click id, or None if the text is not a click id."""
    found = _CLICK_ID.fullmatch(click or "")
    return found[1] if found and is_code(found[1]) else None


def clean_click_id(value: Any) -> str | None:
    """Return the click id of an event, or an empty string if it is malformed: visitors can change it."""
    if value is None:
        return None
    return value if isinstance(value, str) and code_from_click_id(value) else ""
