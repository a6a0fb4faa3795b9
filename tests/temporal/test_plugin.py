"""The plugin changes only what it must of the client and the worker that it is added to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)
from temporalio.worker import UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

import plugin
from plugin import ReferralsPlugin
from referrals.errors import NotPossibleError
from referrals.temporal.converter import ValidatingPayloadConverter, with_payload_converter
from tests.harness.campaigns import campaign
from tests.harness.world import open_world

KEY = 0x5A
SOURCE = Path(plugin.__file__)


class MaskingCodec(PayloadCodec):
    """Fake encryption that masks every byte."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload(
                metadata={"encoding": b"binary/masked"}, data=_mask(payload.SerializeToString())
            )
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload.FromString(_mask(payload.data)) for payload in payloads]


def _mask(data: bytes) -> bytes:
    return bytes(byte ^ KEY for byte in data)


CONVERTER = DataConverter(
    payload_codec=MaskingCodec(),
    failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
)


def test_the_payload_converter_is_the_only_part_of_a_data_converter_that_changes():
    converter = with_payload_converter(CONVERTER)

    assert converter.payload_converter_class is ValidatingPayloadConverter
    assert converter.payload_codec is CONVERTER.payload_codec
    assert converter.failure_converter_class is CONVERTER.failure_converter_class


def test_the_composition_root_imports_no_entry_point():
    imports = [line.split()[1] for line in SOURCE.read_text().splitlines() if "import" in line]

    assert not [name for name in imports if name.startswith(("entrypoints", "inbox", "worker"))]


def test_the_worker_s_sandbox_stays_configured():
    runner = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default)
    config: Any = {"task_queue": "referrals", "workflow_runner": runner}

    assert ReferralsPlugin().configure_worker(config)["workflow_runner"] is runner
    unsandboxed = ReferralsPlugin(sandbox=False).configure_worker(config)["workflow_runner"]
    assert isinstance(unsandboxed, UnsandboxedWorkflowRunner)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_encrypted_payloads_and_failures_stay_encrypted_through_a_workflow(
    database_url: str,
):
    async with open_world(database_url, data_converter=CONVERTER) as world:
        await world.apply(campaign(conversion={"hold": "P14D"}))
        answer = await world.convert(await world.publish("spring", "ada"), "fay")
        with pytest.raises(NotPossibleError, match="The referral is held, not in review"):
            await world.command("approve", answer["referral"])
        friend_id = await world.customer_id("fay")
        history = await (await world.referral_run("spring", "fay")).fetch_history()

    assert answer["decision"] == "held"
    started, *_ = history.events
    (argument,) = started.workflow_execution_started_event_attributes.input.payloads
    assert argument.metadata["encoding"] == b"binary/masked"
    recorded = b"".join(event.SerializeToString() for event in history.events)
    assert b"Encoded failure" in recorded
    assert b"not in review" not in recorded
    assert friend_id.encode() not in recorded
