"""Journeys of a campaign: steps that run when an event happens. Models of the `journeys` key of the file."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from referrals.domain.campaign_fields import (
    FieldPath,
    JourneyCondition,
    not_empty,
    raise_field_errors,
)
from referrals.domain.durations import Duration
from referrals.domain.event_names import OUTBOUND
from referrals.domain.journey_steps import StartingEvent, Step, StepInput, longest_path, walk_steps
from referrals.domain.renames import Renamable
from referrals.domain.rules import Condition, compile_condition
from referrals.domain.strict_model import StrictModel

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
GRANT_REFUSALS = {
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


def absent_variables(event: str) -> tuple[str, ...]:
    """List the variables of conditions of which nothing is known when a journey on the event starts."""
    absent = ["awaited", *_ENTERED_WITHOUT.get(event, ())]
    if not event.startswith(("reward_", "milestone_")):
        absent.append("milestone")
    if not event.startswith("reward_"):
        absent.append("reward")
    return tuple(absent)


def _reentry(reentry: Any) -> Any:
    if isinstance(reentry, dict):
        return ReentryDelay.model_validate(reentry)
    if reentry in (None, "never", "always") or isinstance(reentry, ReentryDelay):
        return reentry
    raise ValueError("must be never, always or {after: DURATION}")


class ReentryDelay(StrictModel):
    """Allow another entry once this time has passed since the previous entry."""

    after: Duration
    """Time since the previous entry."""


class Journey(Renamable):
    """A sequence of steps that an event starts if the condition holds."""

    on: StartingEvent
    """Event that starts the journey."""
    when: JourneyCondition | None = Field(None, examples=["milestone.at == 10"])
    """Condition that must hold for the journey to start. It may read only what is known on the event."""
    exit_on: tuple[StartingEvent, ...] | None = Field(
        None, examples=[["referral_converted", "referral_expired"]]
    )
    """Events that end a waiting run."""
    reentry: Annotated[
        Literal["never", "always"] | ReentryDelay | None, BeforeValidator(_reentry)
    ] = Field(None, examples=["never"])
    """Policy for another entry by the same subject, the milestone, referral or advocate of the event. Default: `always`."""
    steps: Annotated[
        tuple[StepInput, ...],
        Field(json_schema_extra={"minItems": 1, "maxItems": MAX_STEPS}),
        AfterValidator(not_empty),
    ] = Field(examples=[[{"wait": "P2D"}, "exit"]])
    """Steps in their order, at most 50 with those of branches. All waits together take at most 730 days."""

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
        yield from walk_steps(("steps",), self.steps)

    @field_validator("when")
    @classmethod
    def _reads_what_is_known(cls, when: str | None, info: ValidationInfo) -> str | None:
        event = info.data.get("on", "")
        absent = absent_variables(event)
        condition = compile_condition(when, where="when", owner="journey") if when else None
        if (
            event
            and condition
            and (read := [name for name in absent if condition.reads_any([name])])
        ):
            raise ValueError(f"reads {read[0]}, but nothing is known about it on {event}")
        return when

    @field_validator("steps")
    @classmethod
    def _within_limits(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if sum(1 for _ in walk_steps((), steps)) > MAX_STEPS:
            raise ValueError(f"must have at most {MAX_STEPS} steps, including those of branches")
        if longest_path(steps) > MAX_TOTAL_WAIT:
            raise ValueError(f"must not wait for more than {MAX_TOTAL_WAIT.days} days in total")
        return steps

    @field_validator("steps")
    @classmethod
    def _sends_to_a_recipient(
        cls, steps: tuple[Step, ...], info: ValidationInfo
    ) -> tuple[Step, ...]:
        event = info.data.get("on")
        sends = [step.send for _, step in walk_steps((), steps) if step.send]
        if event in WITHOUT_FRIEND and any(send.to == "friend" for send in sends):
            raise ValueError(f"must not send to the friend: {event} concerns the advocate alone")
        if event in WITHOUT_FRIEND:
            error = f"must not be the friend: {event} concerns the advocate alone"
            tracks = ((path, step.track) for path, step in walk_steps((), steps) if step.track)
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
        grants = [
            ((*path, "grant"), step.grant) for path, step in walk_steps((), steps) if step.grant
        ]
        if explanation := GRANT_REFUSALS.get(str(event)):
            error = f"must not be in a journey on {event}: {explanation}"
            raise_field_errors((path, error) for path, _ in grants)
        if event in WITHOUT_FRIEND:
            error = f"must not be the friend: {event} concerns the advocate alone"
            raise_field_errors(
                ((*path, "to"), error) for path, grant in grants if grant.to == "friend"
            )
        return steps
