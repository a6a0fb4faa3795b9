"""The base of every model of a campaign file, an event or a request."""

from pydantic import BaseModel, ConfigDict

from referrals.domain.field_docs import Described


class StrictModel(Described, BaseModel):
    """A model that is immutable and refuses unknown keys. The docstrings under its fields describe them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
