"""Storms of simultaneous conversions: limits, milestones and the one referral of a friend hold."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from referrals.domain.events import Customer
from referrals.store import schema
from referrals.store.campaigns import versions
from referrals.store.codes import publications
from referrals.store.codes.publications import Request
from referrals.store.customers import profiles
from referrals.store.flow.event_loop import decision
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.invariants import check, load_facts
from tests.harness.world import World

STORM = 100
ORDER = {"amount": "100.00", "currency": "EUR"}


async def assert_invariants(world: World) -> None:
    async with world.store.read() as tx:
        found = await versions.find_in_force(tx, "spring")
    assert found is not None
    check(await load_facts(world.store, found.campaign))


async def published(world: World, count: int) -> list[str]:
    """A code for each of so many advocates, without their workflows: those are not what is tried here."""
    async with decision(world.store) as tx:
        now = world.now()
        advocates = [
            await profiles.upsert(tx, Customer(id=f"advocate-{number}"), now)
            for number in range(count)
        ]
        requests = [Request("spring", who, "shop") for who in advocates]
        rows = [await publications.publish_code(tx, request, now) for request in requests]
    return [row.code for row in rows]


async def storm(world: World, conversions: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """All of these (code, friend) at once, each with an order of its own; then all again, for the answers.

    On a busy machine some are queued in the rush: their repeat, in the calm, is what processes them.
    """
    events = {
        f"storm-{number}": {
            "code": code,
            "friend": {"id": friend},
            "order": ORDER | {"id": f"order-{number}"},
        }
        for number, (code, friend) in enumerate(conversions)
    }
    kind = "referral_converted"
    await asyncio.gather(*(world.send(kind, data, id=name) for name, data in events.items()))
    return [await world.event(kind, data, id=name) for name, data in events.items()]


def decisions(answers: list[dict[str, Any]]) -> Counter[str]:
    return Counter(a["reason"]["code"] if a["reason"] else a["decision"] for a in answers)


async def test_of_many_conversions_of_one_friend_with_different_codes_one_wins(world: World):
    await world.apply(campaign())
    codes = await published(world, STORM)

    answers = await storm(world, [(code, "fay") for code in codes])

    assert decisions(answers) == {"accepted": 1, "already_referred": STORM - 1}
    (winner,) = (answer for answer in answers if answer["decision"] == "accepted")
    rewards = await world.all(schema.rewards)
    assert {(row.referral_id, row.state) for row in rewards} == {(winner["referral"], "granted")}
    assert sorted(row.side for row in rewards) == ["advocate", "friend"]
    assert len(await world.all(schema.ledger_entries)) == 2
    await assert_invariants(world)


async def test_of_many_friends_of_one_advocate_exactly_as_many_are_accepted_as_may_be(
    world: World,
):
    """The milestone at 10 is reached once."""
    await world.apply(
        campaign(
            limits={"per_advocate": {"count": 50, "period": "P30D"}},
            rewards={"friend": POINTS_50, "tiers": [EACH, milestone(10)]},
        )
    )
    code = await world.publish("spring", "ada")

    answers = await storm(world, [(code, f"friend-{number}") for number in range(STORM)])
    await world.until_idle()

    assert decisions(answers) == {"accepted": 50, "advocate_limit_reached": STORM - 50}
    assert (await world.advocate("ada")).confirmed_count == 50
    assert len(await world.all(schema.milestones)) == 1
    assert await world.balance("ada") == 50 * 100 + 1000
    await assert_invariants(world)


async def test_a_milestone_follows_the_count_through_simultaneous_conversions_and_roll_backs(
    world: World,
):
    await world.apply(campaign(rewards={"friend": POINTS_50, "tiers": [EACH, milestone(5)]}))
    code = await world.publish("spring", "ada")
    first = await storm(world, [(code, f"friend-{number}") for number in range(5)])

    await asyncio.gather(
        *(world.roll_back(answer["referral"]) for answer in first),
        *(world.convert(code, f"late-{number}") for number in range(4)),
    )
    await world.until_idle()

    advocate = await world.advocate("ada")
    assert advocate.confirmed_count == 4
    milestones = await world.all(schema.milestones)
    assert {row.state for row in milestones} == {"lost"}
    assert await world.balance("ada") == 400
    await assert_invariants(world)


async def test_concurrent_advocates_do_not_exceed_the_limit_of_the_campaign(world: World):
    await world.apply(campaign(limits={"conversions": 7}))
    codes = await published(world, 10)

    answers = await storm(world, [(codes[n % 10], f"friend-{n}") for n in range(30)])

    assert decisions(answers) == {"accepted": 7, "campaign_limit_reached": 23}
    await assert_invariants(world)


async def test_friends_who_refer_each_other_at_once_do_not_lock_each_other_out(world: World):
    await world.apply(campaign())
    people = [f"person-{number}" for number in range(8)]
    codes = dict(zip(people, [await world.publish("spring", p) for p in people], strict=True))
    ring = [(codes[one], other) for one, other in zip(people, people[1:] + people[:1], strict=True)]

    answers = await storm(world, ring)
    await asyncio.gather(*(world.roll_back(answer["referral"]) for answer in answers))

    assert decisions(answers) == {"accepted": 8}
    assert {await world.balance(person) for person in people} == {0}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_an_event_is_received_while_its_campaign_is_locked_by_a_decision(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")

    async with world.store.begin() as decision:
        await versions.find_in_force(decision, "spring", lock=True)
        receiving = asyncio.create_task(world.convert(code, "fay"))
        await world.until(lambda: _received(world))

    assert (await receiving)["decision"] == "accepted"


async def _received(world: World) -> bool:
    return bool(await world.all(schema.inbox_events, type="referral_converted"))
