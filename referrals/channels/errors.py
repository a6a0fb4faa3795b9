"""Errors of channels and templates. Their texts carry no contact details, because they end in workflow history and logs."""

from datetime import timedelta
from typing import Literal

from referrals.errors import ReferralsError


class TemplateError(ReferralsError):
    """A template is missing or invalid; the text names the file (`en/milestone.jinja`) and, if known, the line."""

    def __init__(self, problem: str, file: str | None = None, line: int | None = None) -> None:
        location = f"{file}, line {line}" if line else file
        super().__init__(f"{location}: {problem}" if location else problem)
        self.problem = problem
        self.file = file
        self.line = line


class MessageRejected(ReferralsError):
    """The channel will never accept the message; another channel may."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class AddressUnreachable(MessageRejected):
    """No message will ever reach this address through this channel."""


class RecipientOptedOut(MessageRejected):
    """The customer asked the vendor to stop marketing messages."""


class ChannelUnavailable(ReferralsError):
    """The message was not sent and can be retried, after `retry_after` if the vendor asked for a delay."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class VendorNotCalled(ChannelUnavailable):
    """The channel keeps a limit of its own: the vendor was not called, so that its last error is still the latest."""


class ChannelSuspended(ReferralsError):
    """The message was not sent, and cannot be sent until an operator fixes the channel or the template.

    `scope` says what is affected: all messages of this channel, or only those of this template.
    """

    def __init__(self, code: str, message: str, scope: Literal["channel", "template"]) -> None:
        super().__init__(message)
        self.code = code
        self.scope = scope


class SendOutcomeUnknown(ReferralsError):
    """The message may have been sent: the vendor's response was lost."""
