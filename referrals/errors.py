"""What a caller is told when a request cannot be done; the API writes it as an RFC 9457 problem document."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """A field at fault (`data.order.amount`), why, and for files the line."""

    field: str
    message: str
    line: int | None = None


class Problem(Exception):
    """`type` is stable and for machines, `title` and `detail` are for people, `status` is HTTP's."""

    def __init__(
        self, kind: str, title: str, status: int, detail: str, errors: tuple[FieldError, ...] = ()
    ) -> None:
        super().__init__(detail)
        self.type = kind
        self.title = title
        self.status = status
        self.detail = detail
        self.errors = errors
