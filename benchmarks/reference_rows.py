"""Rows of a lifecycle as the references write them: the same rows in the same tables as the engine.

It imports only the table definitions and SQLAlchemy, because other engines run it in environments of their own.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from referrals.settings import DatabaseOptions
from referrals.store.schema import (
    activity,
    advocates,
    campaigns,
    codes,
    customers,
    inbox_events,
    ledger_accounts,
    ledger_entries,
    message_deliveries,
    messages,
    metadata,
    orders,
    referrals,
    rewards,
)

CAMPAIGN = "bench"
WINDOW = timedelta(days=30)
SIDES = ("friend", "advocate")
AMOUNTS = {"friend": 50, "advocate": 100}
PENDING = select(func.count()).where(messages.c.state == "pending")
PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=20000")
SYNCHRONOUS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}


def open_async(url: str) -> AsyncEngine:
    engine = create_async_engine(url, **_pool(url))
    _prepare(engine.sync_engine)
    return engine


def open_sync(url: str) -> Engine:
    """Open the database with a blocking driver."""
    parsed = make_url(url)
    driver = SYNCHRONOUS[parsed.get_backend_name()]
    engine = create_engine(parsed.set(drivername=driver), **_pool(url))
    _prepare(engine)
    return engine


def _pool(url: str) -> dict[str, int]:
    """Return the pool settings of the engine. With SQLite, waiting for the only connection is better than for the lock."""
    lone = make_url(url).get_backend_name() == "sqlite"
    return {"pool_size": 1 if lone else DatabaseOptions.pool_size, "max_overflow": 0}


def _prepare(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only")
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def lifecycle_writes(number: int, advocate: int, dialect: str) -> Iterator[tuple[Any, Any]]:
    """Yield the statements and rows of a lifecycle: sign-up, order, referral, counters, rewards, ledger, log and messages.

    The counters are not idempotent: check `IS_WRITTEN` first.
    """
    now = datetime.now(UTC)
    friend, code, adv = f"cus_{number}", f"CODE-{advocate}", f"adv_{advocate}"
    yield (
        customers.insert(),
        {
            "id": friend,
            "external_id": f"friend-{number}",
            "normalised_id": f"friend-{number}",
            "reward_subject": friend,
            "created_at": now,
            "customer_since": now,
        },
    )
    yield (
        inbox_events.insert(),
        [_event(number, kind, friend, now) for kind in ("signed_up", "converted")],
    )
    yield orders.insert(), _order(number, now)
    yield referrals.insert(), _referral(number, adv, friend, code, now)
    yield codes.update().where(codes.c.code == code).values(uses=codes.c.uses + 1), {}
    yield (
        campaigns.update()
        .where(campaigns.c.id == CAMPAIGN)
        .values(accepted_count=campaigns.c.accepted_count + 1),
        {},
    )
    yield (
        advocates.update()
        .where(advocates.c.id == adv)
        .values(confirmed_count=advocates.c.confirmed_count + 1),
        {},
    )
    yield from _reward_writes(number, advocate, dialect, now)


def _reward_writes(
    number: int, advocate: int, dialect: str, now: datetime
) -> Iterator[tuple[Any, Any]]:
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    ref, friend, adv = f"ref_{number}", f"cus_{number}", f"adv_{advocate}"
    owner = {"friend": friend, "advocate": f"cus_adv_{advocate}"}
    subject = {"campaign_id": CAMPAIGN, "referral_id": ref}
    yield rewards.insert(), [_reward(ref, side, owner[side], now) for side in SIDES]
    yield (
        insert(ledger_accounts).on_conflict_do_nothing(),
        [_account("issued", CAMPAIGN), *(_account("wallet", owner[side]) for side in SIDES)],
    )
    yield _ENTER, [_entry(ref, side, owner[side], now) for side in SIDES]
    logged = ("referral_signed_up", "referral_converted", "reward_granted", "reward_granted")
    yield (
        activity.insert(),
        [
            _logged(
                kind, now, advocate_id=adv, customer_id=friend, code=f"CODE-{advocate}", **subject
            )
            for kind in logged
        ],
    )
    yield messages.insert(), [_message(number, side, owner[side], adv, now) for side in SIDES]


IS_WRITTEN = select(referrals.c.id).where(referrals.c.id == bindparam("referral"))


def send(message: Any) -> Iterator[tuple[Any, Any]]:
    """Render a message read by `DRAFT` and mark it as sent."""
    now = datetime.now(UTC)
    text = f"Hello {message.name or 'there'}, thank you! Your reward is here. Referral {message.referral_id}"
    yield (
        messages.update()
        .where(messages.c.id == message.id, messages.c.state == "pending")
        .values(state="sent", channel="log", completed_at=now, subject="Thank you", text=text),
        {},
    )
    sent = {"message_id": message.id, "channel": "log", "state": "sent"}
    yield message_deliveries.insert(), sent | {"attempt": 1, "claimed_at": now}
    about = {
        name: getattr(message, name)
        for name in ("campaign_id", "advocate_id", "referral_id", "customer_id")
    }
    yield activity.insert(), _logged("message_sent", now, **about)


DRAFT = (
    select(messages, customers.c.name)
    .join(customers, customers.c.id == messages.c.customer_id)
    .where(messages.c.id == bindparam("message"), messages.c.state == "pending")
)


def message_ids(number: int) -> list[str]:
    return [f"msg_{number}_{side}" for side in SIDES]


async def write_lifecycle_async(engine: AsyncEngine, number: int, advocate: int) -> None:
    async with engine.begin() as tx:
        if not (await tx.execute(IS_WRITTEN, {"referral": f"ref_{number}"})).first():
            await _execute(tx, lifecycle_writes(number, advocate, engine.dialect.name))


async def send_async(engine: AsyncEngine, message_id: str) -> None:
    async with engine.begin() as tx:
        if message := (await tx.execute(DRAFT, {"message": message_id})).first():
            await _execute(tx, send(message))


async def pending_async(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        tx = await connection.execution_options(read_only=True)
        return int((await tx.execute(PENDING)).scalar_one())


async def _execute(tx: AsyncConnection, writes: Iterator[tuple[Any, Any]]) -> None:
    for statement, rows in writes:
        await tx.execute(statement, rows)


def write_lifecycle_sync(engine: Engine, number: int, advocate: int) -> None:
    with engine.begin() as tx:
        if not tx.execute(IS_WRITTEN, {"referral": f"ref_{number}"}).first():
            for statement, rows in lifecycle_writes(number, advocate, engine.dialect.name):
                tx.execute(statement, rows)


def send_sync(engine: Engine, message_id: str) -> None:
    with engine.begin() as tx:
        if message := tx.execute(DRAFT, {"message": message_id}).first():
            for statement, rows in send(message):
                tx.execute(statement, rows)


async def counts(url: str) -> dict[str, int]:
    """Return the number of rows by table. All engines must agree after the same lifecycles."""
    engine, found = open_async(url), {}
    async with engine.connect() as tx:
        for table in metadata.sorted_tables:
            found[table.name] = await tx.scalar(select(func.count()).select_from(table)) or 0
    await engine.dispose()
    return found


def _event(number: int, kind: str, friend: str, now: datetime) -> dict[str, Any]:
    return {
        "id": f"evt_{number}_{kind}",
        "external_id": f"{kind}-{number}",
        "source": "bench",
        "type": f"referral_{kind}",
        "received_at": now,
        "actor": "bench",
        "campaign_id": CAMPAIGN,
        "customer_id": friend,
        "data": {"order": {"id": f"order-{number}", "amount": "100.00", "currency": "EUR"}},
        "state": "processed",
        "response": {"referral": f"ref_{number}", "decision": "accepted"},
    }


def _order(number: int, now: datetime) -> dict[str, Any]:
    fact = [now.isoformat(), f"evt_{number}_converted"]
    total = [fact, {"amount": "100.00", "currency": "EUR"}]
    state = {"facts": {"total": total, "converted": [fact, None]}, "refunds": {}}
    return {
        "id": f"ord_{number}",
        "source": "shop",
        "external_id": f"order-{number}",
        "is_known": True,
        "state": state,
        "created_at": now,
    }


def _referral(number: int, adv: str, friend: str, code: str, now: datetime) -> dict[str, Any]:
    times = (
        "signed_up_at",
        "converted_at",
        "rewardable_at",
        "due_at",
        "confirmed_at",
        "created_at",
    )
    return {
        "id": f"ref_{number}",
        "campaign_id": CAMPAIGN,
        "version": 1,
        "advocate_id": adv,
        "friend_id": friend,
        "workflow_id": f"referral/{CAMPAIGN}/{friend}",
        "code": code,
        "state": "rewarded",
        "order_id": f"ord_{number}",
        "order_snapshot": {"id": f"order-{number}", "amount": "100.00", "currency": "EUR"},
        "window_ends_at": now + WINDOW,
        **dict.fromkeys(times, now),
    }


def _reward(ref: str, side: str, owner: str, now: datetime) -> dict[str, Any]:
    return {
        "id": f"rew_{ref}_{side}",
        "origin": f"{ref}/{side}",
        "key_prefix": f"{CAMPAIGN}/{ref}/{side}",
        "occurrence": 1,
        "campaign_id": CAMPAIGN,
        "referral_id": ref,
        "side": side,
        "customer_id": owner,
        "type": "points",
        "amount": AMOUNTS[side],
        "state": "granted",
        "due_at": now,
        "granted_at": now,
        "created_at": now,
    }


def _account(kind: str, owner: str) -> dict[str, Any]:
    return {"kind": kind, "owner": owner, "type": "points", "currency": ""}


def _account_id(kind: str, owner: str) -> Any:
    found = select(ledger_accounts.c.id).where(
        ledger_accounts.c.kind == kind,
        ledger_accounts.c.owner == bindparam(owner),
        ledger_accounts.c.type == "points",
        ledger_accounts.c.currency == "",
    )
    return found.scalar_subquery()


_ENTER = ledger_entries.insert().values(
    debit_id=_account_id("issued", "issuer"), credit_id=_account_id("wallet", "holder")
)


def _entry(ref: str, side: str, owner: str, now: datetime) -> dict[str, Any]:
    return {
        "issuer": CAMPAIGN,
        "holder": owner,
        "key": f"grant:{ref}/{side}",
        "amount": AMOUNTS[side],
        "reward_id": f"rew_{ref}_{side}",
        "at": now,
        "memo": f"Referral reward: {AMOUNTS[side]} points",
    }


def _logged(kind: str, now: datetime, **about: Any) -> dict[str, Any]:
    return {"type": kind, "at": now, "actor": "bench", "data": {}, **about}


def _message(number: int, side: str, owner: str, adv: str, now: datetime) -> dict[str, Any]:
    return {
        "id": f"msg_{number}_{side}",
        "key": f"{CAMPAIGN}/{number}/{side}",
        "campaign_id": CAMPAIGN,
        "version": 1,
        "journey": "thanks",
        "event": "referral_converted",
        "template": f"thank_{side}",
        "channels": ["log"],
        "customer_id": owner,
        "advocate_id": adv,
        "referral_id": f"ref_{number}",
        "sender_id": f"{CAMPAIGN}/{number}",
        "state": "pending",
        "created_at": now,
    }
