"""What a workflow sets off beside its main line: messages above all. None of it blocks or fails a referral."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributeUpdate
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.journeys import JourneyActivities
    from activities.messages import MessageActivities
    from activities.rewards import RewardActivities
    from referrals.temporal.names import ATTENTION_ATTRIBUTE, MESSAGES_QUEUE, REWARDS_QUEUE
    from referrals.temporal.payloads import DeliveryStatus, PendingWork

SEND: dict[str, Any] = {
    "task_queue": MESSAGES_QUEUE,
    "start_to_close_timeout": timedelta(minutes=1),
    "schedule_to_close_timeout": timedelta(days=1),
    "retry_policy": RetryPolicy(maximum_interval=timedelta(minutes=30)),
}
SETTLE: dict[str, Any] = {
    "task_queue": REWARDS_QUEUE,
    "start_to_close_timeout": timedelta(minutes=4),
    "schedule_to_close_timeout": timedelta(days=3),
    "retry_policy": RetryPolicy(maximum_interval=timedelta(minutes=1)),
}
"""A provider may be down for days before its rewards are parked. The activity says when to come again; where its worker
has died, the policy does."""
NOTE: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=10),
    "schedule_to_close_timeout": timedelta(days=30),
    "retry_policy": RetryPolicy(maximum_interval=timedelta(minutes=5)),
}
DECIDE: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=30),
    "schedule_to_close_timeout": timedelta(minutes=2),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=5)
    ),
}
"""A decision on the own database, awaited by a caller. In a storm it waits its turn; where the database is away, it
fails the caller's update rather than keep it for ever: the event stays queued."""

ATTENTION = SearchAttributeKey.for_keyword(ATTENTION_ATTRIBUTE)

SHORTEST_WAIT = timedelta(seconds=1)
"""Of a message: clocks differ a little."""

PAUSE = timedelta(minutes=1)
"""Between tries of what nobody waits for, while the database is away."""


async def until_due(read: Callable[[], PendingWork], ready: Callable[[], bool]) -> bool:
    """Wait until the progress is another one, or `ready`; true where its time to wake has come before."""
    seen = read()
    left = max(seen.wake_at - workflow.now(), timedelta(0)) if seen.wake_at else None
    try:
        await workflow.wait_condition(lambda: read() is not seen or ready(), timeout=left)
    except TimeoutError:
        return True
    return False


def check_id(prefix: str, text: str) -> None:
    """Updates carry ids of rows; anything else is refused before it enters the history."""
    if not text.startswith(prefix):
        raise ApplicationError(f"not an id {prefix}…: {text!r}", type="InvalidArgument")


@dataclass(slots=True)
class Running:
    """An effect in flight. It goes on `again` where more came up meanwhile; a message may be asleep, or held."""

    again: bool = False
    asleep: bool = False
    held: bool = False


class Effects:
    """Effects in flight, each known by its key and not begun twice while it runs."""

    __slots__ = ("_parked", "_running", "_tasks")

    def __init__(self) -> None:
        self._running: dict[Hashable, Running] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        """The same, and those whose effect is over but not what follows from it."""
        self._parked = False

    @property
    def done(self) -> bool:
        return not self._tasks

    @property
    def at_rest(self) -> bool:
        """Whether nothing is going on but messages that wait: another run would take them up from SQL."""
        return len(self._tasks) == sum(effect.asleep for effect in self._running.values())

    def attention(self, progress: PendingWork) -> list[SearchAttributeUpdate[Any]]:
        """What has to change in Temporal's list for operators, if anything."""
        self._parked = progress.needs_attention
        return self._changes()

    def _changes(self) -> list[SearchAttributeUpdate[Any]]:
        shown = workflow.info().typed_search_attributes.get(ATTENTION)
        held = any(effect.held for effect in self._running.values())
        wanted = "reward_failed" if self._parked else "message_held" if held else None
        if wanted == shown:
            return []
        return [ATTENTION.value_set(wanted) if wanted else ATTENTION.value_unset()]

    def begin(
        self,
        key: Hashable,
        effect: Coroutine[Any, Any, None],
        then: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Run the effect, unless it runs already, and `then` see what is next: the same again, it may be."""
        if key in self._running:
            effect.close()
            return
        self._running[key] = Running()
        task = asyncio.create_task(self._run(key, effect, then))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    async def _run(
        self,
        key: Hashable,
        effect: Coroutine[Any, Any, None],
        then: Callable[[], Awaitable[None]] | None,
    ) -> None:
        try:
            await effect
        finally:
            del self._running[key]
        if then:
            await then()

    def send(self, message: str) -> None:
        self.begin(message, self._send(message))

    def send_again(self, message: str) -> None:
        """Even where it is being sent just now; one that waits is looked at at once."""
        if running := self._running.get(message):
            running.again = True
        else:
            self.send(message)

    async def _send(self, message: str) -> None:
        running = self._running[message]
        running.again = False
        sending = await _attempt(message)
        while sending.retry_at or running.again:
            await self._wait(running, sending)
            running.again = False
            sending = await _attempt(message)
        self._hold(running, held=False)

    async def _wait(self, running: Running, sending: DeliveryStatus) -> None:
        """Nothing is wrong: it is not time yet, or an operator has to see to what holds it."""
        self._hold(running, held=sending.held)
        left = (sending.retry_at or workflow.now()) - workflow.now()
        running.asleep = True
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: running.again, timeout=max(left, SHORTEST_WAIT))
        running.asleep = False

    def _hold(self, running: Running, *, held: bool) -> None:
        running.held = held
        if changes := self._changes():
            workflow.upsert_search_attributes(changes)

    def start(self, start: str) -> None:
        self.begin(start, _start(start))

    def tell(self, run: str) -> None:
        """Once more where it is being told just now: there may be more to tell."""
        self.begin(run, self._tell(run))
        self._running[run].again = True

    async def _tell(self, run: str) -> None:
        running = self._running[run]
        while running.again:
            running.again = False
            await workflow.execute_activity_method(JourneyActivities.tell_run, run, **NOTE)

    def settle(self, reward: str, then: Callable[[], Awaitable[None]]) -> None:
        self.begin(reward, _settle(reward), then)


async def _settle(reward: str) -> None:
    """Have the reward granted or taken back by its provider, or parked."""
    try:
        await workflow.execute_activity_method(RewardActivities.deliver_reward, reward, **SETTLE)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        await workflow.execute_activity_method(
            RewardActivities.mark_reward_failed, args=[reward, str(error.cause)], **NOTE
        )


async def _attempt(message: str) -> DeliveryStatus:
    try:
        return await workflow.execute_activity_method(
            MessageActivities.send_message, message, **SEND
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return await workflow.execute_activity_method(
            MessageActivities.give_up_message, args=[message, str(error.cause)], **NOTE
        )


async def _start(start: str) -> None:
    """Start somebody's workflow; what cannot be started is kept as failed, with why."""
    try:
        await workflow.execute_activity_method(JourneyActivities.start_workflow, start, **NOTE)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        await workflow.execute_activity_method(
            JourneyActivities.give_up_start, args=[start, str(error.cause)], **NOTE
        )
