"""Queue of the calls to one provider: its pace counts requests, and calls that have to wait keep their turn.

A call that cannot start now gets a turn at the end of the queue. After an outage, however long, all waiting calls
therefore go through at the configured pace, in order. Pure: a caller that holds the queue's lock stores it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Turn:
    """Time at which a call may start: now, as far as `is_now` says, after a short wait; or later, by another attempt."""

    at: datetime
    is_now: bool


@dataclass
class CallQueue:
    """State of a queue.

    Attributes:
        next_call_at: Time at which the pace allows the next call, after all requests that were made.
        next_turn_at: Time of the first free turn. The queue is empty if that is past.
    """

    next_call_at: datetime
    next_turn_at: datetime

    def take_turn(
        self,
        now: datetime,
        cost: timedelta,
        max_wait: timedelta,
        *,
        reserved: datetime | None = None,
        not_before: datetime | None = None,
    ) -> Turn:
        """Start a call, if its turn has come and the pace allows it within `max_wait`; else reserve the next turn.

        Args:
            now: Current time.
            cost: Time that the pace needs for the requests of one call.
            max_wait: Longest delay that the caller waits for a call that starts now.
            reserved: Turn that the call has reserved before.
            not_before: Earliest start, for a provider that does not respond.
        """
        start = max(self.next_call_at, now)
        is_empty = self.next_turn_at <= now
        has_turn = is_empty or (reserved is not None and reserved - now <= max_wait)
        if has_turn and not_before is None and start - now <= max_wait:
            self.next_call_at = start + cost
            return Turn(start, is_now=True)
        turn = max(self.next_turn_at, start, not_before or now)
        self.next_turn_at = turn + cost
        return Turn(turn, is_now=False)
