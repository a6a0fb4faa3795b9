"""Initial rows of a run: the campaign and its advocates, each with a code."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.reference_rows import CAMPAIGN
from referrals.domain.campaign import Campaign
from referrals.domain.codes import code_key
from referrals.store import open_store
from referrals.store.campaigns import applying
from referrals.store.db.sql import Tx
from referrals.store.schema import advocates, codes, customers

ADVOCATES = 50
"""Number of advocates; large enough that callers do not wait for each other's locks."""


def campaign(milestones: Sequence[int] = (), hold: str | None = None) -> Campaign:
    """Return a campaign with points and log messages for both sides."""
    thanks = [
        {"send": {"template": f"thank_{side}", "to": side, "channels": ["log"]}}
        for side in ("advocate", "friend")
    ]
    tiers: list[dict[str, Any]] = [
        {"name": "each", "each": True, "reward": {"type": "points", "amount": 100}}
    ]
    tiers += [
        {"name": f"at_{at}", "at": at, "reward": {"type": "points", "amount": 1000}}
        for at in milestones
    ]
    return Campaign.model_validate(
        {
            "campaign": CAMPAIGN,
            "name": "Bench",
            "landing_url": "https://shop.example/welcome",
            "code": {"uses": None},
            "conversion": {"attribution_window": "P30D"} | ({"hold": hold} if hold else {}),
            "rewards": {"friend": {"type": "points", "amount": 50}, "tiers": tiers},
            "journeys": [{"name": "thanks", "on": "referral_converted", "steps": thanks}],
        }
    )


def seed(url: str, milestones: Sequence[int] = (), hold: str | None = None) -> str:
    """Apply the campaign, publish the codes `CODE-0` … to the advocates `advocate-0` … and return the URL."""

    async def run() -> None:
        now = datetime.now(UTC)
        async with open_store(url) as store, store.begin() as tx:
            await applying.apply(tx, campaign(milestones, hold), "bench", now)
            await publish(tx, 0, ADVOCATES, now)

    asyncio.run(run())
    return url


async def publish(tx: Tx, first: int, count: int, now: datetime) -> None:
    """Insert advocates with a code each."""
    numbers = range(first, first + count)
    await tx.execute(customers.insert(), [_customer(n, now) for n in numbers])
    await tx.execute(advocates.insert(), [_advocate(n, now) for n in numbers])
    await tx.execute(codes.insert(), [_code(n, now) for n in numbers])


def _customer(n: int, now: datetime) -> dict[str, Any]:
    names = {"id": f"cus_adv_{n}", "external_id": f"advocate-{n}", "name": f"Advocate {n}"}
    names |= {"normalised_id": f"advocate-{n}", "reward_subject": f"{n}"}
    return names | {"created_at": now, "customer_since": now}


def _advocate(n: int, now: datetime) -> dict[str, Any]:
    own = {"id": f"adv_{n}", "campaign_id": CAMPAIGN, "customer_id": f"cus_adv_{n}"}
    return own | {"confirmed_count": 0, "created_at": now}


def _code(n: int, now: datetime) -> dict[str, Any]:
    times = {"published_at": now, "created_at": now}
    code = f"CODE-{n}"
    own = {"code": code, "key": code_key(code), "campaign_id": CAMPAIGN, "advocate_id": f"adv_{n}"}
    return own | {"sole_code_of_advocate_id": f"adv_{n}", "state": "active", "uses": 0} | times
