"""The one loop that handles the events of a decision: the activity log, and the journeys that react to it.

Handling an event can publish more of them (a journey grants a reward). Those are handled after the events that were
published before. The log therefore has causes before consequences, with or without journeys.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

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
            yield JourneyEntry(event.context, journey, logged.id, event.reward, occurrence)
