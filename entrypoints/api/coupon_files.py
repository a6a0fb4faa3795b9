"""Coupon codes in CSV files as spreadsheets write them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from entrypoints.api.http_errors import MalformedBodyError
from referrals.store import views
from referrals.store.rewards.coupon_pools import NumberedCode

HEADER = "code"
_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


@dataclass(frozen=True)
class CouponFile:
    """Codes of a file with their lines, the lines without a readable code, and the columns that were not read."""

    codes: list[NumberedCode]
    errors: list[views.LineError]
    ignored_columns: list[str]


def read_coupon_file(body: bytes) -> CouponFile:
    """Read a CSV file with a column `code` in UTF-8, UTF-16 or Windows-1252, separated by commas, semicolons or tabs.

    Raises:
        MalformedBodyError: the file is not CSV, or its header has not one column `code`.
    """
    text = _decode(body)
    delimiter, text = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise MalformedBodyError(
            f"The body is not CSV: a cell of line {reader.line_num} cannot be read."
        ) from error
    header = lines[0][1] if lines else []
    column = _column_of(header)
    ignored = [name for number, name in enumerate(header) if name and number != column]
    codes, errors = _read_lines(lines[1:], column, len(header))
    return CouponFile(codes, errors, ignored)


def _decode(body: bytes) -> str:
    """Decode the body by its byte order mark, else as UTF-8, else as Windows-1252; codes are ASCII in all of them."""
    marked = (name for mark, name in _BYTE_ORDER_MARKS.items() if body.startswith(mark))
    encoding = next(marked, "utf-16-le" if body[1:2] == b"\x00" else "utf-8")
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise MalformedBodyError(
                f"The body is not {encoding.upper()} at byte {error.start + 1}."
            ) from error
    return body.decode("cp1252", errors="replace")


def _delimiter(text: str) -> tuple[str, str]:
    """Return the delimiter, and the text from its header on. A line such as `sep=;` names the delimiter to Excel."""
    first, _, rest = text.partition("\n")
    named = first.strip().casefold().removeprefix("sep=")
    if first.casefold().startswith("sep=") and len(named) == 1:
        return named, rest
    return max(",;\t", key=first.count), text


def _column_of(header: Sequence[str]) -> int:
    columns = [number for number, name in enumerate(header) if name.casefold() == HEADER]
    if len(columns) != 1:
        found = ", ".join(name or "(empty)" for name in header) or "nothing"
        raise MalformedBodyError(f"The first line must have one column {HEADER}; it has {found}.")
    return columns[0]


def _read_lines(
    lines: Sequence[tuple[int, list[str]]], column: int, width: int
) -> tuple[list[NumberedCode], list[views.LineError]]:
    codes, errors = [], []
    for line, cells in lines:
        extra = [cell for cell in cells[width:] if cell]
        code = cells[column] if column < len(cells) else ""
        if extra:
            reason = f"has {len(cells)} cells, but the header has {width}"
            errors.append(views.LineError(line, HEADER, reason))
        elif code:
            codes.append((line, code))
        elif any(cells):
            errors.append(views.LineError(line, HEADER, "is empty"))
    return codes, errors
