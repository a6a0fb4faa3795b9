"""Shared base of the workflows whose state is in SQL: referral, advocate and journey."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from referrals.temporal.payloads import AdvocateInput, JourneyInput, PendingWork, ReferralKey
    from workflows.options import DATABASE_RETRY_DELAY, DECISION_OPTIONS, MAX_UPDATES_PER_RUN

from workflows.background import BackgroundEffects


class BaseWorkflow(ABC):
    """A workflow that runs one SQL transaction per update, does the pending work, and sleeps until time changes something.

    A run holds no facts. Each decision returns the pending work as SQL has it, so that a new run can take over from SQL.

    Args:
        key: Identifies the workflow's rows; a continued run gets it as its argument.
        resume_activity: The decision that does whatever is due by now.
    """

    def __init__(
        self,
        key: ReferralKey | AdvocateInput | JourneyInput,
        resume_activity: Callable[..., Any],
    ) -> None:
        self.key = key
        self.pending = PendingWork()
        self.effects = BackgroundEffects()
        self._resume_activity = resume_activity
        self._lock = asyncio.Lock()
        self._updates = 0
        self._is_started = False

    @abstractmethod
    def step(self, **subject: str) -> Any:
        """Return the payload of a decision made now."""

    async def run_until_done(self) -> None:
        """Do the work when it is due, until nothing is open. Continue as new when a run gets too long."""
        while workflow.info().continued_run_id and not self._is_started:
            await self.resume_from_database()
        await workflow.wait_condition(lambda: self._is_started)
        while not self._is_done():
            if self._can_continue_as_new():
                workflow.continue_as_new(self.key)
            if await self._wait_until_due():
                await self.resume_from_database()

    async def decide(self, activity: Callable[..., Any], **subject: str) -> None:
        """Handle an update: run its decision after those that came before.

        Raises ActivityError if the decision fails; the run then goes on as it was.
        """
        self._updates += 1
        try:
            async with self._lock:
                await self._run_decision(activity, **subject)
        finally:
            self._is_started = True

    async def resume_from_database(self) -> None:
        """Do what is due by now. While the database is down, wait; the caller has to retry."""
        try:
            async with self._lock:
                await self._run_decision(self._resume_activity)
            self._is_started = True
        except ActivityError:
            workflow.logger.warning("The database does not respond; retrying")
            await workflow.sleep(DATABASE_RETRY_DELAY)

    def start_with(self, pending: PendingWork) -> None:
        """Start from a state that the caller has read, unless an update came first."""
        if not self._is_started:
            self.process(pending)
            self._is_started = True

    def process(self, pending: PendingWork) -> None:
        """Adopt the pending work and start its effects. The order of effects is part of the recorded histories."""
        if changes := self.search_attribute_changes(pending):
            workflow.upsert_search_attributes(changes)
        self.pending = pending
        for reward_id in pending.rewards:
            self.effects.deliver_reward(reward_id, then=self.resume_from_database)
        for message_id in pending.messages:
            self.effects.send_message(message_id)
        for run_id in pending.journeys_to_notify:
            self.effects.notify_journey(run_id)
        for start_id in pending.workflows_to_start:
            self.effects.start_workflow(start_id)
        for change in pending.milestones:
            self.effects.notify_advocate(self.key.campaign_id, change)
        for event_id in pending.events_to_track:
            self.effects.track_event(event_id)

    def search_attribute_changes(self, pending: PendingWork) -> list[SearchAttributeUpdate[Any]]:
        return self.effects.attention_changes(pending)

    async def _run_decision(self, activity: Callable[..., Any], **subject: str) -> None:
        self.process(
            await workflow.execute_local_activity_method(
                activity, self.step(**subject), **DECISION_OPTIONS
            )
        )

    async def _wait_until_due(self) -> bool:
        """Wait until the pending work changes or the run can end. Return whether its time to wake came first."""
        seen = self.pending
        timeout = max(seen.wake_at - workflow.now(), timedelta(0)) if seen.wake_at else None
        try:
            await workflow.wait_condition(
                lambda: self.pending is not seen or self._can_end(), timeout=timeout
            )
        except TimeoutError:
            return True
        return False

    def _can_end(self) -> bool:
        return self._is_done() or self._can_continue_as_new()

    def _is_done(self) -> bool:
        is_idle = self.effects.are_done and workflow.all_handlers_finished()
        return is_idle and not self.pending.is_open

    def _can_continue_as_new(self) -> bool:
        is_idle = self.effects.only_sleep and workflow.all_handlers_finished()
        return is_idle and self._is_too_long()

    def _is_too_long(self) -> bool:
        info = workflow.info()
        return info.is_continue_as_new_suggested() or self._updates >= MAX_UPDATES_PER_RUN

    # Validators of updates. An update that they refuse leaves no trace in the history.

    def validate_event_id(self, event_id: str) -> None:
        _require_prefix("evt_", event_id)

    def validate_milestone_id(self, milestone_id: str) -> None:
        _require_prefix("mil_", milestone_id)

    def validate_referral_event(self, event_id: str, referral_id: str) -> None:
        _require_prefix("evt_", event_id)
        _require_prefix("ref_", referral_id)

    def validate_message_event(self, event_id: str, message_id: str) -> None:
        _require_prefix("evt_", event_id)
        _require_prefix("msg_", message_id)


def _require_prefix(prefix: str, row_id: str) -> None:
    if not row_id.startswith(prefix):
        raise ApplicationError(
            f"expected an id that starts with {prefix}, got {row_id!r}", type="InvalidArgument"
        )
