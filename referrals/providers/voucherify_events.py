"""Custom events at Voucherify, which its earning rules and referral programmes react to.

Voucherify has no idempotency keys for events. Our key is sent as the attribute `referrals_key`, and the customer's
activity, which lists the events with their attributes, shows whether an event with an unknown outcome has arrived.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, Field

from referrals.providers import RetryableError, TrackedEvent
from referrals.providers.api_client import ProviderApi, RequestRejectedError, path_segment

KEY = "referrals_key"
_MAX_PAGES = 10


class _Tracked(BaseModel):
    object: Literal["event"]


class _Event(BaseModel):
    metadata: dict[str, Any] | None = None


class _Data(BaseModel):
    event: _Event | None = None


class _Activity(BaseModel):
    data: _Data = Field(default_factory=_Data)

    @property
    def key(self) -> Any:
        metadata = self.data.event and self.data.event.metadata
        return (metadata or {}).get(KEY)


class _Activities(BaseModel):
    data: list[_Activity]
    has_more: bool
    more_starting_after: str | None = None


@dataclass(frozen=True)
class CustomEvents:
    api: ProviderApi

    async def track(self, event: TrackedEvent) -> None:
        body = {
            "event": event.name,
            "customer": {"source_id": event.customer},
            "metadata": {**event.attributes, KEY: event.key},
        }
        await self.api.send("POST", "/v1/events", _Tracked, body=body, changes_balance=True)

    async def has_tracked(self, event: TrackedEvent) -> bool:
        """Search the customer's latest activities. If they do not reach back far enough, the outcome is unknown."""
        path = f"/v1/customers/{path_segment(event.customer)}/activity"
        params = {"type": "customer.custom_event", "limit": "100", "order": "-created_at"}
        for _ in range(_MAX_PAGES):
            try:
                page = await self.api.send("GET", path, _Activities, params=params)
            except RequestRejectedError as error:
                if error.status == HTTPStatus.NOT_FOUND:  # the first event creates the customer
                    return False
                raise
            if any(activity.key == event.key for activity in page.data):
                return True
            if not (page.has_more and page.more_starting_after):
                return False
            params["starting_after_id"] = page.more_starting_after
        raise RetryableError("The customer has too many events at Voucherify to find one.")
