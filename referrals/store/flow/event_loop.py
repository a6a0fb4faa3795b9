"""The one loop that handles the events of a decision: the activity log, and the journeys that react to it.

Handling an event can publish more of them (a journey grants a reward). Those are handled after the events that were
published before. The log therefore has causes before consequences, with or without journeys.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from referrals.store.activity import log
from referrals.store.activity.log import LoggedEvent
from referrals.store.db.database import Store
from referrals.store.db.sql import Tx
from referrals.store.journeys import reactions
from referrals.store.journeys.entering import enter
from referrals.store.journeys.journey_entry import JourneyEntry


@asynccontextmanager
async def decision(store: Store) -> AsyncIterator[Tx]:
    """Open a write transaction whose events are handled before the commit."""
    async with store.begin() as tx:
        yield tx
        await handle_events(tx)


async def handle_events(tx: Tx) -> None:
    """Handle the transaction's events, and those that this publishes, until none is left."""
    while tx.events:
        events = list(tx.events)
        tx.events.clear()
        started = False
        for logged in await log.write(tx, events):
            event = logged.event
            if logged.has_listeners or started:
                await reactions.handle_event(tx, event.context, event.type)
            for entry in _journey_entries(logged):
                started |= await enter(tx, entry)


def _journey_entries(logged: LoggedEvent) -> Iterator[JourneyEntry]:
    """Yield the entries into the journeys that the event starts."""
    event = logged.event
    occurrence = event.occurrence or (event.reward.id if event.reward else "")
    for journey in event.context.campaign.journeys:
        if journey.on == event.type:
            payload = cloud_event(logged)
            yield JourneyEntry(event.context, journey, payload, event.reward, occurrence)


def cloud_event(logged: LoggedEvent) -> dict[str, Any]:
    """Build the CloudEvent that webhooks and workflows of a journey get, with our ids and no contact details."""
    event, context = logged.event, logged.event.context
    subjects = {
        "campaign": context.campaign.campaign,
        "advocate": context.advocate.id,
        "friend": context.friend_id,
        "referral": context.referral_id,
        "milestone": context.milestone.id if context.milestone else None,
        "reward": event.reward.id if event.reward else None,
    }
    return {
        "specversion": "1.0",
        "id": str(logged.id),
        "source": "referrals",
        "type": event.type,
        "time": context.now.isoformat(),
        "data": {name: row_id for name, row_id in subjects.items() if row_id},
    }
