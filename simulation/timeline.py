"""The timeline of a simulation: what the story does, the activity log, and the steps of journeys."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from referrals.store import Store, views
from referrals.store.db.sql import rows_of
from referrals.store.journeys.trace import TracedStep
from referrals.store.reporting import lists
from referrals.store.schema import activity
from simulation.state import ProgrammeState

BY_ADVOCATE = frozenset({"referral_signed_up", "referral_converted"})
"""Types of entries that name the advocate of the friend."""
Kind = Literal["story", "activity", "journey"]


@dataclass(frozen=True)
class Entry:
    """One thing that happened. `who` is the caller's id of the customer whom it concerns."""

    at: datetime
    kind: Kind
    what: str
    who: str
    details: str = ""


class Timeline:
    """Entries in the order of what happened: by step of the story, then by time."""

    def __init__(self, store: Store, campaign_id: str, traced: list[TracedStep]) -> None:
        self.entries: list[Entry] = []
        self._store = store
        self._campaign_id = campaign_id
        self._traced = traced
        self._last_activity = 0
        self._last_traced = 0

    async def collect(self, state: ProgrammeState) -> None:
        """Add what has happened since the last time."""
        logged = [_logged(each, state) for each in await self._new_activity()]
        traced = [_traced(each, state) for each in self._traced[self._last_traced :]]
        self._last_traced = len(self._traced)
        self.entries += sorted([*logged, *traced], key=lambda entry: (entry.at, _rank(entry)))

    async def _new_activity(self) -> Sequence[views.Activity]:
        statement = (
            lists.select_activity()
            .where(activity.c.campaign_id == self._campaign_id, activity.c.id > self._last_activity)
            .order_by(activity.c.id)
        )
        async with self._store.read() as tx:
            found = await rows_of(tx, lists.ListedActivity, statement)
        self._last_activity = max((row.id for row in found), default=self._last_activity)
        return [lists.to_activity_view(row) for row in found]


def describe_response(response: dict[str, Any]) -> str:
    """Describe the response to an event: its decision and reason, effects, new codes and warnings."""
    reason = response.get("reason") or {}
    parts = [response.get("decision"), reason.get("message")]
    parts += [each["effect"] for each in response.get("effects") or ()]
    parts += [each["code"] for each in response.get("publications") or ()]
    parts += [f"{each['field']} {each['message']}" for each in response.get("warnings") or ()]
    return ": ".join(filter(None, [*parts, response.get("code")]))


def _rank(entry: Entry) -> int:
    """Put the journeys that an event starts behind the event, and their messages behind them."""
    return 2 if entry.what.startswith("message_") else 1 if entry.kind == "journey" else 0


def _traced(step: TracedStep, state: ProgrammeState) -> Entry:
    return Entry(step.at, "journey", step.journey, state.names[step.customer_id], step.does)


def _logged(entry: views.Activity, state: ProgrammeState) -> Entry:
    who = entry.customer or entry.advocate or ""
    message = state.messages.get(entry.data.get("message", ""))
    if message:
        who = message.customer
    return Entry(entry.at, "activity", entry.type, who, ": ".join(_details(entry, state)))


def _details(entry: views.Activity, state: ProgrammeState) -> Iterator[str]:
    data = entry.data
    message = state.messages.get(data.get("message", ""))
    reward = state.rewards.get(entry.reward or "")
    if message:
        yield f"{message.template} by {message.channel}" if message.channel else message.template
        if message.subject:
            yield message.subject
    elif reward:
        asset = "coupon" if reward.type == "coupon" else reward.currency or reward.type
        yield f"{reward.amount} {asset} for {reward.tier or reward.side}"
    if entry.type in BY_ADVOCATE:
        yield f"referred by {entry.advocate}"
    if entry.milestone and not entry.reward:
        yield str(data.get("name", ""))
    if entry.type == "code_published":
        yield str(entry.code)
    if due_at := data.get("due_at"):
        yield f"due {str(due_at)[:16].replace('T', ' ')} UTC"
    if entry.reason:
        yield entry.reason.message
