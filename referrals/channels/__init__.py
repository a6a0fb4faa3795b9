"""How messages go out. A channel sends one rendered message to one address, and says what became of it.

What a channel raises carries no contact details, because it ends in workflow history, logs and the activity log.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol

from referrals.channels.message_content import Rendered


@dataclass(frozen=True)
class Outgoing:
    """A message on its way; `key` is the same on every attempt, `to` is the address in the channel's own form."""

    key: str
    to: str | None
    name: str | None
    rendered: Rendered
    unsubscribe: str | None = None
    """Where one click, without a login, ends messages of this purpose by this channel."""
    attempt: int = 1
    """How often it is tried, this time included: a channel's waits grow with it."""


class Channel(Protocol):
    name: str
    reconciles: bool
    """Whether the vendor tells later, with our key, what it has sent: an answer that was lost is then no mystery."""

    async def send(self, message: Outgoing) -> str | None:
        """The vendor's reference, once the vendor has taken the message over.

        Raises:
            Refused, Unreachable, OptedOut, Unavailable, Blocked, Unclear: see there.
        """


class Refused(Exception):
    """This channel will never take this message: another channel may."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Unreachable(Refused):
    """Nothing will ever reach this address by this channel."""


class OptedOut(Refused):
    """The customer has told the vendor to send no more marketing."""


class Unavailable(Exception):
    """It has not been sent, and may be later; `retry_after` is the vendor's own wish, where it has one."""

    def __init__(self, sentence: str, retry_after: timedelta | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Blocked(Exception):
    """It has not been sent, and will not be until an operator sets something right: nothing is wrong with the message."""

    def __init__(self, code: str, sentence: str, scope: Literal["channel", "template"]) -> None:
        super().__init__(sentence)
        self.code = code
        self.scope = scope
        """What is held with it: all that goes by this channel, or by this template."""


class Unclear(Exception):
    """It may have been sent: the answer was lost."""
