"""How messages go out. A channel sends one rendered message to one address, and says what became of it.

What a channel raises carries no contact details, because it ends in workflow history, logs and the activity log.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from referrals.channels.rendering import Rendered


@dataclass(frozen=True)
class Outgoing:
    """A message on its way; `key` is the same on every attempt, `to` is the address in the channel's own form."""

    key: str
    to: str | None
    name: str | None
    rendered: Rendered


class Channel(Protocol):
    name: str

    async def send(self, message: Outgoing) -> str | None:
        """The vendor's reference, once the vendor has taken the message over.

        Raises:
            Refused: this message will never be taken.
            Unavailable: it may be taken later.
        """


class Refused(Exception):
    """Permanent: sending the same message again would end the same way."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Unavailable(Exception):
    """Retryable; `retry_after` is the vendor's own wish, where it has one."""

    def __init__(self, sentence: str, retry_after: timedelta | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
