"""Journeys of a campaign: steps that run when an event happens. Models of the `journeys` key of the file."""

import re
from collections.abc import Iterator
from datetime import time, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from referrals.domain.campaign_fields import (
    FieldPath,
    Flag,
    JourneyCondition,
    SingleLine,
    Slug,
    not_empty,
    raise_field_errors,
)
from referrals.domain.durations import Duration
from referrals.domain.event_names import CAMPAIGN_EVENTS, CUSTOMER_EVENTS, OUTBOUND
from referrals.domain.renames import Renamable
from referrals.domain.rewards import Reward
from referrals.domain.rules import Condition, compile_condition
from referrals.domain.strict_model import StrictModel
from referrals.domain.tracking import TrackStep
from referrals.domain.webhook_urls import check_webhook_url

MessageChannel = Literal["whatsapp", "email", "log"]

WITHOUT_FRIEND = frozenset(
    {"code_published", "referral_link_shared", "milestone_reached", "milestone_lost"}
)
"""Events that concern an advocate alone. Their journeys have no friend to write to."""

_OF_REFERRAL = ("friend", "referral", "order", "event")
_OF_CONVERSION = ("order", "event")
_ENTERED_WITHOUT = {
    "code_published": _OF_REFERRAL,
    "referral_link_shared": _OF_REFERRAL,
    "referral_signed_up": _OF_CONVERSION,
    "referral_expired": _OF_CONVERSION,
}
"""Variables of conditions that nothing is known about when a journey on the event starts."""

_ROLLED_BACK_AT_ONCE = "the reward would be rolled back at once"
_CANNOT_GRANT = {
    "code_published": "it concerns neither a referral nor a milestone",
    "referral_link_shared": "it concerns neither a referral nor a milestone",
    "referral_signed_up": "there is no conversion yet; use referral_converted",
    "referral_rejected": _ROLLED_BACK_AT_ONCE,
    "referral_expired": _ROLLED_BACK_AT_ONCE,
    "referral_rolled_back": _ROLLED_BACK_AT_ONCE,
    "milestone_lost": _ROLLED_BACK_AT_ONCE,
    **{
        name: "each granted reward would start the journey again"
        for name in OUTBOUND
        if name.startswith("reward_")
    },
}
"""Events whose journeys cannot grant a reward, with the reason. A reward belongs to a referral or a milestone."""

MAX_STEPS = 50
"""Maximum number of steps of a journey, including the steps of its branches."""
MAX_TOTAL_WAIT = timedelta(days=730)
"""Maximum sum of the waits of a journey along any path."""

_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:00)?", re.ASCII)
_STARTABLE = frozenset(
    name for name in OUTBOUND - CUSTOMER_EVENTS - CAMPAIGN_EVENTS if not name.startswith("message_")
)


def _startable(event: str) -> str:
    if event.startswith("message_") and event in OUTBOUND:
        raise ValueError(
            f"must not be {event}: each message that the journey sends would start it again"
        )
    if event not in _STARTABLE:
        raise ValueError(f"must be one of {', '.join(sorted(_STARTABLE))}")
    return event


def _time_of_day(value: Any) -> Any:
    if isinstance(value, time) or (isinstance(value, str) and _TIME_OF_DAY.fullmatch(value)):
        return value
    raise ValueError('must be a time of day in quotes, such as "09:00"')


StartingEvent = Annotated[str, AfterValidator(_startable)]
"""Name of an event of the activity log that can start or end a journey. Message events cannot."""
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]


class Compact(StrictModel):
    """A model that is serialised without the keys that are None."""

    @model_serializer(mode="wrap")
    def _without_none(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in write(self).items() if value is not None}


class SendStep(StrictModel):
    """Send one message on the first of the channels that can reach the customer."""

    template: Slug
    to: Literal["advocate", "friend", "operator"]
    channels: Annotated[tuple[MessageChannel, ...], Field(max_length=3), AfterValidator(not_empty)]

    @model_validator(mode="after")
    def _channel_reaches_operator(self) -> Self:
        if self.to == "operator" and "whatsapp" in self.channels:
            raise ValueError("must not send to the operator by whatsapp; use email or log")
        return self


class WaitStep(Compact):
    """Wait for a duration, until a time of day in the customer's time zone, or for an event with a timeout.

    The file can give a duration alone: `wait: P2D`.
    """

    duration: Duration | None = None
    until: TimeOfDay | None = None
    event: StartingEvent | None = None
    timeout: Duration | None = None

    @property
    def longest(self) -> timedelta:
        return self.duration or self.timeout or timedelta(days=1)

    @model_validator(mode="before")
    @classmethod
    def _bare_duration(cls, wait: Any) -> Any:
        return wait if isinstance(wait, dict | WaitStep) else {"duration": wait}

    @model_validator(mode="after")
    def _is_one_kind_of_wait(self) -> Self:
        if (self.event is None) != (self.timeout is None):
            raise ValueError("must have both event and timeout")
        if sum(value is not None for value in (self.duration, self.until, self.event)) != 1:
            raise ValueError('must be a duration, {until: "09:00"} or {event, timeout}')
        return self


class BranchStep(StrictModel):
    """Run the steps of `then` if the condition holds when the branch is reached, otherwise those of `else`."""

    model_config = ConfigDict(serialize_by_alias=True)

    when: JourneyCondition
    then: tuple["Step", ...] = ()
    otherwise: Annotated[tuple["Step", ...], Field(alias="else")] = ()

    @property
    def condition(self) -> Condition:
        return compile_condition(self.when, where="condition", owner="journey")

    @model_validator(mode="after")
    def _has_steps(self) -> Self:
        if not self.then and not self.otherwise:
            raise ValueError("must have steps in then or else")
        return self


class StartWorkflowStep(Compact):
    """Start a workflow of another application, with the event as its only argument."""

    type: SingleLine
    task_queue: SingleLine
    namespace: SingleLine | None = None


class WebhookStep(StrictModel):
    """Deliver the event to a URL: signed, with retries for three days. The journey does not wait for the delivery."""

    url: Annotated[str, AfterValidator(check_webhook_url)]


class GrantStep(StrictModel):
    """Grant an additional reward for the referral or the milestone that the journey concerns."""

    to: Literal["advocate", "friend"]
    reward: Reward


class Step(Compact):
    """One step of a journey. Exactly one of the keys is set."""

    send: SendStep | None = None
    wait: WaitStep | None = None
    branch: BranchStep | None = None
    start_workflow: StartWorkflowStep | None = None
    exit: Flag | None = None
    webhook: WebhookStep | None = None
    grant: GrantStep | None = None
    track: TrackStep | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_exit(cls, step: Any) -> Any:
        return {"exit": True} if step == "exit" else step

    @model_validator(mode="after")
    def _is_one_kind_of_step(self) -> Self:
        if len(self.model_fields_set) != 1 or self.exit is False:
            raise ValueError(f"must be exactly one of {', '.join(sorted(type(self).model_fields))}")
        return self


class ReentryDelay(StrictModel):
    """Allow another entry once this time has passed since the previous entry."""

    after: Duration


class Journey(Renamable):
    """A sequence of steps that an event starts if the condition holds."""

    on: StartingEvent
    when: JourneyCondition | None = None
    exit_on: tuple[StartingEvent, ...] | None = None
    reentry: Literal["never", "always"] | ReentryDelay | None = None
    """Policy for another entry by the same subject. None means always."""
    steps: Annotated[tuple[Step, ...], AfterValidator(not_empty)]

    @property
    def condition(self) -> Condition | None:
        if self.when is None:
            return None
        return compile_condition(self.when, where=self.name, owner="journey")

    @property
    def has_waits(self) -> bool:
        """True if a step waits. Such a journey needs a workflow of its own."""
        return any(step.wait for _, step in self.walk())

    @property
    def has_grants(self) -> bool:
        """True if a step grants a reward."""
        return any(step.grant for _, step in self.walk())

    def reacts_to(self, event: str) -> bool:
        """Return True if the event can start, end or resume the journey."""
        awaited = (step.wait.event for _, step in self.walk() if step.wait)
        return event in (self.on, *(self.exit_on or ()), *awaited)

    def walk(self) -> Iterator[tuple[FieldPath, Step]]:
        """Yield each step with its path, in reading order; the steps of a branch follow the branch."""
        yield from _walk(("steps",), self.steps)

    @field_validator("when")
    @classmethod
    def _reads_what_is_known(cls, when: str | None, info: ValidationInfo) -> str | None:
        event = info.data.get("on", "")
        absent = ["awaited", *_ENTERED_WITHOUT.get(event, ())]
        if not event.startswith(("reward_", "milestone_")):
            absent.append("milestone")
        if not event.startswith("reward_"):
            absent.append("reward")
        condition = compile_condition(when, where="when", owner="journey") if when else None
        if (
            event
            and condition
            and (read := [name for name in absent if condition.reads_any([name])])
        ):
            raise ValueError(f"reads {read[0]}, but nothing is known about it on {event}")
        return when

    @field_validator("reentry", mode="before")
    @classmethod
    def _known_policy(cls, reentry: Any) -> Any:
        if reentry in (None, "never", "always") or isinstance(reentry, dict | ReentryDelay):
            return reentry
        raise ValueError("must be never, always or {after: DURATION}")

    @field_validator("steps")
    @classmethod
    def _within_limits(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if sum(1 for _ in _walk((), steps)) > MAX_STEPS:
            raise ValueError(f"must have at most {MAX_STEPS} steps, including those of branches")
        if _longest_path(steps) > MAX_TOTAL_WAIT:
            raise ValueError(f"must not wait for more than {MAX_TOTAL_WAIT.days} days in total")
        return steps

    @field_validator("steps")
    @classmethod
    def _sends_to_a_recipient(
        cls, steps: tuple[Step, ...], info: ValidationInfo
    ) -> tuple[Step, ...]:
        event = info.data.get("on")
        sends = [step.send for _, step in _walk((), steps) if step.send]
        if event in WITHOUT_FRIEND and any(send.to == "friend" for send in sends):
            raise ValueError(f"must not send to the friend: {event} concerns the advocate alone")
        if event in WITHOUT_FRIEND:
            error = f"must not be the friend: {event} concerns the advocate alone"
            tracks = ((path, step.track) for path, step in _walk((), steps) if step.track)
            raise_field_errors(
                ((*path, "track", "to"), error) for path, track in tracks if track.to == "friend"
            )
        return steps

    @field_validator("steps")
    @classmethod
    def _grants_are_possible(
        cls, steps: tuple[Step, ...], info: ValidationInfo
    ) -> tuple[Step, ...]:
        event = info.data.get("on")
        grants = [((*path, "grant"), step.grant) for path, step in _walk((), steps) if step.grant]
        if explanation := _CANNOT_GRANT.get(str(event)):
            error = f"must not be in a journey on {event}: {explanation}"
            raise_field_errors((path, error) for path, _ in grants)
        if event in WITHOUT_FRIEND:
            error = f"must not be the friend: {event} concerns the advocate alone"
            raise_field_errors(
                ((*path, "to"), error) for path, grant in grants if grant.to == "friend"
            )
        return steps


def _walk(path: FieldPath, steps: tuple[Step, ...]) -> Iterator[tuple[FieldPath, Step]]:
    for index, step in enumerate(steps):
        step_path = (*path, index)
        yield step_path, step
        if step.branch:
            yield from _walk((*step_path, "branch", "then"), step.branch.then)
            yield from _walk((*step_path, "branch", "else"), step.branch.otherwise)


def _longest_path(steps: tuple[Step, ...]) -> timedelta:
    waits = [step.wait.longest for step in steps if step.wait]
    branches = [step.branch for step in steps if step.branch]
    branch_times = [
        max(_longest_path(branch.then), _longest_path(branch.otherwise)) for branch in branches
    ]
    return sum(waits + branch_times, timedelta())
