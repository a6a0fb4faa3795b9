"""The few things that SQL leaves to its dialects."""

from collections import namedtuple
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any, Protocol, TypeVar, cast

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

T = TypeVar("T")


class Tx(Protocol):
    """A connection inside a transaction: what is done through it is done together or not at all.

    `events` are those that its decision has published and that are not handled yet (see `store.activity.log`).
    """

    events: list[Any]

    @property
    def dialect(self) -> Dialect: ...

    async def execute(self, statement: Any, parameters: Any = None) -> CursorResult[Any]: ...

    async def scalar(self, statement: Any, parameters: Any = None) -> Any: ...

    async def run_sync(self, function: Callable[..., Any], /, *args: Any) -> Any: ...

    async def commit(self) -> None: ...


def insert(tx: Tx, table: Table) -> Any:
    """An INSERT that can say ON CONFLICT, alike in both dialects."""
    return insert_of(tx.dialect.name, table)


def insert_of(dialect: str, table: Table) -> Any:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def locked(statement: Select[Any], of: Table | None = None) -> Select[Any]:
    """Lock the rows until this transaction ends, but let others refer to them meanwhile.

    A full FOR UPDATE makes every insert that refers to a campaign wait for its decisions, and some for each other.
    """
    return statement.with_for_update(key_share=True, of=of)


def written(column: ColumnElement[Any], *values: str) -> ColumnElement[bool]:
    """One of these words of ours, in the statement itself and in the order in which partial indexes have them.

    By a value that is bound SQLite would look through the whole table.
    """
    words: list[ColumnElement[str]] = [literal_column(f"'{value}'") for value in values]
    return column.in_(words) if len(words) > 1 else column == words[0]


async def one(tx: Tx, statement: Any, **values: Any) -> Row[Any]:
    return (await tx.execute(statement, values)).one()


async def first(tx: Tx, statement: Any, **values: Any) -> Row[Any] | None:
    return (await tx.execute(statement, values)).first()


async def rows(tx: Tx, statement: Any, **values: Any) -> Sequence[Row[Any]]:
    return (await tx.execute(statement, values)).all()


# Building a statement costs as much as running it: what is asked often is built once, and filled.


async def find(tx: Tx, table: Table, *, lock: bool = False, **key: Any) -> Row[Any] | None:
    """The row with this key, if there is one."""
    return await first(tx, _by(table, lock, *key), **key)


async def get(tx: Tx, table: Table, *, lock: bool = False, **key: Any) -> Row[Any]:
    """The row with this key."""
    return await one(tx, _by(table, lock, *key), **key)


async def change(tx: Tx, table: Table, row_id: str, **values: Any) -> None:
    """Set columns of the row of this id."""
    await tx.execute(_change(table), {"row_id": row_id} | values)


async def add(
    tx: Tx, table: Table, *new: dict[str, Any], once: tuple[str, ...] | None = None
) -> None:
    """Insert rows of the same columns; with `once`, but for those whose key, or one of whose keys, is there already."""
    if new:
        await tx.execute(adding(tx, table, once), list(new) if len(new) > 1 else new[0])


def adding(tx: Tx, table: Table, once: tuple[str, ...] | None = None) -> Any:
    return _add(tx.dialect.name, table, once)


def whole(*tables: FromClause) -> Select[Any]:
    """A SELECT of all columns of these tables, to be joined; its rows are for `split`."""
    return select(*tables).set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)


def split(row: Row[Any], *tables: FromClause) -> Iterator[Any]:
    """The row of each table out of one of `whole`; None for one that was not found."""
    columns = iter(row)
    for table in tables:
        own = _shape(table)._make(islice(columns, len(table.c)))
        yield own if own[0] is not None else None


@cache
def _shape(table: FromClause) -> Any:
    return namedtuple("Joined", table.c.keys())  # noqa: PYI024 - its columns are known only here


@cache
def _by(table: Table, lock: bool, *columns: str) -> Select[Any]:
    statement = select(table).where(*(table.c[name] == bindparam(name) for name in columns))
    return locked(statement) if lock else statement


@cache
def _change(table: Table) -> Update:
    return table.update().where(table.c.id == bindparam("row_id"))


@cache
def _add(dialect: str, table: Table, once: tuple[str, ...] | None) -> Any:
    new = insert_of(dialect, table)
    return new if once is None else new.on_conflict_do_nothing(index_elements=list(once) or None)


async def scalars(tx: Tx, statement: Any) -> list[Any]:
    return list((await tx.execute(statement)).scalars())


class Known:
    """What several ask for is read once."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self._found: dict[tuple[Any, ...], Any] = {}

    async def once(self, key: tuple[Any, ...], read: Callable[[Tx], Awaitable[T]]) -> T:
        if key not in self._found:
            self._found[key] = await read(self.tx)
        return cast(T, self._found[key])

    async def maybe(self, table: Table, row_id: str | None) -> Row[Any] | None:
        """The row of this id, if any."""
        if row_id is None:
            return None
        return await self.once((table.name, row_id), lambda tx: get(tx, table, id=row_id))
