"""A stored definition that has become invalid stops nothing but what it says itself."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from entrypoints.cli import doctor, doctor_database
from referrals.domain import money
from referrals.settings import Settings
from referrals.store import Store, schema
from referrals.store.campaigns import versions
from referrals.store.db.pages import Cursor
from referrals.store.reporting import details, lists, wallets
from referrals.store.reporting.summary import summarise
from tests.harness.campaigns import campaign, milestone
from tests.harness.store_harness import StoreHarness

CREDIT = {"type": "gift_credit", "amount": "5.00", "currency": "EUR"}
RULE = {"name": "minimum", "when": "order.amount >= 80.0", "message": "At least 80."}
NUDGE = {
    "name": "nudge",
    "on": "referral_converted",
    "when": "referral.state != ''",
    "steps": [
        {"send": {"template": "thank_advocate", "to": "advocate", "channels": ["log"]}},
        {"wait": {"until": "09:00"}},
    ],
}


@pytest.fixture
async def harness(store: Store) -> StoreHarness:
    """Two campaigns of one advocate, each with a converted friend."""
    opened = StoreHarness(store)
    rewards = {"friend": CREDIT, "tiers": [milestone(1)]}
    definition = campaign(
        rewards=rewards, conversion={"rules": [RULE]}, timezone="Europe/Berlin", journeys=[NUDGE]
    )
    await opened.apply(definition)
    await opened.apply(campaign("autumn"))
    for name in ("spring", "autumn"):
        await opened.convert(await opened.publish(name, "ada"), f"{name}-fay")
    await opened.complete_milestones()
    return opened


async def spoil(harness: StoreHarness, change: Callable[[dict[str, Any]], None]) -> None:
    """Add a version that an earlier release has accepted, under which everything runs."""
    (row,) = await harness.all(schema.campaign_versions, campaign_id="spring")
    definition = json.loads(row.definition)
    change(definition)
    spoiled = row._asdict() | {"version": 2, "definition": json.dumps(definition)}
    async with harness.store.begin() as tx:
        await tx.execute(schema.campaign_versions.insert().values(spoiled))
        for table, name in ((schema.campaigns, "id"), (schema.referrals, "campaign_id")):
            await tx.execute(table.update().where(table.c[name] == "spring").values(version=2))


def retire_zone(definition: dict[str, Any]) -> None:
    definition["timezone"] = "Mars/Base"


def retire_currency(definition: dict[str, Any]) -> None:
    definition["rewards"]["friend"]["currency"] = "DEM"


def break_rule(definition: dict[str, Any]) -> None:
    definition["conversion"]["rules"][0]["when"] = "order.amount >>"


def break_journey(definition: dict[str, Any]) -> None:
    definition["journeys"][0]["when"] = "frend.name"


def lose_template(definition: dict[str, Any]) -> None:
    definition["journeys"][0]["steps"][0]["send"]["template"] = "gone"


SPOILED = {
    retire_zone: "timezone: must be a time zone such as Europe/Berlin",
    retire_currency: "rewards.friend.currency: must be an ISO 4217 currency code",
    break_rule: "conversion.rules[0].when: minimum: line 1",
    break_journey: "journeys[0].when: nudge: line 1",
    lose_template: "journeys[0].steps[0].send.template: ",
}


@pytest.mark.parametrize("change", SPOILED, ids=lambda change: change.__name__)
async def test_everything_else_goes_on(harness: StoreHarness, change: Any):
    await spoil(harness, change)
    (code,) = [row.code for row in await harness.all(schema.codes, campaign_id="spring")]

    answer = await harness.convert(code, "gil", "90.00")
    reason = answer["reason"] and answer["reason"]["code"]
    assert reason == ("rule_broken" if change is break_rule else None)
    await harness.refund("order-of-spring-fay")
    await harness.complete_milestones()
    assert await harness.balance("spring-fay", unit="EUR") == 0
    async with harness.store.read() as tx:
        assert (await wallets.get_wallet(tx, "spring-fay")).balances[0].balance == "0.00"
        assert (await summarise(tx, "spring", harness.now())).advocates == 1
        assert len((await lists.list_referrals(tx, "spring", Cursor())).data) >= 1
        assert (await details.get_advocate(tx, "spring", "ada", harness.time, "https://x")).code
    (other,) = [row.code for row in await harness.all(schema.codes, campaign_id="autumn")]
    assert (await harness.convert(other, "hal"))["decision"] == "accepted"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("change", SPOILED, ids=lambda change: change.__name__)
async def test_doctor_names_the_campaign_and_the_key(
    harness: StoreHarness, change: Any, database_url: str
):
    settings = Settings(database_url=database_url.replace("+aiosqlite", ""))
    assert await doctor_database.check_campaigns(settings) == "2 versions in use are valid"
    await spoil(harness, change)

    check = await doctor._check(
        "campaigns", lambda: doctor_database.check_campaigns(settings), "Correct them."
    )
    assert (check.ok, check.state) == (True, "warning")
    assert check.found.startswith(f"spring, version 2: {SPOILED[change]}")


async def test_balances_orders_and_campaigns_outlive_their_currency_and_zone(
    harness: StoreHarness, monkeypatch: Any
):
    monkeypatch.setattr(money, "CURRENCIES", frozenset({"XTS"}))
    monkeypatch.setattr("referrals.domain.campaign_fields.ZoneInfo", no_zone)
    monkeypatch.setattr("referrals.domain.time_zones.ZoneInfo", only_utc)
    versions.parse_definition.cache_clear()
    async with harness.store.read() as tx:
        assert (await wallets.get_wallet(tx, "spring-fay")).balances[0].balance == "5.00"
        assert (await summarise(tx, "spring", harness.now())).revenue[0].amount == "100.00"
    await harness.refund("order-of-spring-fay", "30.00")

    (referral,) = await harness.all(schema.referrals, campaign_id="spring")
    assert referral.state == "rolled_back"
    versions.parse_definition.cache_clear()


def no_zone(name: str) -> Any:
    raise KeyError(name)


def only_utc(name: str) -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo(name) if name == "UTC" else no_zone(name)
