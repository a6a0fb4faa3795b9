"""Delivery statuses and marketing preferences that a channel's vendor reports, in one form for all vendors."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

FailureKind = Literal["unreachable", "opted_out", "refused", "unavailable", "blocked"]
"""Consequence of a failure, in the categories of the errors in `referrals.channels`."""

BlockScope = Literal["channel", "template"]
"""Extent of a block: every message of the channel, or every message of the template."""


@dataclass(frozen=True)
class MessageStatus:
    """Status of one message at the time `at`. Vendors report statuses repeatedly, out of order and days late."""

    key: str | None
    """Key of the message in this system, if the vendor returns it."""
    reference: str | None
    """Id of the message in the vendor's system."""
    state: Literal["sent", "delivered", "read", "failed"]
    at: datetime
    kind: FailureKind | None = None
    """Consequence of the failure. Set only when the state is `failed`."""
    code: str | None = None
    message: str | None = None
    """Error message without contact details."""
    scope: BlockScope = "channel"
    """Extent of the block. Used only when the kind is `blocked`."""


@dataclass(frozen=True)
class MarketingPreference:
    """Request of an address's owner to stop or resume marketing messages on a channel."""

    channel: str
    address: str
    """Address in the format of the channel."""
    action: Literal["stop", "resume"]
    at: datetime
