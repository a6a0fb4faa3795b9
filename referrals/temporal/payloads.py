"""What a workflow needs to know to go on; ids and times only, for it stands in workflow histories."""

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

# What a run holds for as long as it waits is kept small: a model takes six times the memory of such a class. A plain
# dataclass would take far more: each run has a converter, which would make a schema of its own for it.


@dataclass(frozen=True, slots=True)
class MilestoneChange:
    """A milestone whose reward has yet to follow its state, `reached` or `lost`."""

    milestone: str
    state: str
    advocate: str
    """The advocate's customer id here."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a referral, an advocate or a journey stands in SQL.

    `open`: there is more to come; `wake_at`: when time alone changes something; `attention`: something
    is parked until an operator sees to it. `messages` wait to be sent, `rewards` to be granted or rolled back by their
    provider, `milestones` to be settled by the advocate's workflow; `runs` of journeys wait to be started or told,
    `starts` to start workflows of others.
    """

    state: str = ""
    open: bool = False
    wake_at: datetime | None = None
    attention: bool = False
    messages: tuple[str, ...] = ()
    rewards: tuple[str, ...] = ()
    milestones: tuple[MilestoneChange, ...] = ()
    runs: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()

    @property
    def busy(self) -> bool:
        """There is something to do now."""
        return any((self.messages, self.rewards, self.milestones, self.runs, self.starts))


class Sending(BaseModel):
    """What became of a message, for now: with `again_at` it waits until then, `held` until an operator sees to it.

    Where it waits for nothing it travels as its state alone, as it always has.
    """

    model_config = ConfigDict(frozen=True)

    state: str
    again_at: datetime | None = None
    held: bool = False

    @model_validator(mode="before")
    @classmethod
    def _state_alone(cls, told: Any) -> Any:
        return {"state": told} if isinstance(told, str) else told

    @model_serializer(mode="wrap")
    def _shortest(self, write: SerializerFunctionWrapHandler) -> Any:
        return write(self) if self.again_at else self.state
