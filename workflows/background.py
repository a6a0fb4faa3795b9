"""Activities that run in the background of a workflow: messages, rewards, notifications. They never block its decisions."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.journeys import JourneyActivities
    from activities.messages import MessageActivities
    from activities.milestones import MilestoneActivities
    from activities.rewards import RewardActivities
    from activities.tracking import TrackingActivities
    from referrals.temporal.payloads import DeliveryStatus, MilestoneChange, PendingWork
    from referrals.temporal.search_attributes import ATTENTION_ATTRIBUTE
    from workflows.options import (
        MESSAGE_OPTIONS,
        MIN_MESSAGE_DELAY,
        REWARD_OPTIONS,
        SHORT_ACTIVITY_OPTIONS,
    )

OWN_ERRORS = ("OutcomeUnknown", "Refused", "Unavailable")
"""Types of errors that activities raise with a message for operators, besides benign ones."""

Effect = Coroutine[Any, Any, None]
Callback = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class RunningEffect:
    """State of an effect that runs.

    Attributes:
        repeat: Whether it was requested again meanwhile.
        sleeping: Whether it is a message that waits for its time or for an operator.
        held: Whether it is a message that waits for an operator.
    """

    repeat: bool = False
    sleeping: bool = False
    held: bool = False


class BackgroundEffects:
    """Running effects by key. An effect is not started twice while it runs."""

    __slots__ = ("_has_failed_reward", "_running", "_tasks")

    def __init__(self) -> None:
        self._running: dict[Hashable, RunningEffect] = {}
        # A dict keeps the order of insertion, which a set does not. A task may outlive its effect: its callback runs last.
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._has_failed_reward = False

    @property
    def are_done(self) -> bool:
        return not self._tasks

    @property
    def only_sleep(self) -> bool:
        """Return whether all running effects are waiting messages, which a continued run would load from SQL."""
        return len(self._tasks) == sum(effect.sleeping for effect in self._running.values())

    def attention_changes(self, pending: PendingWork) -> list[SearchAttributeUpdate[Any]]:
        """Return the changes that the search attribute for operators needs, if any."""
        self._has_failed_reward = pending.needs_attention
        return self._attention_changes()

    def _attention_changes(self) -> list[SearchAttributeUpdate[Any]]:
        current = workflow.info().typed_search_attributes.get(ATTENTION_ATTRIBUTE)
        is_held = any(effect.held for effect in self._running.values())
        value = "reward_failed" if self._has_failed_reward else "message_held" if is_held else None
        if value == current:
            return []
        return [
            ATTENTION_ATTRIBUTE.value_set(value) if value else ATTENTION_ATTRIBUTE.value_unset()
        ]

    def deliver_reward(self, reward_id: str, then: Callback) -> None:
        self._start(reward_id, _deliver_reward(reward_id), then)

    def start_workflow(self, start_id: str) -> None:
        self._start(start_id, _start_workflow(start_id))

    def track_event(self, event_id: str) -> None:
        self._start(event_id, _track_event(event_id))

    def notify_advocate(self, campaign_id: str, change: MilestoneChange) -> None:
        self._start(change, _notify_advocate(campaign_id, change))

    def notify_journey(self, run_id: str) -> None:
        """Notify the run's workflow, and once more if it is being notified now: there may be more to read."""
        self._start(run_id, self._notify_journey(run_id))
        self._running[run_id].repeat = True

    def send_message(self, message_id: str) -> None:
        self._start(message_id, self._send(message_id))

    def resend_message(self, message_id: str) -> None:
        """Send the message again, even if it is being sent now; if it waits, stop waiting."""
        if effect := self._running.get(message_id):
            effect.repeat = True
        else:
            self.send_message(message_id)

    def _start(self, key: Hashable, effect: Effect, then: Callback | None = None) -> None:
        """Start the effect unless it is running; call `then` when it finishes."""
        if key in self._running:
            effect.close()
            return
        self._running[key] = RunningEffect()
        task = asyncio.create_task(self._run(key, effect, then))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    async def _run(self, key: Hashable, effect: Effect, then: Callback | None) -> None:
        try:
            await effect
        finally:
            del self._running[key]
        if then:
            await then()  # may start the same effect again

    async def _notify_journey(self, run_id: str) -> None:
        effect = self._running[run_id]
        while effect.repeat:
            effect.repeat = False
            await workflow.execute_activity_method(
                JourneyActivities.notify_journey, run_id, **SHORT_ACTIVITY_OPTIONS
            )

    async def _send(self, message_id: str) -> None:
        effect = self._running[message_id]
        effect.repeat = False
        status = await _attempt_delivery(message_id)
        while status.retry_at or effect.repeat:
            await self._wait_for_retry(effect, status)
            effect.repeat = False
            status = await _attempt_delivery(message_id)
        self._set_held(effect, held=False)

    async def _wait_for_retry(self, effect: RunningEffect, status: DeliveryStatus) -> None:
        """Wait until the message's time has come or another attempt is requested."""
        self._set_held(effect, held=status.held)
        delay = (status.retry_at or workflow.now()) - workflow.now()
        effect.sleeping = True
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: effect.repeat, timeout=max(delay, MIN_MESSAGE_DELAY)
            )
        effect.sleeping = False

    def _set_held(self, effect: RunningEffect, *, held: bool) -> None:
        effect.held = held
        if changes := self._attention_changes():
            workflow.upsert_search_attributes(changes)


def _describe(error: BaseException | None) -> str:
    """Return the message that an activity wrote for operators; those of libraries are only logged."""
    if isinstance(error, ApplicationError) and (
        error.category == ApplicationErrorCategory.BENIGN or error.type in OWN_ERRORS
    ):
        return error.message
    return "The last attempt was interrupted."


async def _deliver_reward(reward_id: str) -> None:
    """Grant the reward or roll it back at its provider; mark it as failed when all attempts are spent."""
    try:
        await workflow.execute_activity_method(
            RewardActivities.deliver_reward, reward_id, **REWARD_OPTIONS
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        await workflow.execute_activity_method(
            RewardActivities.mark_reward_failed,
            args=[reward_id, _describe(error.cause)],
            **SHORT_ACTIVITY_OPTIONS,
        )


async def _attempt_delivery(message_id: str) -> DeliveryStatus:
    try:
        return await workflow.execute_activity_method(
            MessageActivities.send_message, message_id, **MESSAGE_OPTIONS
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return await workflow.execute_activity_method(
            MessageActivities.give_up_message,
            args=[message_id, _describe(error.cause)],
            **SHORT_ACTIVITY_OPTIONS,
        )


async def _start_workflow(start_id: str) -> None:
    """Start a workflow of another application; mark the start as failed if its server refuses it."""
    try:
        await workflow.execute_activity_method(
            JourneyActivities.start_workflow, start_id, **SHORT_ACTIVITY_OPTIONS
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        await workflow.execute_activity_method(
            JourneyActivities.mark_start_failed,
            args=[start_id, _describe(error.cause)],
            **SHORT_ACTIVITY_OPTIONS,
        )


async def _track_event(event_id: str) -> None:
    """Send the event to its provider; mark it as failed when all attempts are spent."""
    try:
        await workflow.execute_activity_method(
            TrackingActivities.track_event, event_id, **REWARD_OPTIONS
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        await workflow.execute_activity_method(
            TrackingActivities.mark_tracking_failed,
            args=[event_id, _describe(error.cause)],
            **SHORT_ACTIVITY_OPTIONS,
        )


async def _notify_advocate(campaign_id: str, change: MilestoneChange) -> None:
    await workflow.execute_activity_method(
        MilestoneActivities.notify_advocate, args=[campaign_id, change], **SHORT_ACTIVITY_OPTIONS
    )
