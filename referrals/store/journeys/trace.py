"""Trace of journeys, for those who try a campaign out: which start, which steps run, and why others do not.

It is off unless a simulation listens; facts are in the tables and in the activity log.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from referrals.domain.journey_steps import Step, WaitStep
from referrals.store.activity.context import ReferralContext
from referrals.store.journeys.journey_entry import JourneyEntry
from referrals.store.schema import JourneyRunRow


@dataclass(frozen=True)
class TracedStep:
    """One act of a journey. `customer_id` is our id of the customer whom it concerns.

    `started` is true for the act with which a journey starts.
    """

    at: datetime
    journey: str
    customer_id: str
    does: str
    started: bool = False


_traced: ContextVar[list[TracedStep] | None] = ContextVar("traced", default=None)


@contextmanager
def listen() -> Iterator[list[TracedStep]]:
    """Collect the acts of all journeys until the context ends."""
    traced: list[TracedStep] = []
    token = _traced.set(traced)
    try:
        yield traced
    finally:
        _traced.reset(token)


def record(entry: JourneyEntry, does: str, *values: object, started: bool = False) -> None:
    """Record an act, with values for the `{}` of its text."""
    traced = _traced.get()
    if traced is not None:
        context, reward = entry.context, entry.reward
        owner = reward.customer_id if reward else context.friend_id
        customer_id = owner or context.advocate.customer_id
        text = does.format(*values)
        traced.append(TracedStep(context.now, entry.journey.name, customer_id, text, started))


def record_step(entry: JourneyEntry, step: Step, *, holds: bool) -> None:
    """Record a branch, or a step whose effect may not show in the activity log at once."""
    if step.branch:
        record(entry, "takes {}: {}", "then" if holds else "else", step.branch.when)
    if step.grant:
        reward = step.grant.reward
        record(
            entry,
            "grants {} {} to the {}",
            reward.amount,
            reward.currency or reward.type,
            step.grant.to,
        )
    if step.track:
        record(entry, "tracks {} at {}", step.track.event, step.track.provider)
    if step.webhook:
        record(entry, "posts to {}", step.webhook.url)
    if step.start_workflow:
        record(entry, "starts the workflow {}", step.start_workflow.type)


def record_wait(entry: JourneyEntry, wait: WaitStep, wake_at: datetime | None) -> None:
    if wait.event:
        record(entry, "waits for {}, until {:%Y-%m-%d %H:%M} UTC", wait.event, wake_at)
    else:
        record(entry, "waits until {:%Y-%m-%d %H:%M} UTC", wake_at)


def record_exit(run: JourneyRunRow, context: ReferralContext, event_type: str) -> None:
    traced = _traced.get()
    if traced is not None:
        customer_id = run.friend_id or context.advocate.customer_id
        traced.append(TracedStep(context.now, run.journey, customer_id, f"exits by {event_type}"))
