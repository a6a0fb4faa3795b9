"""The few things that SQL leaves to its dialects."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar, cast

from sqlalchemy import CursorResult, Dialect, Row, Select, Table, select
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")


class Tx(Protocol):
    """A connection inside a transaction: what is done through it is done together or not at all."""

    @property
    def dialect(self) -> Dialect: ...

    async def execute(self, statement: Any, parameters: Any = None) -> CursorResult[Any]: ...

    async def scalar(self, statement: Any, parameters: Any = None) -> Any: ...

    async def run_sync(self, function: Callable[..., Any], /, *args: Any) -> Any: ...

    async def commit(self) -> None: ...


def insert(tx: Tx, table: Table) -> Any:
    """An INSERT that can say ON CONFLICT, alike in both dialects."""
    return sqlite.insert(table) if tx.dialect.name == "sqlite" else postgresql.insert(table)


def locked(statement: Select[Any], of: Table | None = None) -> Select[Any]:
    """Lock the rows until this transaction ends, but let others refer to them meanwhile.

    A full FOR UPDATE makes every insert that refers to a campaign wait for its decisions, and some for each other.
    """
    return statement.with_for_update(key_share=True, of=of)


async def one(tx: Tx, statement: Any) -> Row[Any]:
    return (await tx.execute(statement)).one()


async def first(tx: Tx, statement: Any) -> Row[Any] | None:
    return (await tx.execute(statement)).first()


async def rows(tx: Tx, statement: Any) -> Sequence[Row[Any]]:
    return (await tx.execute(statement)).all()


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

    async def get(self, table: Table, row_id: str) -> Row[Any]:
        row = select(table).where(table.c.id == row_id)
        return await self.once((table.name, row_id), lambda tx: one(tx, row))

    async def maybe(self, table: Table, row_id: str | None) -> Row[Any] | None:
        return await self.get(table, row_id) if row_id else None
