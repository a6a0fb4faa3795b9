"""Errors of HTTP requests as such: before, or independent of, what the product decides."""

from collections.abc import Sequence

from referrals.errors import FieldError, InvalidRequestError, ReferralsError


class UnauthorisedError(ReferralsError):
    def __init__(self) -> None:
        super().__init__("Send a valid API key as `Authorization: Bearer KEY`.")


class BodyTooLargeError(ReferralsError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit} bytes.")


class MalformedBodyError(ReferralsError):
    """Body that is not UTF-8, JSON or CSV."""


class UnsupportedMediaTypeError(ReferralsError):
    def __init__(self, given: str, supported: str) -> None:
        super().__init__(f"The content type must be {supported}, but is {given[:100] or 'none'}.")


class InvalidSignatureError(ReferralsError):
    """Callback that does not prove that WhatsApp sent it."""


class UnsignedCallbackError(ReferralsError):
    """Callback that does not prove that the operator's endpoint sent it."""

    def __init__(self) -> None:
        super().__init__(
            "The request is not signed with REFERRALS_HTTP_MESSAGES_SECRET, or was signed too long ago."
        )


class ShuttingDownError(ReferralsError):
    def __init__(self) -> None:
        super().__init__("The server is shutting down. Send the request again.")


class NotReadyError(ReferralsError):
    """Readiness checks that fail, by the name of what they check."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = tuple(errors)


def invalid_field(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError([FieldError(field, message)])
