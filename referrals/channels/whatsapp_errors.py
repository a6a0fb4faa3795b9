"""Error codes of WhatsApp's Cloud API and what they mean for a message, in responses and in webhooks."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from referrals.channels.error_meanings import ErrorMeaning


def _retry(code: str, **first_delay: float) -> ErrorMeaning:
    return ErrorMeaning("unavailable", code, timedelta(**first_delay) if first_delay else None)


_TABLE: dict[tuple[int, ...], ErrorMeaning] = {
    (0, 190): ErrorMeaning("blocked", "token"),
    (3, 10, *range(200, 300), 131005): ErrorMeaning("blocked", "permission"),
    (4, 80007): _retry("rate_limit", minutes=2),
    (130429,): _retry("throughput", seconds=2),
    (131056,): _retry("pair_limit", seconds=6),
    (131048, 131064): ErrorMeaning("blocked", "quality"),
    (1, 2, 131000, 131016, 135000): _retry("vendor_error"),
    (131057,): _retry("maintenance", minutes=10),
    (131026,): ErrorMeaning("unreachable", "not_on_whatsapp"),
    (131047,): ErrorMeaning("refused", "window_closed"),
    (131049, 130472): ErrorMeaning("refused", "marketing_limit"),
    (131050,): ErrorMeaning("opted_out", "marketing_stopped"),
    (131031, 131037, 131042, 131045, 368): ErrorMeaning("blocked", "account"),
    (33, 133000, 133005, 133006, 133010): ErrorMeaning("blocked", "not_registered"),
    (131021, 131030, 130497): ErrorMeaning("refused", "recipient_not_allowed"),
    (100, 131008, 131009, 131051): ErrorMeaning("refused", "bad_request"),
    (132000, 132001, 132005, 132007, 132008, 132012): ErrorMeaning(
        "blocked", "template_mismatch", scope="template"
    ),
    (132015,): _retry("template_paused", hours=1),
    (132016,): ErrorMeaning("refused", "template_disabled"),
    (131063,): ErrorMeaning("refused", "marketing_disabled"),
}
"""131049 may not be retried for a day, so the message goes to the next channel at once; the same holds for 130472, by
which Meta withholds marketing, and nothing else, from people in its experiments. Codes that are about a single
recipient never suspend the channel: signing up with the shop's own number would otherwise stop all messages.
"""
MEANING_BY_CODE = {number: meaning for numbers, meaning in _TABLE.items() for number in numbers}
UNKNOWN_ERROR = ErrorMeaning("refused", "unknown_error")
"""Any other code. The message was certainly not sent; another channel may accept it."""
TRANSIENT_ERROR = _retry("transient", minutes=1)
"""Any other code that Meta calls passing."""

_BY_STATUS: dict[int, ErrorMeaning] = {
    HTTPStatus.UNAUTHORIZED: ErrorMeaning("blocked", "token"),
    HTTPStatus.FORBIDDEN: ErrorMeaning("blocked", "permission"),
    HTTPStatus.TOO_MANY_REQUESTS: _retry("rate_limit", minutes=1),
}


@dataclass(frozen=True)
class MetaError:
    """An error in Meta's format, as in responses and webhooks."""

    code: int | None
    text: str
    is_transient: bool = False

    @property
    def meaning(self) -> ErrorMeaning | None:
        """Return what the error means, or None if it says neither a known code nor that it passes."""
        if self.code in MEANING_BY_CODE:
            return MEANING_BY_CODE[self.code]
        return TRANSIENT_ERROR if self.is_transient else None


def classify_error(status: int, error: MetaError) -> ErrorMeaning | None:
    """Classify a response other than 2xx by Meta's error, else by HTTP status. None means the outcome is unknown."""
    if error.meaning:
        return error.meaning
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return None
    if status < HTTPStatus.BAD_REQUEST:
        return ErrorMeaning("blocked", "redirect")
    return _BY_STATUS.get(status, UNKNOWN_ERROR)


def parse_error(error: Any) -> MetaError:
    """Read an error in Meta's format; anything else is an error without a code."""
    if not isinstance(error, dict):
        return MetaError(None, "")
    number, data = error.get("code"), error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    texts = [error.get("message") or error.get("title"), details]
    text = ": ".join(text for text in texts if isinstance(text, str) and text)
    code = number if type(number) is int else None
    return MetaError(code, text, error.get("is_transient") is True)
