"""Messages by the hundred, with every fault at random (`make messages`: by the ten thousand)."""

import os
from collections import Counter, defaultdict
from random import Random
from typing import Any

import pytest

from referrals.store import Store, schema
from tests.store.messaging.fault_simulation import CAP, PERIOD, QUIET, Storm
from tests.store.messaging.sending_harness import Office

MESSAGES = int(os.environ.get("REFERRALS_TEST_MESSAGES", "500"))
ARRIVED = ("sent", "delivered", "read")


@pytest.fixture
async def storm(store: Store, caplog: pytest.LogCaptureFixture) -> Storm:
    caplog.set_level("INFO")
    office = await Office(store, quiet_hours=QUIET, cap=f"{CAP}/P1D").open()
    storm = Storm(office, Random(MESSAGES))
    await storm.populate(MESSAGES)
    await storm.play()
    return storm


async def test_a_storm_breaks_no_promise(storm: Storm, caplog: pytest.LogCaptureFixture):
    messages = await storm.office.all(schema.messages)
    arrived = Counter(arrival.message.key for arrival in storm.arrived)
    assert len(messages) == MESSAGES

    assert storm.broken == []
    check_each_message(messages, arrived, storm.lost)
    check_the_cap(storm, messages)
    activity = await storm.office.all(schema.activity)
    delivered = Counter(row.data["message"] for row in activity if row.type == "message_delivered")
    assert max(delivered.values()) == 1
    for text in (caplog.text, str(activity), *storm.said):
        assert "example.com" not in text
        assert "+49151" not in text


def check_each_message(messages: list[Any], arrived: Counter[str], lost: set[str]) -> None:
    """Its state is final, says why, and is true."""
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


def check_the_cap(storm: Storm, messages: list[Any]) -> None:
    """Within any period no more messages have reached a customer; one that came twice is one."""
    customers = {message.key: message.customer_id for message in messages}
    arrivals = defaultdict(list)
    for arrival in storm.arrived:
        arrivals[customers[arrival.message.key]].append((arrival.at, arrival.message.key))
    for reached in arrivals.values():
        for start, _ in reached:
            within = {key for at, key in reached if start <= at < start + PERIOD}
            assert len(within) <= CAP
