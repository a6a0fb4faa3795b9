"""Bulk rows that fill the tables to the size of years of use."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from benchmarks.reference_rows import CAMPAIGN, WINDOW
from benchmarks.seed import ADVOCATES, publish
from referrals.domain.codes import code_key
from referrals.store import open_store
from referrals.store.db.sql import Tx
from referrals.store.schema import codes, customers, referrals

CHUNK = 5000
OWNED = 10
"""One in this many codes is published to an advocate."""
T = TypeVar("T")


def fill(url: str, referral_count: int, code_count: int) -> None:
    """Insert expired sign-ups, spread over the advocates, and codes."""

    async def run() -> None:
        now = datetime.now(UTC)
        owned = ADVOCATES + code_count // OWNED
        async with open_store(url) as store:
            for numbers in _chunks(iter(range(ADVOCATES, owned))):
                async with store.begin() as tx:
                    await publish(tx, numbers[0], len(numbers), now)
            for numbers in _chunks(iter(range(code_count - owned))):
                async with store.begin() as tx:
                    await tx.execute(codes.insert(), [_code(n, now) for n in numbers])
            for numbers in _chunks(iter(range(referral_count))):
                async with store.begin() as tx:
                    await _refer(tx, numbers, owned, now)

    asyncio.run(run())


def _chunks(items: Iterator[T]) -> Iterator[list[T]]:
    while chunk := list(islice(items, CHUNK)):
        yield chunk


async def _refer(tx: Tx, numbers: list[int], advocates: int, now: datetime) -> None:
    friends = [
        {
            "id": f"cus_old_{n}",
            "external_id": f"old-{n}",
            "normalised_id": f"old-{n}",
            "reward_subject": f"old-{n}",
            "created_at": now,
        }
        for n in numbers
    ]
    await tx.execute(customers.insert(), friends)
    await tx.execute(referrals.insert(), [_expired(n, n % advocates, now) for n in numbers])


def _code(n: int, now: datetime) -> dict[str, Any]:
    row = {"campaign_id": CAMPAIGN, "state": "active", "uses": 0, "created_at": now}
    code = f"FREE-{n}"
    return row | {"code": code, "key": code_key(code)}


def _expired(n: int, advocate: int, now: datetime) -> dict[str, Any]:
    return {
        "id": f"ref_old_{n}",
        "campaign_id": CAMPAIGN,
        "version": 1,
        "advocate_id": f"adv_{advocate}",
        "friend_id": f"cus_old_{n}",
        "workflow_id": f"referral/{CAMPAIGN}/cus_old_{n}",
        "code": f"CODE-{advocate}",
        "state": "expired",
        "signed_up_at": now - WINDOW,
        "window_ends_at": now,
        "closed_at": now,
        "created_at": now - WINDOW,
    }
