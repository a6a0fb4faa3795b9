"""What each error code of WhatsApp's Cloud API means for a message, whether answered at once or told later."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Literal

from referrals.channels.errors import (
    AddressUnreachable,
    ChannelSuspended,
    ChannelUnavailable,
    MessageRejected,
    RecipientOptedOut,
)
from referrals.domain.message_status import FailureKind

MAX_RETRY_DELAY = timedelta(hours=1)
"""What growing waits end at."""


@dataclass(frozen=True)
class ErrorMeaning:
    """`code` is ours: it stands in the message's reason, beside Meta's number."""

    kind: FailureKind
    code: str
    first_wait: timedelta | None = None
    """Of `unavailable`: it doubles with every attempt. Without one, the sender's own growing waits will do."""
    scope: Literal["channel", "template"] = "channel"
    """Of `blocked`."""

    def error(self, sentence: str, attempt: int, asked: timedelta | None = None) -> Exception:
        """As a channel raises it; `asked` is how long the vendor wished to be left alone."""
        match self.kind:
            case "unavailable":
                return ChannelUnavailable(sentence, self._wait(attempt, asked))
            case "unreachable":
                return AddressUnreachable(self.code, sentence)
            case "opted_out":
                return RecipientOptedOut(self.code, sentence)
            case "refused":
                return MessageRejected(self.code, sentence)
            case "blocked":
                return ChannelSuspended(self.code, sentence, self.scope)

    def _wait(self, attempt: int, asked: timedelta | None) -> timedelta | None:
        if self.first_wait is None:
            return asked
        grown = self.first_wait * (1 << min(attempt - 1, 12))
        return max(min(grown, MAX_RETRY_DELAY), asked or timedelta(0))


def _later(code: str, **first_wait: float) -> ErrorMeaning:
    return ErrorMeaning("unavailable", code, timedelta(**first_wait) if first_wait else None)


_TABLE: dict[tuple[int, ...], ErrorMeaning] = {
    (0, 190): ErrorMeaning("blocked", "token"),
    (3, 10, *range(200, 300), 131005): ErrorMeaning("blocked", "permission"),
    (4, 80007): _later("rate_limit", minutes=2),
    (130429,): _later("throughput", seconds=2),
    (131056,): _later("pair_limit", seconds=6),
    (131048, 131064): ErrorMeaning("blocked", "quality"),
    (1, 2, 131000, 131016, 135000): _later("vendor_error"),
    (131057,): _later("maintenance", minutes=10),
    (131026, 130472): ErrorMeaning("unreachable", "not_on_whatsapp"),
    (131047,): ErrorMeaning("refused", "window_closed"),
    (131049,): ErrorMeaning("refused", "marketing_limit"),
    (131050,): ErrorMeaning("opted_out", "marketing_stopped"),
    (131031, 131037, 131042, 131045, 368): ErrorMeaning("blocked", "account"),
    (131021, 131030, 130497): ErrorMeaning("refused", "recipient_not_allowed"),
    (100, 131008, 131009, 131051): ErrorMeaning("refused", "bad_request"),
    (132000, 132001, 132005, 132007, 132008, 132012): ErrorMeaning(
        "blocked", "template_mismatch", scope="template"
    ),
    (132015,): _later("template_paused", hours=1),
    (132016,): ErrorMeaning("refused", "template_disabled"),
    (131063,): ErrorMeaning("refused", "marketing_disabled"),
}
"""131049 is not tried again for a day: another channel takes the message now. Of the codes that want an operator, those
that are about one recipient hold nothing else up: whoever signs up with the shop's own number would stop all messages.
"""
MEANING_BY_CODE = {number: meaning for numbers, meaning in _TABLE.items() for number in numbers}
UNKNOWN_ERROR = ErrorMeaning("refused", "unknown_error")
"""A code that is not in the table, on a message that was certainly not sent: another channel may take it."""

_BY_STATUS: dict[int, ErrorMeaning] = {
    HTTPStatus.UNAUTHORIZED: ErrorMeaning("blocked", "token"),
    HTTPStatus.FORBIDDEN: ErrorMeaning("blocked", "permission"),
    HTTPStatus.TOO_MANY_REQUESTS: _later("rate_limit", minutes=1),
}


def classify_error(status: int, number: int | None) -> ErrorMeaning | None:
    """Of an answer other than 2xx. A code of the table says more than the HTTP status; None is "it may be sent"."""
    if number in MEANING_BY_CODE:
        return MEANING_BY_CODE[number]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return None
    if status < HTTPStatus.BAD_REQUEST:
        return ErrorMeaning("blocked", "redirect")
    return _BY_STATUS.get(status, UNKNOWN_ERROR)


def parse_error(error: Any) -> tuple[int | None, str]:
    """The code and the words of an error as Meta writes it, in answers and in webhooks."""
    if not isinstance(error, dict):
        return None, ""
    number, data = error.get("code"), error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    texts = [error.get("message") or error.get("title"), details]
    words = ": ".join(text for text in texts if isinstance(text, str) and text)
    return number if type(number) is int else None, words
