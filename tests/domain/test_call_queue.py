"""Queue of the calls to a provider: the pace holds, and nobody waits longer than the queue is long."""

import heapq
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from referrals.domain.call_queue import CallQueue
from referrals.providers.circuit_breaker import OPEN_DURATION, CircuitBreaker

START = datetime(2026, 3, 4, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MAX_WAIT = 2 * SECOND
HOUR = timedelta(hours=1)


class Simulation:
    """Rewards that call a provider, which is down until `up_at`. Each call takes `requests` of its pace."""

    def __init__(self, rewards: int, interval: timedelta, up_at: datetime, requests: int = 1):
        self.interval, self.up_at, self.requests = interval, up_at, requests
        self.queue, self.circuit = CallQueue(START, START), CircuitBreaker()
        self.waiting = [(START, number) for number in range(rewards)]
        self.reserved: dict[int, datetime] = {}
        self.booked: list[datetime] = []
        self.attempts = dict.fromkeys(range(rewards), 0)
        self.visits = 0

    def run(self) -> None:
        while self.waiting:
            now, reward = heapq.heappop(self.waiting)
            self.visits += 1
            turn = self.queue.take_turn(
                now,
                self.interval,
                MAX_WAIT,
                reserved=self.reserved.pop(reward, None),
                not_before=self.circuit.open_until(now),
            )
            if turn.is_now:
                self.call(reward, turn.at)
            else:
                self.reserved[reward] = turn.at
                heapq.heappush(self.waiting, (turn.at, reward))

    def call(self, reward: int, at: datetime) -> None:
        self.circuit.start_call(at)
        self.attempts[reward] += 1
        if at < self.up_at:
            self.circuit.record_outage(at)
            heapq.heappush(self.waiting, (at + SECOND, reward))
        else:
            self.circuit.record_response()
            self.queue.next_call_at += (self.requests - 1) * self.interval
            self.booked.append(at)


def test_after_an_outage_of_an_hour_1000_rewards_go_through_at_the_pace():
    simulation = Simulation(1000, SECOND, START + HOUR)

    simulation.run()

    took = max(simulation.booked) - simulation.up_at
    assert took <= 1000 * SECOND + OPEN_DURATION + MAX_WAIT
    assert len(simulation.booked) == 1000
    gaps = [later - earlier for earlier, later in pairwise(simulation.booked)]
    assert min(gaps) >= SECOND
    assert max(gaps) <= OPEN_DURATION
    # One trial call each half minute, and those before the circuit opened.
    assert sum(simulation.attempts.values()) - 1000 <= HOUR / OPEN_DURATION + 10
    assert max(simulation.attempts.values()) <= 10


def test_few_rewards_wait_half_a_minute_at_most_after_an_outage():
    simulation = Simulation(25, timedelta(milliseconds=50), START + HOUR)

    simulation.run()

    assert max(simulation.booked) - simulation.up_at <= OPEN_DURATION + 25 * SECOND / 20 + MAX_WAIT


@settings(max_examples=50, deadline=None)
@given(
    rewards=st.integers(1, 60),
    per_second=st.floats(0.2, 50),
    requests=st.integers(1, 6),
    outage=st.integers(0, 300),
)
def test_requests_never_exceed_the_pace_and_no_turn_is_lost(rewards, per_second, requests, outage):
    interval = SECOND / per_second
    simulation = Simulation(rewards, interval, START + outage * SECOND, requests)

    simulation.run()

    booked = sorted(simulation.booked)
    gaps = [later - earlier for earlier, later in pairwise(booked)]
    # A call that takes more requests than its turn has paid for delays the next one.
    assert all(gap >= requests * interval - timedelta(microseconds=requests) for gap in gaps)
    work = rewards * requests * interval
    assert max(booked) - simulation.up_at <= 2 * work + 2 * OPEN_DURATION + MAX_WAIT
    assert simulation.visits <= (rewards * requests + outage) * 60
