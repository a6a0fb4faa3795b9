"""What a vendor tells after it has taken a message over: typed, whatever its own words are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

FailureKind = Literal["unreachable", "opted_out", "refused", "unavailable", "blocked"]
"""What a failure means for what comes next: as the errors of `referrals.channels` do."""

BlockScope = Literal["channel", "template"]
"""What is held with a message that is blocked: all that goes by this channel, or by this template."""


@dataclass(frozen=True)
class MessageStatus:
    """Where one message is, as its vendor saw it at `at`. They come twice, in any order, and days late."""

    key: str | None
    """Ours, where the vendor gives it back."""
    reference: str | None
    """The vendor's."""
    state: Literal["sent", "delivered", "read", "failed"]
    at: datetime
    kind: FailureKind | None = None
    """Of `failed`: what it means."""
    code: str | None = None
    sentence: str | None = None
    """Why it failed, without contact details."""
    scope: BlockScope = "channel"
    """Of `blocked`."""


@dataclass(frozen=True)
class MarketingPreference:
    """The owner of an address told the vendor to stop, or to resume, marketing by its channel."""

    channel: str
    address: str
    """In the channel's own form."""
    wish: Literal["stop", "resume"]
    at: datetime
