"""Crashes of the worker and of Temporal at random moments do not lose or repeat a reward.

`make chaos` runs more lifecycles: CHAOS_LIFECYCLES sets their number.
"""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Row, select

from referrals.store import Store, open_store, schema
from tests.chaos.dev_process import HEADERS, Shop, kill_repeatedly, running_dev
from tests.harness.campaigns import EACH, POINTS_50, THANKS, campaign, milestone

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="finds the processes to kill in Linux's /proc"
)

LIFECYCLES = int(os.environ.get("CHAOS_LIFECYCLES", "200"))
ADVOCATES = 10
CONCURRENCY = 16
COMPLETION_TIMEOUT = timedelta(minutes=3)


async def lifecycle(shop: Shop, code: str, number: int) -> dict[str, Any]:
    """Sign up a friend, send an order, and refund every fifth order. Return the answer to the order."""
    friend = {"id": f"friend-{number}"}
    order = {"id": f"order-{number}", "amount": "100.00", "currency": "EUR"}
    await shop.send(f"sign-up-{number}", "referral_signed_up", {"code": code, "friend": friend})
    conversion = {"code": code, "friend": friend, "order": order}
    answer = await shop.send(f"order-{number}", "referral_converted", conversion)
    if number % 5 == 0:
        await shop.send(f"refund-{number}", "order_refunded", {"order": {"id": order["id"]}})
    return answer


async def run_lifecycles(
    shop: Shop, codes: list[str], killed_enough: Callable[[], bool]
) -> list[dict[str, Any]]:
    """Run all lifecycles, and more until enough processes were killed. Return the answers to the orders."""
    numbers, answers = count(), []

    async def run_next() -> None:
        for number in numbers:
            if number >= LIFECYCLES and killed_enough():
                return
            answers.append(await lifecycle(shop, codes[number % len(codes)], number))

    await asyncio.gather(*(run_next() for _ in range(CONCURRENCY)))
    return answers


async def is_complete(store: Store) -> bool:
    async with store.read() as tx:
        for statement in (
            select(schema.messages.c.id).where(schema.messages.c.state == "pending"),
            select(schema.rewards.c.id).where(schema.rewards.c.state == "pending"),
            select(schema.inbox_events.c.id).where(schema.inbox_events.c.state != "processed"),
            select(schema.rewards.c.id)
            .join(schema.milestones, schema.milestones.c.id == schema.rewards.c.milestone_id)
            .where(schema.milestones.c.state == "lost", schema.rewards.c.state == "granted"),
        ):
            if (await tx.execute(statement.limit(1))).first():
                return False
    return True


async def rows(store: Store, table: Any) -> list[Row[Any]]:
    async with store.read() as tx:
        return list((await tx.execute(select(table))).all())


async def test_every_accepted_conversion_has_exactly_its_rewards_despite_crashes(tmp_path: Path):
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    async with running_dev(tmp_path) as dev:
        async with httpx.AsyncClient(base_url=dev.url, headers=HEADERS, timeout=30) as http:
            shop = Shop(http)
            tiers = [EACH, milestone(10), milestone(20)]
            definition = campaign(rewards={"friend": POINTS_50, "tiers": tiers}, journeys=THANKS)
            assert (await http.put("/v1/campaigns/spring", json=definition)).is_success
            codes = [
                (
                    await shop.post(
                        "/v1/campaigns/spring/publications", {"customer": {"id": f"a-{n}"}}
                    )
                )["code"]
                for n in range(ADVOCATES)
            ]
            killed: Counter[str] = Counter()
            killer = asyncio.create_task(kill_repeatedly(dev, random.Random(seed), killed))
            min_worker_kills = LIFECYCLES // 100

            def killed_enough() -> bool:
                return killer.done() or (
                    killed["worker"] >= min_worker_kills and killed["temporal"] == 1
                )

            answers = await run_lifecycles(shop, codes, killed_enough)
            killer.cancel()
            print(killed)
            assert killed["worker"] >= min_worker_kills
            assert killed["temporal"] == 1
        async with open_store(f"sqlite+aiosqlite:///{tmp_path / 'referrals.db'}") as store:
            async with asyncio.timeout(COMPLETION_TIMEOUT.total_seconds()):
                while not await is_complete(store):
                    await asyncio.sleep(0.2)
            assert {answer["decision"] for answer in answers} == {"accepted"}
            await assert_rewards_match_referrals(store, len(answers))


async def assert_rewards_match_referrals(store: Store, lifecycles: int) -> None:
    referrals = await rows(store, schema.referrals)
    rewards = await rows(store, schema.rewards)
    entries = await rows(store, schema.ledger_entries)
    refunded = len(range(0, lifecycles, 5))
    assert Counter(row.state for row in referrals) == {
        "rewarded": lifecycles - refunded,
        "rolled_back": refunded,
    }
    of_referral = {row.id: row.state for row in referrals}
    per_referral = Counter(row.referral_id for row in rewards if row.referral_id)
    assert set(per_referral.values()) == {2}
    for reward in rewards:
        if reward.referral_id:
            expected = {"rewarded": {"granted"}, "rolled_back": {"rolled_back", "voided"}}
            assert reward.state in expected[of_referral[reward.referral_id]]
    await assert_milestones_follow_the_count(store, {row.milestone_id: row for row in rewards})
    granted = Counter(row.reward_id for row in entries if row.reverses_id is None)
    taken = Counter(row.reward_id for row in entries if row.reverses_id is not None)
    assert set(granted.values()) == {1}
    for reward in rewards:
        paid = reward.state in ("granted", "rolled_back")
        assert granted[reward.id] == paid
        assert taken[reward.id] == (reward.state == "rolled_back")


async def assert_milestones_follow_the_count(store: Store, rewards: dict[str, Row[Any]]) -> None:
    milestones = await rows(store, schema.milestones)
    for advocate in await rows(store, schema.advocates):
        own = [row for row in milestones if row.advocate_id == advocate.id]
        reached = sorted(row.threshold for row in own if row.state == "reached")
        assert reached == [at for at in (10, 20) if at <= advocate.confirmed_count]
        for row in own:
            paid = rewards[row.id].state == "granted"
            assert paid == (row.state == "reached")
