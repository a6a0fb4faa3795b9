"""Decisions made in SQL reach their workflow once, whatever crashes between the two."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from referrals.store import schema
from referrals.store.inbox import inbox_events
from referrals.store.messaging import log_channel
from referrals.store.referrals import signups
from tests.engine.test_outages import RETRY, conversion, failing, states, temporal_unreachable
from tests.harness.campaigns import THANKS, campaign
from tests.harness.world import World

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NUDGE: list[dict[str, Any]] = [
    {
        "name": "nudge",
        "on": "referral_signed_up",
        "steps": [
            {"wait": "P2D"},
            {"send": {"template": "nudge_friend", "to": "friend", "channels": ["log"]}},
        ],
    }
]


async def status(world: World, friend: str) -> WorkflowExecutionStatus | None:
    return (await (await world.referral_run("spring", friend)).describe()).status


async def test_a_sign_up_during_an_outage_of_temporal_is_decided_and_expires_on_time(world: World):
    await world.apply(campaign(conversion={"attribution_window": "P30D"}, journeys=NUDGE))
    code = await world.publish("spring", "ada")
    async with temporal_unreachable(world):
        sign_up = {"code": code, "friend": {"id": "fay"}}
        queued = await world.send("referral_signed_up", sign_up, id="e-1")
    assert queued.status == 202
    (referral,) = await world.all(schema.referrals)
    assert referral.state == "signed_up"

    world.skipped += RETRY
    assert await world.inbox.drain() == 1
    repeat = await world.send("referral_signed_up", sign_up, id="e-1")

    assert (repeat.status, repeat.body["decision"], repeat.body["referral"]) == (
        200,
        "accepted",
        referral.id,
    )
    await world.sleep(days=3)
    await world.until_idle()
    assert await world.messages() == [("nudge_friend", "fay", "sent")]
    await world.sleep(days=28)
    await world.until_state(referral.id, "expired")


@sqlite
async def test_no_worker_runs_a_sign_up_before_there_is_something_to_do(world: World):
    await world.apply(campaign(conversion={"attribution_window": "P30D"}))
    code = await world.publish("spring", "ada")

    for friend in ("fay", "gus"):
        await world.sign_up(code, friend)

    fays, guss = [await world.referral_run("spring", friend) for friend in ("fay", "gus")]
    assert [len((await run.fetch_history()).events) for run in (fays, guss)] == [1, 1]
    assert (await world.convert(code, "fay"))["decision"] == "accepted"
    assert await fays.result() == "rewarded"
    await world.sleep(days=29)
    assert len((await guss.fetch_history()).events) == 1
    await world.sleep(days=2)
    assert await guss.result() == "expired"


async def test_a_sign_up_whose_decision_fails_is_stored_first_and_decided_afterwards(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    monkeypatch.setattr(signups, "decide", failing(signups.decide, OSError("the disk is full")))

    answered = await world.send("referral_signed_up", {"code": code, "friend": {"id": "fay"}})

    assert (answered.status, answered.body["decision"]) == (200, "accepted")
    assert await states(world) == ["processed"]
    assert await world.activity() == ["code_published", "referral_signed_up"]


@sqlite
async def test_the_inbox_processes_a_sign_up_whose_process_died_before_its_workflow_started(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    with monkeypatch.context() as patch:

        async def die(*_: Any) -> None:
            raise SystemExit

        patch.setattr("inbox.dispatch.Dispatcher.start", die)
        with pytest.raises(SystemExit):
            await world.sign_up(code, "fay")
    assert await states(world) == ["received"]

    world.skipped += timedelta(minutes=2)
    assert [await world.inbox.drain(), await world.inbox.drain()] == [1, 0]

    assert await states(world) == ["processed"]
    assert await status(world, "fay") == WorkflowExecutionStatus.RUNNING
    assert await world.activity(type="referral_signed_up") == ["referral_signed_up"]


@sqlite
async def test_a_decision_whose_event_was_not_marked_as_processed_is_dispatched_again_without_a_change(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    monkeypatch.setattr(
        inbox_events,
        "mark_processed",
        failing(inbox_events.mark_processed, ConnectionError("gone")),
    )

    first = await world.send("referral_converted", conversion(code), id="e-1")
    assert (first.status, await states(world)) == (202, ["queued"])
    world.skipped += RETRY
    assert await world.inbox.drain() == 1

    repeat = await world.send("referral_converted", conversion(code), id="e-1")
    assert (repeat.status, repeat.body["decision"]) == (200, "accepted")
    assert (await world.balance("ada"), await world.balance("fay")) == (100, 50)
    assert await states(world) == ["processed"]


@sqlite
async def test_a_second_sign_up_after_an_expired_one_starts_its_window_in_the_same_workflow(
    world: World,
):
    await world.apply(campaign(conversion={"attribution_window": "P10D"}))
    code = await world.publish("spring", "ada")
    await world.sign_up(code, "fay")
    run = await world.referral_run("spring", "fay")
    world.skipped += timedelta(days=11)  # the timer is late

    second = (await world.sign_up(code, "fay"))["referral"]

    assert [row.state for row in await world.all(schema.referrals)] == ["expired", "signed_up"]
    await world.sleep(days=22)  # by the clock of its timers
    await world.until_state(second, "expired")
    await world.until_closed(run)


@sqlite
async def test_rejected_sign_ups_do_not_reach_the_friend_s_workflow(world: World):
    await world.apply(campaign(conversion={"hold": "P14D"}))
    code = await world.publish("spring", "ada")
    await world.convert(code, "fay")
    run = await world.referral_run("spring", "fay")
    before = len((await run.fetch_history()).events)

    refused = [await world.sign_up(code, "fay") for _ in range(3)]

    assert {answer["decision"] for answer in refused} == {"rejected"}
    assert len((await run.fetch_history()).events) == before


@sqlite
async def test_a_log_message_that_cannot_be_stored_with_the_decision_is_sent_by_an_activity(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await world.apply(campaign(journeys=THANKS))
    code = await world.publish("spring", "ada")
    monkeypatch.setattr(
        log_channel, "mark_sent", failing(log_channel.mark_sent, OSError("the disk is full"))
    )

    answer = await world.convert(code, "fay")
    await world.until_idle()

    assert answer["decision"] == "accepted"
    assert [state for *_, state in await world.messages()] == ["sent", "sent"]
    assert len(await world.all(schema.message_deliveries)) == 2
    assert len(await world.all(schema.activity, type="message_sent")) == 2


@sqlite
async def test_a_log_message_without_a_template_fails_and_the_reward_is_granted(
    world: World,
):
    step = {"send": {"template": "no_such_template", "to": "friend", "channels": ["log"]}}
    journeys = [*THANKS, {"name": "broken", "on": "referral_converted", "steps": [step]}]
    await world.apply(campaign(journeys=journeys))

    await world.convert(await world.publish("spring", "ada"), "fay")

    await world.until_idle()
    failed = await world.all(schema.messages, template="no_such_template")
    assert [(row.state, row.reason_code) for row in failed] == [("failed", "template_error")]
    assert await world.balance("fay") == 50
