"""Scenarios whose histories are recorded: one for each path through the workflows."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from referrals.channels import Channel
from referrals.channels.errors import ChannelSuspended
from referrals.domain.message_status import MessageStatus
from referrals.store import schema
from referrals.store.messaging import status_reports
from referrals.temporal.names import EXPIRY_ID, EXPIRY_WORKFLOW, QUEUE
from tests.harness.campaigns import EACH, POINTS_50, THANKS, campaign, milestone
from tests.harness.journeys import (
    NUDGE,
    SHARED,
    journey,
    start_journey,
    until_at_step,
    until_started,
    until_states,
    workflow,
)
from tests.harness.world import World
from tests.store.messaging.sending_harness import ScriptedChannel, until_held, until_message


async def accepted(world: World) -> None:
    await world.apply(campaign(journeys=THANKS))
    code = await world.publish("spring", "ada")
    await world.convert(code, "fay")


async def signed_up_and_accepted(world: World) -> None:
    await world.apply(campaign(journeys=THANKS))
    code = await world.publish("spring", "ada")
    await world.sign_up(code, "fay")
    await world.convert(code, "fay")


async def expired(world: World) -> None:
    await world.apply(campaign())
    answer = await world.sign_up(await world.publish("spring", "ada"), "fay")
    await world.sleep(days=31)
    await world.until_state(answer["referral"], "expired")


async def rejected(world: World) -> None:
    rule = {"name": "big", "when": "order.amount >= 80.0", "message": "Too small."}
    await world.apply(campaign(conversion={"rules": [rule]}))
    await world.convert(await world.publish("spring", "ada"), "fay", amount="79.99")


async def held_and_rewarded(world: World) -> None:
    await world.apply(campaign(conversion={"hold": "P14D"}))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.sleep(days=15)
    await world.until_state(answer["referral"], "rewarded")


async def refunded_during_hold(world: World) -> None:
    await world.apply(campaign(conversion={"hold": "P14D"}))
    await world.convert(await world.publish("spring", "ada"), "fay", order="7781")
    await world.refund("7781")


async def rolled_back_after_completion(world: World) -> None:
    await world.apply(campaign())
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.roll_back(answer["referral"])


async def reviewed(world: World) -> None:
    await world.apply(campaign(conversion={"review": "manual"}))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.inbox.command_referral("approve", answer["referral"], "Looks good", "operator")


async def milestone_reached_and_lost(world: World) -> None:
    await world.apply(campaign(rewards={"friend": POINTS_50, "tiers": [EACH, milestone(1)]}))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    await world.until_idle()
    await world.roll_back(answer["referral"])

    async def is_rolled_back() -> bool:
        return await world.balance("ada") == 0

    await world.until(is_rolled_back)


async def campaign_ended(world: World) -> None:
    ends_at = (world.now() + timedelta(days=10)).isoformat()
    journey = {
        "name": "thank_sharing",
        "on": "referral_link_shared",
        "steps": [{"send": {"template": "thank_sharing", "to": "advocate", "channels": ["log"]}}],
    }
    await world.apply(campaign(ends_at=ends_at, journeys=[journey]))
    code = await world.publish("spring", "ada")
    await world.event("referral_link_shared", {"code": code, "channel": "whatsapp"})
    await world.sleep(days=11)
    await world.until_closed(await world.advocate_run("spring", "ada"))


async def reward_failed_and_retried(world: World) -> None:
    """The provider is not configured: the reward fails, fails again after a retry, and is voided."""
    rewards = {"friend": POINTS_50, "provider": "http"}
    await world.apply(campaign(rewards=rewards))
    answer = await world.convert(await world.publish("spring", "ada"), "fay")
    for command in ("reward_retry", "reward_void"):
        await world.until_reward("failed")
        (reward,) = await world.all(schema.rewards)
        await world.inbox.command_reward(command, reward.id, "By hand", "operator")
    await world.until_state(answer["referral"], "rewarded")
    await world.until_closed(await world.referral_run("spring", "fay"))


async def message_held_and_resent(world: World) -> None:
    """A message is held until an operator fixes its channel; later the vendor reports that it was not delivered."""
    send = {"template": "thank_advocate", "to": "advocate", "channels": ["whatsapp", "email"]}
    thanks = {"name": "thanks", "on": "referral_converted", "steps": [{"send": send}]}
    await world.apply(campaign(journeys=[thanks]))
    ada = {"id": "ada", "email": "ada@example.com", "phone": "+4915112345678"}
    await world.event("customer_registered", {"customer": ada})
    await world.convert(await world.publish("spring", "ada"), "fay")
    whatsapp: Any = world.resources.channels["whatsapp"]
    await until_held(world, whatsapp, 1)
    await world.sleep(minutes=31)
    sent = await until_message(world, state="sent", channel="whatsapp")
    await world.until_closed(await world.referral_run("spring", "fay"))
    failed = MessageStatus(None, sent.reference, "failed", world.now(), "refused", "c", "s.")
    async with world.store.begin() as tx:
        await status_reports.record_statuses(tx, "whatsapp", [failed], world.now())
    await world.inbox.drain()
    await until_message(world, state="sent", channel="email")


async def points_expired(world: World) -> None:
    await world.apply(campaign(rewards={"friend": POINTS_50 | {"valid_for": "P30D"}}))
    await world.convert(await world.publish("spring", "ada"), "fay")
    await world.sleep(days=31)
    await world.client.execute_workflow(EXPIRY_WORKFLOW, id=EXPIRY_ID, task_queue=QUEUE)


VIP = {"start_workflow": {"type": "VipOnboarding", "task_queue": "crm"}}


async def journey_waited(world: World) -> None:
    """The journey sends, waits for a time and for an event that does not occur, and branches."""
    waits = [{"wait": "P2D"}, {"wait": {"event": "referral_converted", "timeout": "P1D"}}]
    branch = {"branch": {"when": "awaited.happened", "then": ["exit"], "else": [NUDGE]}}
    await start_journey(world, NUDGE, *waits, branch)
    await until_at_step(world, 1)
    await world.sleep(days=2, minutes=1)
    await until_at_step(world, 2)
    await world.sleep(days=1, minutes=1)
    await until_states(world, "done")
    await world.until_closed(await workflow(world))


async def journey_exited(world: World) -> None:
    code = await start_journey(world, {"wait": "P2D"}, NUDGE, exit_on=["referral_converted"])
    await until_at_step(world, 0)
    await world.convert(code, "fay")
    await world.until_closed(await workflow(world))


async def journey_of_shares(world: World) -> None:
    """The advocate's workflow starts the run, a friend's workflow wakes it, and it starts an external workflow."""
    came = {"wait": {"event": "referral_converted", "timeout": "P1D"}}
    waits = journey(came, SHARED, VIP, on="referral_link_shared", reentry="never")
    await world.apply(campaign(journeys=[waits]))
    code = await world.publish("spring", "ada")
    await world.share(code)
    await until_at_step(world, 0)
    await world.convert(code, "fay")
    await world.until_closed(await workflow(world))


async def workflows_started(world: World) -> None:
    """The advocate's and a friend's workflow start external workflows, without a journey run."""
    vip = journey(VIP, on="referral_link_shared") | {"name": "vip"}
    fan = journey(VIP, on="referral_converted") | {"name": "fan"}
    await world.apply(campaign(journeys=[vip, fan]))
    code = await world.publish("spring", "ada")
    await world.share(code)
    await until_started(world, 1)
    await world.convert(code, "fay")
    await until_started(world, 2)


async def events_tracked(world: World) -> None:
    """Track events beside a reward, at once and after a wait."""
    track = {"provider": "voucherify", "event": "bought", "to": "advocate"}
    now = [{"track": track}, {"track": track | {"to": "friend"}}]
    journeys = [
        {"name": "now", "on": "referral_converted", "steps": now},
        {"name": "later", "on": "referral_converted", "steps": [{"wait": "P1D"}, {"track": track}]},
    ]
    rewards = {"friend": POINTS_50, "provider": "http", "target": {}}
    await world.apply(campaign(journeys=journeys, rewards=rewards))
    await world.convert(await world.publish("spring", "ada"), "fay")
    await until_tracked(world, 2)
    await world.sleep(days=1, minutes=1)
    await until_tracked(world, 3)


async def until_tracked(world: World, count: int) -> None:
    """Wait until as many events have failed, because the provider is not set up here."""

    async def holds() -> bool:
        return len(await world.all(schema.tracked_events, state="failed")) == count

    await world.until(holds)


async def journey_held(world: World) -> None:
    await start_journey(world, {"wait": "P2D"}, NUDGE)
    await until_at_step(world, 0)
    await world.set_state("spring", "paused")
    await world.sleep(days=3)
    await until_states(world, "held")
    await world.set_state("spring", "running")
    await world.inbox.drain()
    await until_states(world, "done")
    await world.until_closed(await workflow(world))


SCENARIOS: dict[str, Callable[[World], Awaitable[None]]] = {
    scenario.__name__: scenario
    for scenario in (
        accepted,
        signed_up_and_accepted,
        expired,
        rejected,
        held_and_rewarded,
        refunded_during_hold,
        rolled_back_after_completion,
        reviewed,
        milestone_reached_and_lost,
        campaign_ended,
        reward_failed_and_retried,
        message_held_and_resent,
        points_expired,
        journey_waited,
        journey_exited,
        journey_of_shares,
        workflows_started,
        journey_held,
        events_tracked,
    )
}


def channels_of(scenario: str) -> dict[str, Channel]:
    """Return the channels that the scenario needs."""
    if scenario != message_held_and_resent.__name__:
        return {}
    held = ChannelSuspended("token", "The token has expired.", "channel")
    whatsapp = ScriptedChannel("whatsapp", reports_outcome=True, answers=[held, "ref"])
    return {"email": ScriptedChannel("email"), "whatsapp": whatsapp}
