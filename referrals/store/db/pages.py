"""Pagination by cursor: newest first, and stable while rows are added."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, literal, select, tuple_

from referrals.errors import FieldError, InvalidRequestError
from referrals.store.db.sql import Tx, first
from referrals.store.views import Page

T = TypeVar("T")
R = TypeVar("R")

MAX_PAGE_SIZE = 200


@dataclass(frozen=True)
class Cursor:
    """Position and size of a page: it starts after the row with the key `after`."""

    limit: int = 50
    after: str | None = None


async def newest_first(
    tx: Tx,
    statement: Select[*tuple[Any, ...]],
    order: tuple[ColumnElement[Any], ...],
    cursor: Cursor,
    view: Callable[[R], T],
) -> Page[T]:
    """Return a page of `statement`, ordered by these columns; the last one is a key.

    Raises:
        InvalidRequestError: The cursor is not of this list.
    """
    key = order[-1]
    if cursor.after is not None:
        last = await _last_seen(tx, order, cursor.after)
        statement = statement.where(tuple_(*order) < tuple_(*last))
    statement = statement.order_by(*(column.desc() for column in order)).limit(cursor.limit + 1)
    found: Sequence[Any] = (await tx.execute(statement.add_columns(key.label("page_key")))).all()
    shown = found[: cursor.limit]
    more = len(found) > cursor.limit
    return Page([view(row) for row in shown], str(shown[-1].page_key) if more else None)


async def _last_seen(
    tx: Tx, order: tuple[ColumnElement[Any], ...], after: str
) -> list[ColumnElement[Any]]:
    key = order[-1]
    value: Any = after
    if key.type.python_type is int:
        value = int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else -1  # noqa: PLR2004
    row = await first(tx, select(*order).where(key == value))
    if row is None:
        raise InvalidRequestError([FieldError("after", "is not the `next` of a page of this list")])
    return [literal(value, column.type) for value, column in zip(row, order, strict=True)]
