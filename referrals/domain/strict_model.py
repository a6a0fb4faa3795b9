"""The base of every model of a campaign file, an event or a request."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A model that is immutable and refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
