"""The migrations create exactly the schema that the code uses, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from functools import reduce
from operator import or_

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from referrals.store import Store, api_keys, open_store
from referrals.store.db import migrate
from referrals.store.schema import metadata
from referrals.store.schema.baseline import APPEND_ONLY

PG_CONSTRAINTS = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
"""
PG_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename <> 'alembic_version'"


@pytest.fixture
async def empty_store(empty_database_url: str) -> AsyncIterator[Store]:
    async with open_store(empty_database_url) as opened:
        yield opened


@pytest.fixture
def engine(empty_store: Store) -> AsyncEngine:
    return empty_store.engine


# PostgreSQL stores the expression of a computed column in words of its own.
@pytest.mark.filterwarnings("ignore:Computed default on rewards.key cannot be modified")
async def test_migrations_lead_to_the_schema(engine: AsyncEngine):
    await migrate.migrate(engine)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return compare_metadata(context, metadata)

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrations_make_the_same_constraints_as_the_schema(engine: AsyncEngine):
    """Checks and conditions of indexes, which Alembic does not compare."""
    await migrate.migrate(engine)
    async with engine.begin() as connection:
        migrated = await connection.run_sync(_constraints)
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)

        assert migrated == await connection.run_sync(_constraints)


def _constraints(connection: Connection) -> set[tuple[object, ...]]:
    if connection.dialect.name == "postgresql":
        found = [connection.execute(text(query)) for query in (PG_CONSTRAINTS, PG_INDEXES)]
        return {tuple(row) for rows in found for row in rows}
    inspector = inspect(connection)
    checks = {
        (table, check["name"], check["sqltext"])
        for table in metadata.tables
        for check in inspector.get_check_constraints(table)
    }
    indexes = text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    return checks | {tuple(row) for row in connection.execute(indexes)}


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_append_only_tables_refuse_changes(engine: AsyncEngine, table: str):
    await migrate.migrate(engine)
    async with engine.connect() as connection:
        assert await connection.run_sync(_guarded_changes, table) == {"UPDATE", "DELETE"}


def _guarded_changes(connection: Connection, table: str) -> set[str]:
    """Kinds of changes for which the table has a trigger."""
    if connection.dialect.name == "postgresql":
        query = "SELECT tgtype FROM pg_trigger WHERE tgrelid = CAST(:table AS regclass)"
        types = connection.execute(text(f"{query} AND NOT tgisinternal"), {"table": table})
        kinds = reduce(or_, types.scalars())
        return {change for change, bit in {"DELETE": 8, "UPDATE": 16}.items() if kinds & bit}
    query = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table"
    triggers = connection.execute(text(query), {"table": table}).scalars()
    return {
        change for sql in triggers for change in ("UPDATE", "DELETE") if f"BEFORE {change}" in sql
    }


async def test_a_database_is_current_when_migrated(empty_store: Store):
    assert not await migrate.is_current(empty_store)
    await migrate.migrate(empty_store.engine)
    assert await migrate.is_current(empty_store)


async def test_several_processes_may_migrate_at_once(empty_store: Store):
    await asyncio.gather(*(migrate.migrate(empty_store.engine) for _ in range(3)))

    assert await migrate.is_current(empty_store)


async def test_migrating_again_changes_nothing(empty_store: Store):
    await migrate.migrate(empty_store.engine)
    key = await api_keys.create(empty_store, "shop")

    await migrate.migrate(empty_store.engine)

    assert await migrate.is_current(empty_store)
    assert await api_keys.check(empty_store, key) == "shop"


def test_a_process_without_an_event_loop_can_migrate(empty_database_url: str):
    async def is_current() -> bool:
        async with open_store(empty_database_url) as store:
            return await migrate.is_current(store)

    migrate.upgrade(empty_database_url)
    assert asyncio.run(is_current())

    migrate.upgrade(empty_database_url)
    assert asyncio.run(is_current())
