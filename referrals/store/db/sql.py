"""Transactions, typed rows, and statements that work in both dialects."""

from collections import namedtuple
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from itertools import islice
from typing import Any, Protocol, TypeVar, TypeVarTuple, cast

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    ColumnElement,
    CursorResult,
    Dialect,
    FromClause,
    Row,
    Select,
    Table,
    Update,
    bindparam,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.selectable import TypedReturnsRows

from referrals.domain.identity import IdentityOptions
from referrals.store.db.columns import Columns, TableRow

T = TypeVar("T")
R = TypeVar("R", bound=TableRow)
K = TypeVar("K")
Ts = TypeVarTuple("Ts")


class Tx(Protocol):
    """A connection inside a transaction: all changes made through it are committed together or not at all.

    `events` are those that its decision has published and that are not handled yet (see `store.activity.log`).
    `identity` are the secrets of the process; None in a command that stores no customers.
    """

    events: list[Any]
    identity: IdentityOptions | None

    @property
    def dialect(self) -> Dialect: ...

    async def execute(self, statement: Any, parameters: Any = None) -> CursorResult[Any]: ...

    async def scalar(self, statement: Any, parameters: Any = None) -> Any: ...

    async def run_sync(self, function: Callable[..., Any], /, *args: Any) -> Any: ...

    async def commit(self) -> None: ...


def insert(tx: Tx, table: Table[Any]) -> Any:
    """Return an INSERT that supports ON CONFLICT, in the dialect of the transaction."""
    return insert_for(tx.dialect.name, table)


def insert_for(dialect: str, table: Table[Any]) -> Any:
    """Return an INSERT that supports ON CONFLICT, in this dialect."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def locked(statement: Select[*Ts], of: Table[Any] | None = None) -> Select[*Ts]:
    """Lock the rows until the transaction ends; other transactions can still insert rows that refer to them.

    A full FOR UPDATE would make every insert that refers to a campaign wait for its decisions, and some deadlock.
    """
    return statement.with_for_update(key_share=True, of=of)


def literal_in(column: ColumnElement[Any], *values: str) -> ColumnElement[bool]:
    """Return `column IN (values)` with literals instead of parameters, as the conditions of partial indexes have them.

    With a parameter SQLite would not use the index and would scan the whole table.
    """
    literals: list[ColumnElement[str]] = [literal_column(f"'{value}'") for value in values]
    return column.in_(literals) if len(literals) > 1 else column == literals[0]


# Rows of statements whose columns have types: unpack them.


async def one(tx: Tx, statement: TypedReturnsRows[*Ts], **values: Any) -> Row[*Ts]:
    """Return the only row."""
    return (await tx.execute(statement, values)).one()


async def first(tx: Tx, statement: TypedReturnsRows[*Ts], **values: Any) -> Row[*Ts] | None:
    """Return the first row, if any."""
    return (await tx.execute(statement, values)).first()


async def rows(tx: Tx, statement: TypedReturnsRows[*Ts], **values: Any) -> Sequence[Row[*Ts]]:
    """Return all rows."""
    return (await tx.execute(statement, values)).all()


async def scalars(
    tx: Tx, statement: TypedReturnsRows[T, *tuple[Any, ...]], **values: Any
) -> list[T]:
    """Return the first column of all rows."""
    return list((await tx.execute(statement, values)).scalars())


# Rows by attribute: the given class declares the names and types of the columns that the statement selects,
# such as the row class of a table. It is not checked against the statement, and nothing is converted.


async def one_of(tx: Tx, _kind: type[K], statement: Any, **values: Any) -> K:
    """Return the only row."""
    return cast("K", (await tx.execute(statement, values)).one())


async def first_of(tx: Tx, _kind: type[K], statement: Any, **values: Any) -> K | None:
    """Return the first row, if any."""
    return cast("K | None", (await tx.execute(statement, values)).first())


async def rows_of(tx: Tx, _kind: type[K], statement: Any, **values: Any) -> Sequence[K]:
    """Return all rows."""
    return cast("Sequence[K]", (await tx.execute(statement, values)).all())


# Building a statement costs as much as running it, so frequent statements are built once and cached.


async def find(
    tx: Tx, table: FromClause[Columns[R]], *, lock: bool = False, **key: Any
) -> R | None:
    """Return the row with this key, if any."""
    return cast("R | None", (await tx.execute(_select_by(table, lock, *key), key)).first())


async def get(tx: Tx, table: FromClause[Columns[R]], *, lock: bool = False, **key: Any) -> R:
    """Return the row with this key."""
    return cast("R", (await tx.execute(_select_by(table, lock, *key), key)).one())


async def change(tx: Tx, table: Table[Any], row_id: str, **values: Any) -> None:
    """Set columns of the row with this id."""
    await tx.execute(_update_by_id(table), {"row_id": row_id} | values)


async def add(
    tx: Tx, table: Table[Any], *new: dict[str, Any], once: tuple[str, ...] | None = None
) -> None:
    """Insert rows that set the same columns; `once` is explained at `insert_once`."""
    if new:
        await tx.execute(insert_once(tx, table, once), list(new) if len(new) > 1 else new[0])


def insert_once(tx: Tx, table: Table[Any], once: tuple[str, ...] | None = None) -> Any:
    """Return an INSERT that skips rows which conflict in the columns `once` (empty: in any key; None: skip none)."""
    return _insert_once(tx.dialect.name, table, once)


def select_joined(*tables: FromClause[Any]) -> Select[*tuple[Any, ...]]:
    """Return a SELECT of all columns of these tables, to be joined. Read its rows by `JoinedRow`."""
    return select(*tables).set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)


class JoinedRow:
    """Splits a row of `select_joined` into the rows of its tables, in their order."""

    def __init__(self, row: Row[*tuple[Any, ...]]) -> None:
        self._values = iter(row)

    def take(self, table: FromClause[Columns[R]]) -> R:
        """Return the row of the next table."""
        return cast("R", self._next(table))

    def take_optional(self, table: FromClause[Columns[R]]) -> R | None:
        """Return the row of the next table; None if the outer join found none."""
        row = self._next(table)
        return cast("R", row) if row[0] is not None else None

    def rest(self) -> list[Any]:
        """Return the values of the columns after those of the tables."""
        return list(self._values)

    def _next(self, table: FromClause[Any]) -> Any:
        return _row_type(table)._make(islice(self._values, len(table.c)))


@cache
def _row_type(table: FromClause[Any]) -> Any:
    return namedtuple("JoinedTableRow", table.c.keys())  # noqa: PYI024 - columns are known only here


@cache
def _select_by(table: FromClause[Any], lock: bool, *columns: str) -> Select[*tuple[Any, ...]]:
    statement = select(table).where(*(table.c[name] == bindparam(name) for name in columns))
    return locked(statement) if lock else statement


@cache
def _update_by_id(table: Table[Any]) -> Update:
    return table.update().where(table.c.id == bindparam("row_id"))


@cache
def _insert_once(dialect: str, table: Table[Any], once: tuple[str, ...] | None) -> Any:
    new = insert_for(dialect, table)
    return new if once is None else new.on_conflict_do_nothing(index_elements=list(once) or None)


class RowCache:
    """Reads each row at most once."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self._found: dict[tuple[Any, ...], Any] = {}

    async def get(self, key: tuple[Any, ...], read: Callable[[Tx], Awaitable[T]]) -> T:
        """Return what `read` returned for this key the first time."""
        if key not in self._found:
            self._found[key] = await read(self.tx)
        return cast("T", self._found[key])

    async def find(self, table: Table[Columns[R]], row_id: str | None) -> R | None:
        """Return the row with this id; None if the id is None."""
        if row_id is None:
            return None
        return await self.get((table.name, row_id), lambda tx: get(tx, table, id=row_id))
