"""Provider faults and crashes of workers do not lose or repeat a reward: both sides have the same bookings.

`make chaos` grants more rewards: CHAOS_GRANTS sets their number.
"""

import asyncio
import os
import random
import sys
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from referrals.store import Store, open_store, schema
from tests.chaos.dev_process import HEADERS, Shop, kill_repeatedly, running_dev
from tests.harness.campaigns import campaign
from tests.providers.conftest import PROVIDER_KINDS
from tests.providers.fake_endpoint import SECRET, FakeEndpoint
from tests.providers.fake_talon_one import MANAGEMENT_TOKEN, FakeTalonOne
from tests.providers.fake_vendor import FAULTS, TOKEN, Entry, FakeVendor, serve
from tests.providers.fake_voucherify import APP_ID, FakeVoucherify

GRANTS = int(os.environ.get("CHAOS_GRANTS", "250"))
CONCURRENCY = 16
COMPLETION_TIMEOUT = timedelta(minutes=5)
SHORT_TIMEOUTS = Path(__file__).with_name("short_timeouts")
PROVIDERS = {FakeVoucherify: "voucherify", FakeTalonOne: "talon_one", FakeEndpoint: "http"}
LIMITED = ("VOUCHERIFY", "TALON_ONE", "HTTP_REWARDS")
FINAL_STATES = {"granted", "rolled_back", "voided"}

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="finds the processes to kill in Linux's /proc"
)


def settings(vendors: dict[type[FakeVendor], FakeVendor]) -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {
        "PYTHONPATH": f"{SHORT_TIMEOUTS}{os.pathsep}{root}",
        **{f"REFERRALS_{name}_PER_SECOND": "1000" for name in LIMITED},
        "REFERRALS_VOUCHERIFY_URL": vendors[FakeVoucherify].url,
        "REFERRALS_VOUCHERIFY_APP_ID": APP_ID,
        "REFERRALS_VOUCHERIFY_APP_TOKEN": TOKEN,
        "REFERRALS_TALON_ONE_URL": vendors[FakeTalonOne].url,
        "REFERRALS_TALON_ONE_API_KEY": TOKEN,
        "REFERRALS_TALON_ONE_MANAGEMENT_KEY": MANAGEMENT_TOKEN,
        "REFERRALS_HTTP_REWARDS_URL": f"{vendors[FakeEndpoint].url}/rewards",
        "REFERRALS_HTTP_REWARDS_SECRET": SECRET,
    }


async def open_campaigns(http: httpx.AsyncClient, shop: Shop) -> list[str]:
    """Create a campaign for each kind of provider, and return an advocate's code of each."""
    codes = []
    for name, kind in PROVIDER_KINDS.items():
        amount = {"type": "points", "amount": 70}
        if kind.currency:
            amount = {"type": "gift_credit", "amount": "12.30", "currency": kind.currency}
        rewards = {"friend": amount, "provider": PROVIDERS[kind.vendor], "target": kind.target}
        slug = name.replace("_", "-")
        definition = campaign(slug, rewards=rewards)
        assert (await http.put(f"/v1/campaigns/{slug}", json=definition)).is_success
        body = {"customer": {"id": "ada"}}
        codes.append((await shop.post(f"/v1/campaigns/{slug}/publications", body))["code"])
    return codes


async def lifecycle(shop: Shop, code: str, number: int) -> None:
    """Send an order of a friend, and refund every fourth order."""
    order = {"id": f"order-{number}", "amount": "100.00", "currency": "EUR"}
    friend = {"id": f"a friend/{number} ü%"}
    conversion = {"code": code, "friend": friend, "order": order}
    await shop.send(f"order-{number}", "referral_converted", conversion)
    if number % 4 == 0:
        await shop.send(f"refund-{number}", "order_refunded", {"order": {"id": order["id"]}})


async def run_lifecycles(shop: Shop, codes: list[str]) -> None:
    slots = asyncio.Semaphore(CONCURRENCY)

    async def one(number: int) -> None:
        async with slots:
            await lifecycle(shop, codes[number % len(codes)], number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(GRANTS):
            tasks.create_task(one(number))


async def states(store: Store) -> Counter[str]:
    async with store.read() as tx:
        return Counter((await tx.execute(select(schema.rewards.c.state))).scalars())


async def wait_until_complete(store: Store) -> None:
    async with asyncio.timeout(COMPLETION_TIMEOUT.total_seconds()):
        while not set(await states(store)) <= FINAL_STATES:
            await asyncio.sleep(0.5)


async def expected_bookings(store: Store) -> list[Entry]:
    """Return the bookings that the providers should have, according to our database."""
    async with store.read() as tx:
        rewards = (await tx.execute(select(schema.rewards))).all()
    granted = [Entry(row.key, row.amount) for row in rewards if row.state != "voided"]
    back = [
        Entry(f"{row.key}:roll_back", -row.amount) for row in rewards if row.state == "rolled_back"
    ]
    return granted + back


async def test_no_booking_is_lost_or_repeated_despite_faults_and_crashes(
    tmp_path: Path,
):
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    vendors = {kind: kind(seed) for kind in PROVIDERS}
    killed: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        for vendor in vendors.values():
            stack.push_async_callback(await serve(vendor))
        dev = await stack.enter_async_context(running_dev(tmp_path, **settings(vendors)))
        async with httpx.AsyncClient(base_url=dev.url, headers=HEADERS, timeout=30) as http:
            shop = Shop(http)
            codes = await open_campaigns(http, shop)
            for vendor in vendors.values():
                vendor.fault_rate = 0.15
                vendor.accept_first_rate = vendor.conflict_rate = 0.3
            killer = asyncio.create_task(kill_repeatedly(dev, random.Random(seed), killed, (6, 15)))
            await run_lifecycles(shop, codes)
            killer.cancel()
        async with open_store(f"sqlite+aiosqlite:///{tmp_path / 'referrals.db'}") as store:
            await wait_until_complete(store)
            expected, states_reached = await expected_bookings(store), await states(store)
        for vendor in vendors.values():
            await vendor.wait_until_idle()
    faults = sum((vendor.triggered_faults for vendor in vendors.values()), Counter())
    print(killed, states_reached, faults)
    assert sorted(expected) == sorted(
        entry for vendor in vendors.values() for entry in vendor.bookings
    )
    assert states_reached.total() == GRANTS
    assert states_reached["rolled_back"] + states_reached["voided"] == len(range(0, GRANTS, 4))
    assert [vendor.undocumented_requests for vendor in vendors.values()] == [[], [], []]
    assert set(FAULTS) <= set(faults)
    assert killed["worker"] >= 1
