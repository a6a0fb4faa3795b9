"""Events with anything in any position are decided, or refused with the field at fault: none is an error of ours."""

import json
from typing import Any

import pytest
from hypothesis import given

from entrypoints.api.openapi import EXAMPLES
from inbox.receive import Inbox
from referrals.errors import EventIdReusedError, InvalidEventError
from referrals.settings import Settings
from referrals.store import Store, schema
from referrals.store.inbox import inbox_events
from referrals.store.referrals import conversions
from tests.harness.campaigns import campaign
from tests.harness.fuzzing import FUZZED, mutations, values
from tests.harness.store_harness import StoreHarness

RULES = [{"name": "small", "when": "order.amount < 1000000.0", "message": "Too much."}]


class Down:
    """Temporal client without a server."""

    def __getattr__(self, name: str) -> Any:
        raise ConnectionError(name)


@pytest.fixture
async def harness(store: Store) -> StoreHarness:
    harness = StoreHarness(store)
    await harness.apply(campaign(conversion={"rules": RULES}))
    await harness.publish("spring", "ada", code="ADA-2026")
    return harness


@FUZZED
@given(raw=mutations(list(EXAMPLES.values())) | values)
async def test_no_event_is_an_error(
    harness: StoreHarness, raw: Any, caplog: pytest.LogCaptureFixture
):
    client: Any = Down()
    inbox = Inbox(harness.store, client, Settings(), harness.now)
    try:
        response = await inbox.receive(raw, "shop")
    except (InvalidEventError, EventIdReusedError) as error:
        assert error.errors
        return

    json.dumps(response.body, default=str)
    assert "storing it without a decision" not in caplog.text
    rows = await harness.all(schema.inbox_events, state="queued")
    for row in rows:
        assert row.error is None or row.error.startswith("Temporal: ConnectionError")
        if row.type == "referral_converted":
            await harness.decide(conversions.convert, row.id)
        async with harness.store.begin() as tx:  # so that it is not in the way of later events
            await inbox_events.save_response(tx, row.id, row.response or {"decision": "accepted"})
            await inbox_events.mark_processed(tx, row.id)
