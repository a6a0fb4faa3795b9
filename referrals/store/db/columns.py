"""Typed columns and rows: one class declares the names and types of both.

    class CodeRow(TableRow):
        code: Field[str] = column(Text, primary_key=True)
        uses_limit: Field[int | None] = column(Integer)

    class CodeColumns(CodeRow, Columns[CodeRow]): ...

    codes = table("codes", CodeColumns)

`codes.c.uses_limit` is a `Column[int | None]`, and `(await get(tx, codes, code="ADA")).uses_limit` is an `int | None`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from sqlalchemy import Column, Named, TypedColumns


class TableRow:
    """A row of a table, as `select(table)` returns it.

    Subclasses declare the columns of their table. At run time a row is SQLAlchemy's own `Row`: the classes only give
    the type checker the names and types of its attributes.
    """


T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", bound=TableRow, covariant=True)

if TYPE_CHECKING:

    class Field(Generic[T_co]):
        """A `Column[T]` of `table.c`, and a `T` of a row. Nullable if `T` includes None."""

        @overload
        def __get__(self, instance: TypedColumns, owner: Any) -> Column[T_co]: ...
        @overload
        def __get__(self, instance: TableRow, owner: Any) -> T_co: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...

    class Columns(TypedColumns, Generic[R_co]):
        """The columns of the table whose rows are `R`."""

        __getattr__: Callable[..., Column[Any]]  # a variable: misspelt columns are errors
else:
    Field = Named

    class Columns(TypedColumns):
        def __class_getitem__(cls, _row: type[TableRow]) -> type["Columns"]:
            return cls


T = TypeVar("T")


def required(value: T | None) -> T:
    """Return the value of a nullable column that the state of the row requires to be set."""
    if value is None:
        raise ValueError("the column is NULL")
    return value
