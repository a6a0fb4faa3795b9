"""Rules that reject everybody, or that cannot be evaluated, are shown in the summary and to `referrals doctor`."""

from datetime import timedelta
from typing import Any

import pytest

from entrypoints.cli import doctor_database
from referrals.settings import Settings
from referrals.store.reporting import rule_rejections
from referrals.store.reporting.summary import summarise
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness

MINIMUM = {"name": "minimum", "when": "order.amount >= 80.0", "message": "Order for 80 EUR."}
VIP = {"name": "vip", "when": "order.attributes.vip == true", "message": "VIPs only."}


def with_rules(*rules: dict[str, Any]) -> dict[str, Any]:
    return campaign(conversion={"rules": list(rules)})


async def convert(harness: StoreHarness, code: str, *amounts: str) -> None:
    for number, amount in enumerate(amounts):
        await harness.convert(code, f"friend-{amount}-{number}", amount=amount)


async def problems(harness: StoreHarness) -> list[tuple[str, int, int]]:
    async with harness.store.read() as tx:
        found = await rule_rejections.list_problems(tx)
    return [(row.rule, row.failed, row.broken) for row in found]


async def test_the_summary_counts_rejections_by_rule_and_says_what_is_broken(harness: StoreHarness):
    await harness.apply(with_rules(MINIMUM, VIP))
    code = await harness.publish("spring", "ada")
    await convert(harness, code, "10.00", "20.00", "90.00")

    async with harness.store.read() as tx:
        rules = (await summarise(tx, "spring", harness.now())).rules

    assert [(row.rule, row.failed, row.broken) for row in rules] == [
        ("minimum", 2, 0),
        ("vip", 0, 1),
    ]
    assert rules[0].diagnosis is None
    assert "vip: there is no vip" in str(rules[1].diagnosis)
    assert rules[1].last_at == harness.time
    assert await problems(harness) == [("vip", 0, 1)]


async def test_a_rule_is_a_problem_if_nobody_passes(harness: StoreHarness):
    await harness.apply(with_rules(MINIMUM))
    code = await harness.publish("spring", "ada")
    await convert(harness, code, *["10.00"] * (rule_rejections.MIN_REJECTIONS - 1))
    assert await problems(harness) == []

    await harness.convert(code, "one-more", amount="10.00")
    assert await problems(harness) == [("minimum", rule_rejections.MIN_REJECTIONS, 0)]

    await harness.convert(code, "rich", amount="80.00")
    assert await problems(harness) == []


async def test_a_corrected_rule_starts_afresh(harness: StoreHarness):
    await harness.apply(with_rules(VIP))
    code = await harness.publish("spring", "ada")
    await convert(harness, code, "90.00")
    harness.time += timedelta(minutes=1)
    await harness.apply(with_rules(VIP | {"when": "has(order.attributes.vip)"}))

    assert await problems(harness) == []


async def test_other_campaigns_and_ended_ones_do_not_count(harness: StoreHarness):
    await harness.apply(campaign("autumn"))
    await convert(harness, await harness.publish("autumn", "ada"), "90.00")
    await harness.apply(with_rules(VIP))
    await convert(harness, await harness.publish("spring", "ada"), "90.00")
    assert await problems(harness) == [("vip", 0, 1)]

    await harness.set_state("spring", "archived")
    assert await problems(harness) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_doctor_names_the_rule_and_the_diagnosis(
    harness: StoreHarness, database_url: str
):
    await harness.apply(with_rules(VIP))
    await convert(harness, await harness.publish("spring", "ada"), "90.00")
    settings = Settings(database_url=database_url.replace("+aiosqlite", ""))

    with pytest.raises(
        doctor_database.CheckFailedError,
        match=r"spring: the rule vip could not be evaluated \(1 so far\): vip: there is no vip",
    ):
        await doctor_database.check_rules(settings)
