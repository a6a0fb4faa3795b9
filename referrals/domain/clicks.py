"""Clicks of the referral link: the channels that they come by, and the ids that visitors carry on.

An id tells its code: a sign-up that brings it back need not wait until the click is counted, nor is lost with it.
"""

import re
from typing import Any, Literal, get_args

from referrals.domain.codes import is_code

ShareChannel = Literal["whatsapp", "email", "x", "facebook", "telegram", "social", "link", "qr"]
"""Where a link is shared and clicked. `social` is any other network, `link` the plain link, wherever it was pasted."""

SHARE_CHANNELS: tuple[ShareChannel, ...] = get_args(ShareChannel)

_CLICK = re.compile(r"clk_[0-9a-f]{28}_(.+)")


def parse_share_channel(via: str | None) -> ShareChannel:
    """The channel that a visit's `via` names, which anybody can write; else the plain link."""
    return next((channel for channel in SHARE_CHANNELS if channel == via), "link")


def code_from_click_id(click: str | None) -> str | None:
    """The code in the click's id; None for what is no such id."""
    found = _CLICK.fullmatch(click or "")
    return found[1] if found and is_code(found[1]) else None


def clean_click_id(value: Any) -> str | None:
    """The click id that an event carries; visitors can change it, so what is none is taken as an empty one."""
    if value is None:
        return None
    return value if isinstance(value, str) and code_from_click_id(value) else ""
