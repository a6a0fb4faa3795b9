"""Clicks of the referral link: the channels that they come by, and the ids that visitors carry on.

An id tells its code: a sign-up that brings it back need not wait until the click is counted, nor is lost with it.
"""

import re
from typing import Any, Literal, get_args

from referrals.domain.codes import is_code

Channel = Literal["whatsapp", "email", "x", "facebook", "telegram", "social", "link", "qr"]
"""Where a link is shared and clicked. `social` is any other network, `link` the plain link, wherever it was pasted."""

CHANNELS: tuple[Channel, ...] = get_args(Channel)

_CLICK = re.compile(r"clk_[0-9a-f]{28}_(.+)")


def channel_of(via: str | None) -> Channel:
    """The channel that a visit's `via` names, which anybody can write; else the plain link."""
    return next((channel for channel in CHANNELS if channel == via), "link")


def clicked_code(click: str | None) -> str | None:
    """The code in the click's id; None for what is no such id."""
    found = _CLICK.fullmatch(click or "")
    return found[1] if found and is_code(found[1]) else None


def carried_click(value: Any) -> str | None:
    """The click id that an event carries; visitors can change it, so what is none is taken as an empty one."""
    if value is None:
        return None
    return value if isinstance(value, str) and clicked_code(value) else ""
