"""The migrations and the schema that the code speaks of are one, on both databases."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from referrals.store import Store, api_keys, open_store
from referrals.store.customers import consents
from referrals.store.db import migrate
from referrals.store.schema import metadata

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


async def test_what_customers_had_consented_to_stays_in_force(
    engine: AsyncEngine, empty_store: Store
):
    customer = "INSERT INTO customers (id, external_id, consent, created_at) VALUES "
    told = [("cus_1", '["email", "whatsapp"]'), ("cus_2", "[]"), ("cus_3", None)]
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: _upgrade_to(sync, "0002"))
        for name, consent in told:
            values = {"name": name, "consent": consent}
            moment = "'2026-03-04 10:00:00+00:00'"
            await connection.execute(text(f"{customer} (:name, :name, :consent, {moment})"), values)

    await migrate.migrate(engine)

    async with empty_store.read() as tx:
        allowed = [await consents.marketing_channels(tx, name) for name, _ in told]
    assert allowed == [["email", "whatsapp"], [], []]


NOW = "'2026-03-04 10:00:00+00:00'"
OF_A_MILESTONE = [
    ("campaigns", "id, name, state, version, conversion_event, accepted, created_at", f"'spring', 'Spring', 'running', 1, 'redemption', 1, {NOW}"),
    ("campaign_versions", "campaign_id, version, definition, applied_at, applied_by", f"'spring', 1, '{{}}', {NOW}, 'x'"),
    ("customers", "id, external_id, created_at", f"'cus_1', 'ada', {NOW}"),
    ("advocates", "id, campaign_id, customer_id, confirmed, created_at", f"'adv_1', 'spring', 'cus_1', 1, {NOW}"),
    ("codes", "code, campaign_id, advocate_id, state, uses, created_at", f"'ADA', 'spring', 'adv_1', 'active', 1, {NOW}"),
    ("referrals", "id, campaign_id, version, advocate_id, friend_id, code, state, created_at", f"'ref_1', 'spring', 1, 'adv_1', 'cus_1', 'ADA', 'confirmed', {NOW}"),
    ("milestones", "id, advocate_id, tier, at, occurrence, state, reached_at, reached_by", f"'mil_1', 'adv_1', 'ten', 1, 1, 'reached', {NOW}, 'ref_1'"),
]  # fmt: skip
REWARD = (
    "INSERT INTO rewards (id, key, campaign_id, milestone_id, side, tier, customer_id, type, amount, state, created_at) "
    f"VALUES (:id, :id, 'spring', 'mil_1', 'advocate', :tier, 'cus_1', 'points', 1, 'granted', {NOW})"
)
NEWS = (
    "INSERT INTO activity (type, at, actor, campaign_id, reward_id, data) "
    f"VALUES ('reward_granted', {NOW}, 'engine', 'spring', :id, '{{}}')"
)


async def test_a_milestone_keeps_its_one_reward_and_may_have_more_by_journeys(engine: AsyncEngine):
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: _upgrade_to(sync, "0009"))
        for table, columns, values in OF_A_MILESTONE:
            await connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"))
        await connection.execute(text(REWARD), {"id": "rew_1", "tier": "ten"})
        await connection.execute(text(NEWS), {"id": "rew_1"})

    await migrate.migrate(engine)

    async with engine.begin() as connection:
        for reward in ("rew_2", "rew_3"):
            await connection.execute(text(REWARD), {"id": reward, "tier": None})
        await connection.execute(text(NEWS), {"id": "rew_2"})
    for statement, told in ((REWARD, {"id": "rew_4", "tier": "ten"}), (NEWS, {"id": "rew_5"})):
        with pytest.raises(IntegrityError):
            async with engine.begin() as connection:
                await connection.execute(text(statement), told)
    with pytest.raises(IntegrityError):
        async with engine.begin() as connection:
            await connection.execute(text("DELETE FROM rewards WHERE id = 'rew_1'"))


def _upgrade_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


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
