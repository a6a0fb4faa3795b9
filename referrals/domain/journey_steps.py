"""Steps of journeys: models of the `steps` key of a journey."""

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
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from referrals.domain.campaign_fields import (
    FieldPath,
    Flag,
    JourneyCondition,
    SingleLine,
    Slug,
    described,
    not_empty,
)
from referrals.domain.durations import Duration
from referrals.domain.event_names import CAMPAIGN_EVENTS, CUSTOMER_EVENTS, OUTBOUND
from referrals.domain.key_relations import absent, all_of, exactly_one, given, has_entries, when
from referrals.domain.rewards import Reward
from referrals.domain.rules import Condition, compile_condition
from referrals.domain.strict_model import StrictModel
from referrals.domain.tracking import TrackStep
from referrals.domain.webhook_urls import check_webhook_url

MessageChannel = Literal["whatsapp", "email", "http", "log"]

NOT_TO_OPERATOR = ("whatsapp", "http")
"""Channels that the operator, who has only an email address, cannot be reached on."""

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:00)?")
STARTABLE = frozenset(
    name for name in OUTBOUND - CUSTOMER_EVENTS - CAMPAIGN_EVENTS if not name.startswith("message_")
)


def _startable(event: str) -> str:
    if event.startswith("message_") and event in OUTBOUND:
        raise ValueError(
            f"must not be {event}: each message that the journey sends would start it again"
        )
    if event not in STARTABLE:
        raise ValueError(f"must be one of {', '.join(sorted(STARTABLE))}")
    return event


def _time_of_day(value: Any) -> Any:
    if isinstance(value, time) or (isinstance(value, str) and _TIME_OF_DAY.fullmatch(value)):
        return value
    raise ValueError('must be a time of day in quotes, such as "09:00"')


StartingEvent = Annotated[
    str,
    AfterValidator(_startable),
    described(
        "JourneyEvent",
        "An event of the activity log, except those of messages and customers.",
        "referral_converted",
        enum=sorted(STARTABLE),
    ),
]
"""Name of an event of the activity log that can start or end a journey. Message events cannot."""
TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    described(
        "TimeOfDay", "A time of day in quotes.", "09:00", pattern=f"^{_TIME_OF_DAY.pattern}$"
    ),
]
WebhookUrl = Annotated[
    str,
    AfterValidator(check_webhook_url),
    described(
        "WebhookUrl",
        "An `http` or `https` URL in ASCII, without credentials and fragment.",
        "https://shop.example/hooks",
        format="uri",
        pattern=r"^[hH][tT][tT][pP][sS]?://[!\"$-.0->A-\[\]-~]+([/?][!\"$-\[\]-~]*)?#?$",
    ),
]


class Compact(StrictModel):
    """A model that is serialised without the keys that are None."""

    @model_serializer(mode="wrap")
    def _without_none(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in write(self).items() if value is not None}


class SendStep(StrictModel):
    """Send one message on the first of the channels that can reach the customer."""

    model_config = ConfigDict(
        json_schema_extra=all_of(
            when(
                "to",
                "operator",
                {
                    "properties": {
                        "channels": {"not": {"contains": {"enum": list(NOT_TO_OPERATOR)}}}
                    }
                },
            )
        )
    )

    template: Slug = Field(examples=["thank_advocate"])
    """Name of the message's [template](messages.md#write-a-template)."""
    to: Literal["advocate", "friend", "operator"]
    """Recipient. The operator is reached by email or log."""
    channels: Annotated[
        tuple[MessageChannel, ...],
        Field(max_length=4, json_schema_extra={"minItems": 1}),
        AfterValidator(not_empty),
    ] = Field(examples=[["whatsapp", "email"]])
    """Channels in the order in which they are tried."""

    @model_validator(mode="after")
    def _channel_reaches_operator(self) -> Self:
        for channel in self.channels:
            if self.to == "operator" and channel in NOT_TO_OPERATOR:
                raise ValueError(f"must not send to the operator by {channel}; use email or log")
        return self


class WaitStep(Compact):
    """A wait for a duration, until a time of day, or for an event with a timeout. `wait: P2D` is a duration alone."""

    model_config = ConfigDict(
        json_schema_extra=all_of(
            exactly_one("duration", "until", "event"),
            {"anyOf": [given("event", "timeout"), absent("event", "timeout")]},
        )
    )

    duration: Duration | None = None
    """Time to wait."""
    until: TimeOfDay | None = None
    """Time of day in the time zone of the next message's recipient, or else in the campaign's."""
    event: StartingEvent | None = None
    """Event to wait for. Conditions of later branches read `awaited.happened`."""
    timeout: Duration | None = None
    """Longest time to wait for the event, which must be given with it."""

    @property
    def longest(self) -> timedelta:
        return self.duration or self.timeout or timedelta(days=1)

    @model_validator(mode="after")
    def _is_one_kind_of_wait(self) -> Self:
        if (self.event is None) != (self.timeout is None):
            raise ValueError("must have both event and timeout")
        if sum(value is not None for value in (self.duration, self.until, self.event)) != 1:
            raise ValueError('must be a duration, {until: "09:00"} or {event, timeout}')
        return self


def _bare_duration(wait: Any) -> Any:
    return wait if wait is None or isinstance(wait, dict | WaitStep) else {"duration": wait}


class BranchStep(StrictModel):
    """Run the steps of `then` if the condition holds when the branch is reached, otherwise those of `else`."""

    model_config = ConfigDict(
        serialize_by_alias=True,
        json_schema_extra=all_of({"anyOf": [has_entries("then"), has_entries("else")]}),
    )

    when: JourneyCondition = Field(examples=["awaited.happened"])
    """Condition that decides. One that cannot be evaluated counts as false."""
    then: tuple["StepInput", ...] = Field((), examples=[["exit"]])
    """Steps if the condition holds."""
    otherwise: tuple["StepInput", ...] = Field((), alias="else", examples=[[{"wait": "P2D"}]])
    """Steps if it does not hold. There must be steps in `then` or `else`."""

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

    type: SingleLine = Field(examples=["VipOnboarding"])
    """Type of the workflow."""
    task_queue: SingleLine = Field(examples=["crm"])
    """Task queue of its workers."""
    namespace: SingleLine | None = Field(None, examples=["sales"])
    """Temporal namespace, if it is not the engine's own."""


class WebhookStep(StrictModel):
    """Deliver the event to a URL: signed, with retries for three days. The journey does not wait for the delivery."""

    url: WebhookUrl
    """URL that the event is posted to."""


class GrantStep(StrictModel):
    """Grant an additional reward for the referral or the milestone that the journey concerns."""

    to: Literal["advocate", "friend"]
    """Recipient."""
    reward: Reward = Field(examples=[{"type": "points", "amount": 20}])
    """Reward to grant."""


class Step(Compact):
    """One step of a journey: exactly one of the keys."""

    model_config = ConfigDict(
        json_schema_extra=lambda schema: schema.update(_exactly_one_step(schema["properties"]))
    )

    send: SendStep | None = Field(
        None,
        examples=[{"template": "nudge_friend", "to": "friend", "channels": ["whatsapp", "email"]}],
    )
    """Send a message."""
    wait: Annotated[
        WaitStep | None,
        BeforeValidator(_bare_duration, json_schema_input_type=Duration | WaitStep),
    ] = None
    """Wait for a duration, for a time of day or for an event."""
    branch: BranchStep | None = Field(
        None, examples=[{"when": "awaited.happened", "then": ["exit"]}]
    )
    """Run some steps or others."""
    start_workflow: StartWorkflowStep | None = Field(
        None, examples=[{"type": "VipOnboarding", "task_queue": "crm"}]
    )
    """Start a workflow of another application."""
    exit: Annotated[Flag | None, WithJsonSchema({"type": "boolean", "const": True})] = None
    """End the journey. The step `exit` alone, without a value, means the same."""
    webhook: WebhookStep | None = Field(None, examples=[{"url": "https://shop.example/hooks"}])
    """Post the event to a URL."""
    grant: GrantStep | None = Field(
        None, examples=[{"to": "advocate", "reward": {"type": "points", "amount": 20}}]
    )
    """Grant an additional reward."""
    track: TrackStep | None = Field(
        None, examples=[{"provider": "voucherify", "event": "friend_bought", "to": "advocate"}]
    )
    """Send an event to a provider, for its own earning rules."""

    @model_validator(mode="after")
    def _is_one_kind_of_step(self) -> Self:
        given = [key for key in self.model_fields_set if getattr(self, key) not in (None, False)]
        if len(given) != 1 or len(self.model_fields_set) != 1:
            raise ValueError(f"must be exactly one of {', '.join(sorted(type(self).model_fields))}")
        return self


def _bare_exit(step: Any) -> Any:
    return {"exit": True} if step == "exit" else step


StepInput = Annotated[
    Step, BeforeValidator(_bare_exit, json_schema_input_type=Step | Literal["exit"])
]
"""A step, which the file can write as the word `exit`."""

BranchStep.model_rebuild()  # its fields refer to steps


_NOTES = ("description", "examples")


def _exactly_one_step(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of the schema of a step by which no key is null and exactly one is given."""
    return {
        "properties": {
            name: _without_null(schema) | {key: schema[key] for key in _NOTES if key in schema}
            for name, schema in properties.items()
        },
        "minProperties": 1,
        "maxProperties": 1,
    }


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    alone = {key: value for key, value in kinds[0].items() if key != "default"}
    return alone if len(kinds) == 1 else {"anyOf": kinds}


def walk_steps(path: FieldPath, steps: tuple[Step, ...]) -> Iterator[tuple[FieldPath, Step]]:
    for index, step in enumerate(steps):
        step_path = (*path, index)
        yield step_path, step
        if step.branch:
            yield from walk_steps((*step_path, "branch", "then"), step.branch.then)
            yield from walk_steps((*step_path, "branch", "else"), step.branch.otherwise)


def longest_path(steps: tuple[Step, ...]) -> timedelta:
    waits = [step.wait.longest for step in steps if step.wait]
    branches = [step.branch for step in steps if step.branch]
    branch_times = [
        max(longest_path(branch.then), longest_path(branch.otherwise)) for branch in branches
    ]
    return sum(waits + branch_times, timedelta())
