"""Statuses that the operator's endpoint reports of its messages."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from referrals.channels.http_messages import FailureReason, Reference, meaning_of
from referrals.domain.event_fields import EventTime, clean_text
from referrals.domain.message_status import MessageStatus
from referrals.domain.strict_model import StrictModel
from referrals.http_client import sanitize

MAX_KEY_LENGTH = 512

_Key = Annotated[str, Field(min_length=1, max_length=MAX_KEY_LENGTH), AfterValidator(clean_text)]
_Message = Annotated[str, Field(max_length=1000)]


class MessageStatusReport(StrictModel):
    """Status of one message, in any order and more than once. `at` defaults to now.

    `opted_out` is the answer of a customer who wants no more marketing on this channel.
    """

    key: Annotated[_Key, Field(description="Key of the message, as the endpoint received it.")]
    status: Annotated[
        Literal["sent", "delivered", "read", "failed", "opted_out"],
        Field(description="What became of the message."),
    ]
    at: Annotated[EventTime | None, Field(description="Time of the status.")] = None
    reference: Annotated[
        Reference | None, Field(description="The reference with which the message was accepted.")
    ] = None
    reason: Annotated[
        FailureReason | None, Field(description="Why the message failed; only with `failed`.")
    ] = None
    message: Annotated[
        _Message | None, Field(description="The same for people, without contact details.")
    ] = None

    @model_validator(mode="after")
    def _reason_belongs_to_failure(self) -> Self:
        if self.reason and self.status != "failed":
            raise ValueError("reason is only possible with the status failed")
        return self

    def to_status(self, now: datetime) -> MessageStatus:
        at = self.at or now
        if self.status == "opted_out":  # the customer answers a message that arrived
            return MessageStatus(self.key, self.reference, "delivered", at, kind="opted_out")
        if self.status != "failed":
            return MessageStatus(self.key, self.reference, self.status, at)
        meaning = meaning_of(self.reason or "refused")
        return MessageStatus(
            self.key,
            self.reference,
            "failed",
            at,
            meaning.kind,
            meaning.code,
            sanitize(self.message or "") or "The endpoint reported that the message failed.",
        )
