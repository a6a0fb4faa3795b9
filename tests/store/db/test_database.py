"""Transactions on each database, and their effect on everything else in the process."""

import asyncio
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from referrals.settings import DatabaseOptions
from referrals.store import Store, open_store
from referrals.store.db.sql import add, find
from referrals.store.schema import orders

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def order(order_id: str) -> dict[str, object]:
    return {
        "id": order_id,
        "source": "shop",
        "external_id": order_id,
        "is_known": True,
        "state": {},
        "created_at": datetime.now(UTC),
    }


async def ids(store: Store) -> list[str]:
    async with store.read_long() as tx:
        return list((await tx.execute(select(orders.c.id).order_by(orders.c.id))).scalars())


async def test_what_is_committed_stays_and_what_fails_leaves_nothing(store: Store):
    async with store.begin() as tx:
        await add(tx, orders, order("kept"))
    with suppress(KeyError):
        async with store.begin() as tx:
            await add(tx, orders, order("lost"))
            raise KeyError
    async with store.uncommitted() as tx:
        await add(tx, orders, order("rehearsed"))
        assert await find(tx, orders, id="rehearsed")
    async with store.autocommit() as tx:
        await add(tx, orders, order("alone"))

    assert await ids(store) == ["alone", "kept"]


async def test_a_repeated_key_is_passed_over_where_it_may_come_once(store: Store):
    async with store.begin() as tx:
        await add(tx, orders, order("a"), order("b"), once=("id",))
        await add(tx, orders, order("b"), order("c"), once=("id",))

    assert await ids(store) == ["a", "b", "c"]


async def test_transactions_at_once_lose_nothing(store: Store):
    async def count() -> None:
        async with store.begin() as tx:
            number = await tx.scalar(select(func.count()).select_from(orders))
            await asyncio.sleep(0)
            await add(tx, orders, order(f"{number}-{id(asyncio.current_task())}"))

    await asyncio.gather(*(count() for _ in range(20)))

    assert len(await ids(store)) == 20


@sqlite
async def test_a_writer_waiting_for_another_process_does_not_block_readers(
    store: Store, database_url: str
):
    other = sqlite3.connect(database_url.partition(":///")[2], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ticks = 0

    async def write() -> None:
        async with store.begin() as tx:
            await add(tx, orders, order("waited"))

    writing = asyncio.create_task(write())
    while ticks < 5:
        await asyncio.sleep(0.005)
        ticks += 1
        assert not writing.done()
        assert await ids(store) == []  # readers do not wait
    other.execute("COMMIT")
    await writing
    other.close()

    assert await ids(store) == ["waited"]


@sqlite
async def test_a_writer_fails_after_the_busy_timeout(store: Store, database_url: str):
    options = DatabaseOptions(busy_timeout=timedelta(milliseconds=50))
    other = sqlite3.connect(database_url.partition(":///")[2], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Exception, match="database is locked"):
        async with open_store(database_url, options) as other_store, other_store.begin():
            pass
    other.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_cut_while_idle_is_replaced(
    database_url: str,
):
    options = DatabaseOptions(ping_after_idle=timedelta(0))
    async with open_store(database_url, options) as store, open_store(database_url) as other:
        async with store.begin() as tx:
            mine = await tx.scalar(select(func.pg_backend_pid()))
        async with other.begin() as tx:
            await tx.execute(select(func.pg_terminate_backend(mine)))

        assert await ids(store) == []
