"""Channels and providers of a simulation: they accept everything and reach nobody."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from referrals.channels import OutgoingMessage
from referrals.providers import Grant, Receipt, RewardType, TrackedEvent
from referrals.providers.request_count import add_request


@dataclass
class StandInChannel:
    """Takes every message."""

    name: str
    reports_outcome = False

    async def send(self, message: OutgoingMessage) -> str:
        return message.key


@dataclass
class StandInProvider:
    """Books every reward at once, and takes every event."""

    name: str
    visible_after = timedelta(0)
    usual_requests = 1

    async def look_up(self, grant: Grant, *, reversal: bool = False) -> Receipt | None:  # noqa: ARG002
        add_request()
        return None

    async def grant(self, grant: Grant) -> Receipt:
        add_request()
        return Receipt(grant.key)

    async def roll_back(self, grant: Grant, reference: str | None) -> Receipt:
        add_request()
        return Receipt(reference or grant.key)

    def check_target(self, target: Mapping[str, Any], reward_type: RewardType) -> None:
        """Accept every target; `campaign apply` checks it."""

    def describe(self) -> str:
        return f"a simulation of {self.name}"

    async def track(self, event: TrackedEvent) -> None:  # noqa: ARG002
        add_request()

    async def has_tracked(self, event: TrackedEvent) -> bool:  # noqa: ARG002
        add_request()
        return False
