"""What happens when something happened: the `journeys` of a campaign, as its file says them."""

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
    CelCondition,
    FieldPath,
    Flag,
    SingleLine,
    Slug,
    not_empty,
    raise_field_errors,
)
from referrals.domain.durations import Duration
from referrals.domain.event_names import OUTBOUND
from referrals.domain.rewards import Reward
from referrals.domain.rules import Condition, compile_condition
from referrals.domain.strict_model import StrictModel
from referrals.domain.webhook_urls import check_webhook_url

MessageChannel = Literal["whatsapp", "email", "log"]

WITHOUT_FRIEND = frozenset(
    {"code_published", "referral_link_shared", "milestone_reached", "milestone_lost"}
)
"""Events that are about an advocate alone: their journeys have no friend to write to."""

_TAKEN_BACK = "what it grants would be taken back at once"
_NOTHING_TO_GRANT = {
    "code_published": "it is about neither a referral nor a milestone",
    "referral_link_shared": "it is about neither a referral nor a milestone",
    "referral_signed_up": "there is no conversion yet; begin with referral_converted",
    "referral_rejected": _TAKEN_BACK,
    "referral_expired": _TAKEN_BACK,
    "referral_rolled_back": _TAKEN_BACK,
    "milestone_lost": _TAKEN_BACK,
    **{
        name: "each reward that it grants would start it again"
        for name in OUTBOUND
        if name.startswith("reward_")
    },
}
"""Events whose journeys grant nothing, and why: a reward goes with its referral or milestone."""

MAX_STEPS = 50
"""Of one journey, those of its branches included."""
MAX_TOTAL_WAIT = timedelta(days=730)
"""The most that the waits of one journey may add up to, whichever way it goes."""

_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:00)?", re.ASCII)
_STARTABLE = frozenset(name for name in OUTBOUND if not name.startswith("message_"))


def _startable(event: str) -> str:
    if event in OUTBOUND - _STARTABLE:
        raise ValueError(f"must not be {event}: each message it sends would start it again")
    if event not in _STARTABLE:
        raise ValueError(f"must be one of {', '.join(sorted(_STARTABLE))}")
    return event


def _time_of_day(value: Any) -> Any:
    if isinstance(value, time) or (isinstance(value, str) and _TIME_OF_DAY.fullmatch(value)):
        return value
    raise ValueError('must be a time of day in quotes, such as "09:00"')


StartingEvent = Annotated[str, AfterValidator(_startable)]
"""A name from the activity log, other than those of messages."""
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]


class Compact(StrictModel):
    """Written with the keys that it has, without those that it has not."""

    @model_serializer(mode="wrap")
    def _without_none(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in write(self).items() if value is not None}


class SendStep(StrictModel):
    """One message, by the first of the channels that can reach the customer."""

    template: Slug
    to: Literal["advocate", "friend", "operator"]
    channels: Annotated[tuple[MessageChannel, ...], Field(max_length=3), AfterValidator(not_empty)]

    @model_validator(mode="after")
    def _operator_reads_mail(self) -> Self:
        if self.to == "operator" and "whatsapp" in self.channels:
            raise ValueError("must not go to the operator by whatsapp: it has email and log")
        return self


class WaitStep(Compact):
    """For a duration, until a time of day where the customer lives, or until an event or else its time-out.

    In the file a duration stands by itself: `wait: P2D`.
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
    def _for_one_thing(self) -> Self:
        if (self.event is None) != (self.timeout is None):
            raise ValueError("must have both event and timeout")
        if sum(value is not None for value in (self.duration, self.until, self.event)) != 1:
            raise ValueError('must be a duration, {until: "09:00"} or {event, timeout}')
        return self


class BranchStep(StrictModel):
    """Some steps where the condition holds as the branch is reached, others where it does not."""

    model_config = ConfigDict(serialize_by_alias=True)

    when: CelCondition
    then: tuple["Step", ...] = ()
    otherwise: Annotated[tuple["Step", ...], Field(alias="else")] = ()

    @property
    def condition(self) -> Condition:
        return compile_condition(self.when, where="condition")

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if not self.then and not self.otherwise:
            raise ValueError("must have steps in then or else")
        return self


class StartWorkflowStep(Compact):
    """A workflow of anybody's, with the event as its one argument."""

    type: SingleLine
    task_queue: SingleLine
    namespace: SingleLine | None = None


class WebhookStep(StrictModel):
    """The event, sent to an address: signed, and tried again for three days. Nothing waits for it."""

    url: Annotated[str, AfterValidator(check_webhook_url)]


class GrantStep(StrictModel):
    """One more reward, of the referral or the milestone that the journey is about."""

    to: Literal["advocate", "friend"]
    reward: Reward


class Step(Compact):
    """One step of a journey: exactly one of these."""

    send: SendStep | None = None
    wait: WaitStep | None = None
    branch: BranchStep | None = None
    start_workflow: StartWorkflowStep | None = None
    exit: Flag | None = None
    webhook: WebhookStep | None = None
    grant: GrantStep | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_exit(cls, step: Any) -> Any:
        return {"exit": True} if step == "exit" else step

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if len(self.model_fields_set) != 1 or self.exit is False:
            raise ValueError(f"must be exactly one of {', '.join(sorted(type(self).model_fields))}")
        return self


class ReentryDelay(StrictModel):
    """Again, but not before so much time has passed since the last entry."""

    after: Duration


class Journey(StrictModel):
    """A sequence of steps that an event starts, if the condition holds."""

    name: Slug
    on: StartingEvent
    when: CelCondition | None = None
    exit_on: tuple[StartingEvent, ...] | None = None
    reentry: Literal["never", "always"] | ReentryDelay | None = None
    """Of the same subject; always, where nothing else is said."""
    steps: Annotated[tuple[Step, ...], AfterValidator(not_empty)]

    @property
    def condition(self) -> Condition | None:
        return compile_condition(self.when, where=self.name) if self.when else None

    @property
    def waits(self) -> bool:
        """Whether it takes time, and so a workflow of its own."""
        return any(step.wait for _, step in self.walk())

    @property
    def grants(self) -> bool:
        """Whether one of its steps grants a reward."""
        return any(step.grant for _, step in self.walk())

    def hears(self, event: str) -> bool:
        """Whether it begins, ends or goes on with the event."""
        awaited = (step.wait.event for _, step in self.walk() if step.wait)
        return event in (self.on, *(self.exit_on or ()), *awaited)

    def walk(self) -> Iterator[tuple[FieldPath, Step]]:
        """Every step in reading order, those of branches after their branch, with its place in the journey."""
        yield from _walk(("steps",), self.steps)

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
            raise ValueError(f"must have at most {MAX_STEPS} steps, those of branches included")
        if _longest(steps) > MAX_TOTAL_WAIT:
            raise ValueError(f"must not wait for more than {MAX_TOTAL_WAIT.days} days in all")
        return steps

    @field_validator("steps")
    @classmethod
    def _somebody_to_write_to(
        cls, steps: tuple[Step, ...], info: ValidationInfo
    ) -> tuple[Step, ...]:
        event = info.data.get("on")
        sends = [step.send for _, step in _walk((), steps) if step.send]
        if event in WITHOUT_FRIEND and any(send.to == "friend" for send in sends):
            raise ValueError(f"must not send to the friend: {event} is about the advocate alone")
        return steps

    @field_validator("steps")
    @classmethod
    def _something_to_grant(cls, steps: tuple[Step, ...], info: ValidationInfo) -> tuple[Step, ...]:
        event = info.data.get("on")
        grants = [((*place, "grant"), step.grant) for place, step in _walk((), steps) if step.grant]
        if why := _NOTHING_TO_GRANT.get(str(event)):
            raise_field_errors(
                (place, f"must not be in a journey on {event}: {why}") for place, _ in grants
            )
        if event in WITHOUT_FRIEND:
            told = f"must not be the friend: {event} is about the advocate alone"
            raise_field_errors(
                ((*place, "to"), told) for place, grant in grants if grant.to == "friend"
            )
        return steps


def _walk(place: FieldPath, steps: tuple[Step, ...]) -> Iterator[tuple[FieldPath, Step]]:
    for number, step in enumerate(steps):
        here = (*place, number)
        yield here, step
        if step.branch:
            yield from _walk((*here, "branch", "then"), step.branch.then)
            yield from _walk((*here, "branch", "else"), step.branch.otherwise)


def _longest(steps: tuple[Step, ...]) -> timedelta:
    waits = [step.wait.longest for step in steps if step.wait]
    branches = [step.branch for step in steps if step.branch]
    detours = [max(_longest(branch.then), _longest(branch.otherwise)) for branch in branches]
    return sum(waits + detours, timedelta())
