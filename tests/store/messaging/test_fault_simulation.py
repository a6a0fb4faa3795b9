"""Hundreds of messages with random faults (`make messages`: ten thousand)."""

import os
from collections import Counter, defaultdict
from random import Random
from typing import Any

import pytest

from referrals.store import Store, schema
from tests.store.messaging.fault_simulation import CAP, PERIOD, QUIET, FaultSimulation
from tests.store.messaging.sending_harness import SendingHarness

MESSAGES = int(os.environ.get("REFERRALS_TEST_MESSAGES", "250"))
ARRIVED = ("sent", "delivered", "read")


@pytest.fixture
async def simulation(store: Store, caplog: pytest.LogCaptureFixture) -> FaultSimulation:
    caplog.set_level("INFO")
    harness = await SendingHarness(store, quiet_hours=QUIET, cap=f"{CAP}/P1D").open()
    simulation = FaultSimulation(harness, Random(MESSAGES))
    await simulation.populate(MESSAGES)
    await simulation.play()
    return simulation


async def test_all_invariants_hold_under_random_faults(
    simulation: FaultSimulation, caplog: pytest.LogCaptureFixture
):
    messages = await simulation.harness.all(schema.messages)
    arrived = Counter(arrival.message.key for arrival in simulation.arrived)
    assert len(messages) == MESSAGES

    assert simulation.violations == []
    check_each_message(messages, arrived, simulation.lost)
    check_the_cap(simulation, messages)
    activity = await simulation.harness.all(schema.activity)
    delivered = Counter(row.data["message"] for row in activity if row.type == "message_delivered")
    assert max(delivered.values()) == 1
    for text in (caplog.text, str(activity), *simulation.errors):
        assert "example.com" not in text
        assert "+49151" not in text


def check_each_message(messages: list[Any], arrived: Counter[str], lost: set[str]) -> None:
    """Check that the state is final, has a reason, and is correct."""
    states = Counter(message.state for message in messages)
    assert set(states) <= {*ARRIVED, "failed"}
    assert min(states[state] for state in (*ARRIVED, "failed")) > 0
    for message in messages:
        times = arrived[message.key]
        if message.state == "failed":
            assert message.reason_code
            assert message.reason
        if message.state in ("delivered", "read"):
            assert times
        if message.state == "sent":
            assert message.reference not in lost, message
        if message.purpose == "marketing":
            assert times <= 1, message
            if message.state == "failed" and message.reason_code != "unclear":
                assert times == 0, message
        elif message.state == "sent" and message.channel == "email":
            assert times, message


def check_the_cap(simulation: FaultSimulation, messages: list[Any]) -> None:
    """Check the frequency cap within any period; duplicates of a message count once."""
    customers = {message.key: message.customer_id for message in messages}
    arrivals = defaultdict(list)
    for arrival in simulation.arrived:
        arrivals[customers[arrival.message.key]].append((arrival.at, arrival.message.key))
    for reached in arrivals.values():
        for start, _ in reached:
            within = {key for at, key in reached if start <= at < start + PERIOD}
            assert len(within) <= CAP
