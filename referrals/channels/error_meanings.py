"""Meaning of a vendor's error for a message, and the error that a channel raises for it."""

from dataclasses import dataclass
from datetime import timedelta

from referrals.channels.errors import (
    AddressUnreachable,
    ChannelSuspended,
    ChannelUnavailable,
    MessageRejected,
    RecipientOptedOut,
)
from referrals.domain.message_status import BlockScope, FailureKind

MAX_RETRY_DELAY = timedelta(hours=1)
"""Upper limit of exponential back-off."""


@dataclass(frozen=True)
class ErrorMeaning:
    """Classification of an error of a vendor; `code` is our reason code."""

    kind: FailureKind
    code: str
    first_delay: timedelta | None = None
    """Delay before the first retry of kind `unavailable`; it doubles with every attempt.

    Without it the retry policy of the activity applies.
    """
    scope: BlockScope = "channel"
    """Scope of the suspension, for kind `blocked`."""

    def error(self, message: str, attempt: int, retry_after: timedelta | None = None) -> Exception:
        """Return the error that a channel raises; `retry_after` is the delay that the vendor asked for."""
        match self.kind:
            case "unavailable":
                return ChannelUnavailable(message, self._delay(attempt, retry_after))
            case "unreachable":
                return AddressUnreachable(self.code, message)
            case "opted_out":
                return RecipientOptedOut(self.code, message)
            case "refused":
                return MessageRejected(self.code, message)
            case "blocked":
                return ChannelSuspended(self.code, message, self.scope)

    def _delay(self, attempt: int, retry_after: timedelta | None) -> timedelta | None:
        if self.first_delay is None:
            return retry_after
        delay = self.first_delay * (1 << min(attempt - 1, 12))
        return max(min(delay, MAX_RETRY_DELAY), retry_after or timedelta(0))
