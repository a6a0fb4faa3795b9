"""Recorded histories of every workflow type replay, so that a change of the code does not break running workflows."""

import base64
import json
import re
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from plugin import WORKFLOWS, ReferralsPlugin
from referrals.temporal.names import (
    ADVOCATE_WORKFLOW,
    EXPIRY_WORKFLOW,
    JOURNEY_WORKFLOW,
    REFERRAL_WORKFLOW,
)
from tests.replay.record import HISTORIES
from tests.replay.scenarios import SCENARIOS

FILES = sorted(HISTORIES.rglob("*.json"))


def history_of(file: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(file.stem, file.read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: "-".join(file.parts[-3:]))
async def test_a_recorded_history_replays(file: Path):
    await Replayer(workflows=[], plugins=[ReferralsPlugin()]).replay_workflow(history_of(file))


def test_every_workflow_type_and_every_scenario_is_recorded():
    started = {
        json.loads(file.read_text())["events"][0]["workflowExecutionStartedEventAttributes"][
            "workflowType"
        ]["name"]
        for file in FILES
    }

    assert started == {REFERRAL_WORKFLOW, ADVOCATE_WORKFLOW, EXPIRY_WORKFLOW, JOURNEY_WORKFLOW}
    assert len(WORKFLOWS) == len(started)
    assert {file.parent.name for file in FILES} >= set(SCENARIOS)


async def test_a_history_that_does_not_match_the_code_fails():
    """The replay tests can fail: a history without its timer is detected."""
    file = next(file for file in FILES if "held_and_rewarded/referral" in str(file))
    history = json.loads(file.read_text())
    history["events"] = [
        event
        for event in history["events"]
        if "timerStartedEventAttributes" not in event and "timerFiredEventAttributes" not in event
    ]
    for number, event in enumerate(history["events"], start=1):
        event["eventId"] = str(number)

    with pytest.raises((NondeterminismError, ApplicationError, RuntimeError)):
        await Replayer(workflows=[], plugins=[ReferralsPlugin()]).replay_workflow(
            WorkflowHistory.from_json("referral", json.dumps(history))
        )


def test_recorded_histories_hold_no_contact_details_and_no_external_ids():
    for file in FILES:
        encoded = re.findall(r'"data": "([^"]*)"', file.read_text())
        payloads = b"".join(map(base64.b64decode, encoded))

        assert b"spring" in payloads or file.stem == "expiry"
        assert not any(known in payloads for known in (b"@", b'"ada"', b'"fay"', b"order-of"))
