"""Logs: one line per request, decision, workflow step and call, and never a contact detail."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from referrals.channels.errors import ChannelUnavailable
from referrals.channels.log import LogChannel
from referrals.logging import formatter, get_logger, log_context, remove_contact_details
from tests.harness.campaigns import campaign
from tests.harness.journeys import journey
from tests.harness.world import World, open_world

FRIENDS = [f"friend-{number}" for number in range(8)]
SECRETS = ("@example.com", "+49171", "0171 ", "Fay Friend", "Ada Advocate")
"""Parts of every contact detail that the storm uses."""


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The JSON log lines of everything in this process, down to DEBUG."""
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(formatter("json"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield output
    root.removeHandler(handler)
    root.setLevel(level)


def parsed(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


class LeakingChannel(LogChannel):
    """An email channel that quotes the recipient's address in every error."""

    name = "email"

    async def send(self, message: Any) -> str | None:
        raise ChannelUnavailable(f"450 {message.to}: mailbox busy", timedelta(days=2))


def person(customer: str) -> dict[str, Any]:
    number = customer.rpartition("-")[2]
    return {
        "id": customer,
        "name": "Fay Friend",
        "email": f"{customer}@example.com",
        "phone": f"+4917123456{number}{number}",
    }


async def play_storm(world: World) -> None:
    """Sign-ups, conversions and refunds with contact details; messages fail, and some events do."""
    thanks = {"send": {"template": "thank_friend", "to": "friend", "channels": ["email"]}}
    await world.apply(campaign(journeys=[journey(thanks, on="referral_converted")]))
    code = await world.publish("spring", "ada")
    advocate = {"id": "ada", "name": "Ada Advocate", "email": "ada@example.com"}
    await world.event("customer_registered", {"customer": advocate})
    for friend in FRIENDS:
        people = {"code": code, "friend": person(friend)}
        order = {"id": f"order of {friend}@example.com", "amount": "100.00", "currency": "EUR"}
        await world.event("referral_signed_up", people)
        await world.event("referral_converted", people | {"order": order})
        await world.event("order_refunded", {"order": {"id": order["id"]}})
    unknown = {"code": "call +49171234567", "friend": person("friend-9")}
    await world.send("referral_signed_up", unknown | {"code": "NOBODY-S-CODE"})
    await world.sleep(minutes=1)


async def test_no_line_of_a_storm_has_a_contact_detail(database_url: str, lines: io.StringIO):
    async with open_world(database_url, channels={"email": LeakingChannel()}) as world:
        await play_storm(world)

    text = lines.getvalue()
    assert len(text.splitlines()) > 3 * len(FRIENDS)
    leaks = [line for line in text.splitlines() if any(secret in line for secret in SECRETS)]
    assert leaks == []


async def test_each_event_has_a_decision_line_and_each_workflow_step_a_line(
    database_url: str, lines: io.StringIO
):
    async with open_world(database_url) as world:
        await world.apply(campaign())
        code = await world.publish("spring", "ada")
        accepted = await world.convert(code, "fay")
        rejected = await world.convert(code, "fay", order="another")

    decisions = [line for line in parsed(lines) if line["event"] == "decision"]
    steps = [line for line in parsed(lines) if line["event"] == "workflow step"]
    first, second = [line for line in decisions if line["type"] == "referral_converted"]
    assert (first["decision"], first["referral_id"]) == ("accepted", accepted["referral"])
    assert (second["decision"], second["reason_code"]) == ("rejected", rejected["reason"]["code"])
    assert first["event_id"] in {line["subject_id"] for line in steps}
    assert all(line["duration_ms"] >= 0 for line in decisions + steps)
    assert all(line["workflow_id"].startswith(("referral/", "advocate/")) for line in steps)


@pytest.mark.parametrize(
    ("fields", "logged"),
    [
        ({"email": "fay@example.com"}, {}),
        ({"phone": "+49 171 2345678", "name": "Fay"}, {}),
        ({"event": "mail to fay@example.com failed"}, {"event": "mail to [removed] failed"}),
        ({"error": "0171 2345678 is unknown"}, {"error": "[removed] is unknown"}),
        ({"details": {"to": "fay", "codes": ["fay@x.de"]}}, {"details": {"codes": ["[removed]"]}}),
        ({"referral_id": "ref_019ab4c5d6e712345678"}, {"referral_id": "ref_019ab4c5d6e712345678"}),
        ({"duration_ms": 12345678.9, "attempt": 3}, {"duration_ms": 12345678.9, "attempt": 3}),
    ],
)
def test_contact_details_are_removed_by_field_and_by_pattern(
    fields: dict[str, Any], logged: dict[str, Any]
):
    assert remove_contact_details(None, "info", fields) == logged


def test_ids_of_the_context_are_on_every_line_of_the_block(lines: io.StringIO):
    log = get_logger("tests")
    with log_context(reward_id="rew_1"):
        log.warning("inside")
    log.warning("outside")

    inside, outside = parsed(lines)
    assert (inside["reward_id"], inside["level"]) == ("rew_1", "warning")
    assert "reward_id" not in outside


def test_errors_of_libraries_are_cleaned_too(lines: io.StringIO):
    try:
        int("fay@example.com")
    except ValueError:
        logging.getLogger("somebody.else").exception("sending to %s failed", "fay@example.com")

    (line,) = parsed(lines)
    assert "fay@example.com" not in json.dumps(line)
    assert "ValueError" in line["exception"]
