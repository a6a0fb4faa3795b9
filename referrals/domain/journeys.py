"""What is sent to whom when something happened: the `journeys` of a campaign."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from referrals.domain.event_names import OUTBOUND
from referrals.domain.fields import Cel, Model, NotYet, Slug, not_empty
from referrals.domain.rules import Condition, compile_condition

Channel = Literal["whatsapp", "email", "log"]

WITHOUT_FRIEND = frozenset(
    {"code_published", "referral_link_shared", "milestone_reached", "milestone_lost"}
)
"""Events that are about an advocate alone: their journeys have no friend to write to."""

_LATER_STEPS = frozenset({"wait", "branch", "grant", "webhook", "start_workflow", "exit"})


class Send(Model):
    """One message, by the first of the channels that can reach the customer."""

    template: Slug
    to: Literal["advocate", "friend"]
    channels: Annotated[tuple[Channel, ...], Field(max_length=3), AfterValidator(not_empty)]


class Step(Model):
    """One step of a journey."""

    send: Send

    @model_validator(mode="before")
    @classmethod
    def _only_send_yet(cls, step: Any) -> Any:
        later = _LATER_STEPS.intersection(step) if isinstance(step, dict) else None
        if later:
            raise ValueError(f"the step {min(later)} is not supported yet")
        return step


class Journey(Model):
    """A sequence of steps that an event starts, if the condition holds."""

    name: Slug
    on: str
    when: Cel | None = None
    exit_on: NotYet = None
    reentry: NotYet = None
    steps: Annotated[tuple[Step, ...], Field(max_length=20), AfterValidator(not_empty)]

    @property
    def condition(self) -> Condition | None:
        return compile_condition(self.when, where=self.name) if self.when else None

    @field_validator("on")
    @classmethod
    def _event_that_can_start_it(cls, event: str) -> str:
        startable = {name for name in OUTBOUND if not name.startswith("message_")}
        if event in OUTBOUND - startable:
            raise ValueError(f"must not be {event}: each message it sends would start it again")
        if event not in startable:
            raise ValueError(f"must be one of {', '.join(sorted(startable))}")
        return event

    @field_validator("steps")
    @classmethod
    def _somebody_to_write_to(
        cls, steps: tuple[Step, ...], info: ValidationInfo
    ) -> tuple[Step, ...]:
        event = info.data.get("on")
        if event in WITHOUT_FRIEND and any(step.send.to == "friend" for step in steps):
            raise ValueError(f"must not send to the friend: {event} is about the advocate alone")
        return steps
