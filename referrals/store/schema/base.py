"""Building blocks of the tables: typed columns and rows, UTC times, constraints and partial indexes."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Constraint,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    Table,
    TypeDecorator,
    text,
)

from referrals.store.db.columns import Columns

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """UTC time. SQLite stores no offset, so reading adds it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Serial = BigInteger().with_variant(Integer, "sqlite")
"""Type of ids that the database counts up."""

C = TypeVar("C", bound=Columns[Any])


def column(*arguments: Any, **options: Any) -> Any:
    """Return a `Column` whose name and nullability follow from the annotated field."""
    return Column(*arguments, **options)


def table(name: str, columns: type[C], *constraints: Constraint | Index) -> Table[C]:
    """Return the table with these columns."""
    return Table(name, metadata, columns, *constraints, info={"row": columns.__mro__[1]})


def quoted(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({quoted(values)})", name=column)


def unique_where(name: str, *columns: str, where: str) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=True, sqlite_where=condition, postgresql_where=condition)


def index_where(name: str, *columns: str, where: str) -> Index:
    condition = text(where)
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)
