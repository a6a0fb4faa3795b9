"""Journey definitions for tests, and queries for the state of their runs."""

from typing import Any

from referrals.store import schema
from referrals.temporal.names import journey_workflow_id
from tests.harness.campaigns import campaign
from tests.harness.world import World


def send(template: str, to: str = "friend") -> dict[str, Any]:
    return {"send": {"template": template, "to": to, "channels": ["log"]}}


NUDGE, THANK, SHARED = send("nudge_friend"), send("thank_friend"), send("thank_sharing", "advocate")


def journey(*steps: Any, on: str = "referral_signed_up", **keys: Any) -> dict[str, Any]:
    return {"name": "nudge", "on": on, "steps": list(steps), **keys}


def with_journey(*steps: Any, **keys: Any) -> dict[str, Any]:
    """Return the campaign `spring` with one journey, which starts at the sign-up unless `on` is given."""
    return campaign(journeys=[journey(*steps, **keys)])


async def start_journey(world: World, *steps: Any, friend: str = "fay", **keys: Any) -> str:
    """Apply a campaign with this journey, sign the friend up, and return the code."""
    await world.apply(with_journey(*steps, **keys))
    code = await world.publish("spring", "ada")
    await world.sign_up(code, friend)
    return code


async def states(world: World) -> list[str]:
    """Return the states of all runs, in the order in which they began."""
    runs = await world.all(schema.journey_runs)
    return [run.state for run in sorted(runs, key=lambda run: (run.started_at, run.id))]


async def until_states(world: World, *expected: str) -> None:
    async def holds() -> bool:
        return await states(world) == list(expected)

    await world.until(holds)


async def until_at_step(world: World, number: int) -> None:
    """Wait until the only run waits at this step."""

    async def holds() -> bool:
        (run,) = await world.all(schema.journey_runs)
        return (
            run.state == "running" and run.step_index == number and run.notifier_workflow_id is None
        )

    await world.until(holds)


async def until_started(world: World, number: int) -> None:
    """Wait until this number of workflows has been started by journeys."""

    async def holds() -> bool:
        return len(await world.all(schema.workflow_starts, state="started")) == number

    await world.until(holds)


async def sent(world: World) -> list[str]:
    """Templates of the messages that went out, in order."""
    await world.until_idle()
    return [template for template, _, state in await world.messages() if state == "sent"]


async def workflow(world: World) -> Any:
    """Return the handle of the only run's workflow."""
    (run,) = await world.all(schema.journey_runs)
    return world.client.get_workflow_handle(journey_workflow_id(run.journey, run.subject, run.id))


CONVERTED: dict[str, Any] = {"on": "referral_converted"}


def grant(to: str = "advocate", amount: int = 20, **more: Any) -> dict[str, Any]:
    return {"grant": {"to": to, "reward": {"type": "points", "amount": amount, **more}}}


async def begin(world: World, *steps: Any, on: Any = CONVERTED, **parts: Any) -> str:
    """Apply a campaign whose journey has these steps. Return ada's code."""
    await world.apply(campaign(journeys=[journey(*steps, **on)], **parts))
    return await world.publish("spring", "ada")


async def given(world: World) -> list[Any]:
    """Return the rewards that journeys granted."""
    keys = ("spring/nudge/",)
    return [row for row in await world.all(schema.rewards) if row.origin.startswith(keys)]


async def until_given(world: World, *wanted: str) -> None:
    async def holds() -> bool:
        return [row.state for row in await given(world)] == list(wanted)

    await world.until(holds)
