"""Payloads of workflows and activities. Ids and times only, because workflow histories store them unencrypted.

A waiting workflow keeps its payloads in memory, so they are pydantic dataclasses with slots: a model takes six times the
memory. A plain dataclass would take far more, because each run's converter would build a schema of its own for it.
"""

from datetime import datetime
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.dataclasses import dataclass

from referrals.temporal.names import referral_workflow_id


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneChange:
    """A milestone that was `reached` or `lost` and whose reward does not follow its state yet."""

    milestone_id: str
    state: str
    advocate_id: str
    """Internal customer id of the advocate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingWork:
    """State of a referral, an advocate or a journey run in SQL, and the work that its workflow has to do.

    Attributes:
        is_open: Whether more can happen.
        wake_at: When the passing of time alone changes something.
        needs_attention: Whether a reward has failed and waits for an operator.
        messages: Messages to send.
        rewards: Rewards that a provider has to grant or roll back.
        milestones: Milestones that the advocate's workflow has to process.
        journeys_to_notify: Journey runs whose workflow has to be started or notified.
        workflows_to_start: Starts of workflows of other applications.
        events_to_track: Events to send to providers.
    """

    state: str = ""
    is_open: bool = False
    wake_at: datetime | None = None
    needs_attention: bool = False
    messages: tuple[str, ...] = ()
    rewards: tuple[str, ...] = ()
    milestones: tuple[MilestoneChange, ...] = ()
    journeys_to_notify: tuple[str, ...] = ()
    workflows_to_start: tuple[str, ...] = ()
    events_to_track: tuple[str, ...] = ()

    @property
    def has_work(self) -> bool:
        """Return whether there is something to do now."""
        return any(
            (
                self.messages,
                self.rewards,
                self.milestones,
                self.journeys_to_notify,
                self.workflows_to_start,
                self.events_to_track,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralKey:
    """A workflow of referrals, by the campaign and the friend that it started with; ids are internal."""

    campaign_id: str
    friend_id: str

    @property
    def workflow_id(self) -> str:
        return referral_workflow_id(self.campaign_id, self.friend_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralInput(ReferralKey):
    """Argument of a referral's workflow, with the referral's state in SQL if that is known."""

    initial_state: PendingWork | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralStep:
    """One decision about a referral: about an event or command, or about the passing of time."""

    referral: ReferralKey
    now: datetime
    event_id: str = ""
    referral_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvocateInput:
    """Argument of an advocate's workflow; ids are internal."""

    campaign_id: str
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvocateStep:
    """One decision about an advocate; `subject_id` is the id of an event, a command or a milestone."""

    advocate: AdvocateInput
    now: datetime
    subject_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyInput:
    """Argument of the workflow of a journey run; the campaign is its fairness key."""

    campaign_id: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyStep:
    """Steps of a journey run that are due by `now`."""

    run_id: str
    now: datetime


class DeliveryStatus(BaseModel):
    """State of a message after an attempt to send it.

    Serialized as its state alone unless the message waits.

    Attributes:
        retry_at: When to try again, if the message waits.
        held: Whether it waits for an operator.
    """

    model_config = ConfigDict(frozen=True)

    state: str
    retry_at: datetime | None = None
    held: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_state(cls, raw: Any) -> Any:
        return {"state": raw} if isinstance(raw, str) else raw

    @model_serializer(mode="wrap")
    def _to_state(self, serialize: SerializerFunctionWrapHandler) -> Any:
        return serialize(self) if self.retry_at else self.state
