"""`parse_webhook` with arbitrary bodies; real webhooks are tested in `tests/api`."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from referrals.channels.whatsapp_webhooks import parse_webhook

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("1772618400")
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
STATUS = {
    "id": VALUES,
    "status": st.sampled_from(["sent", "failed"]) | VALUES,
    "timestamp": st.just("1772618400") | VALUES,
    "biz_opaque_callback_data": st.none() | VALUES,
    "errors": st.lists(VALUES | st.fixed_dictionaries({"code": VALUES, "error_data": VALUES})),
}
PREFERENCE = {
    "wa_id": st.just("16505551234") | VALUES,
    "category": st.just("marketing_messages"),
    "value": st.just("stop") | VALUES,
    "timestamp": VALUES,
}


def frame(value: Any) -> Any:
    return {"entry": [{"changes": [{"value": value}]}]}


BODIES = VALUES | st.fixed_dictionaries(
    {
        "statuses": st.lists(st.fixed_dictionaries(STATUS), max_size=3),
        "user_preferences": st.lists(st.fixed_dictionaries(PREFERENCE), max_size=3),
    }
).map(frame)


@settings(max_examples=500, deadline=None)
@given(BODIES)
def test_any_json_body_is_parsed_without_error(body: Any):
    statuses, preferences = parse_webhook(json.dumps(body).encode())

    assert all(status.at.tzinfo and status.reference for status in statuses)
    assert all(preference.address.startswith("+") for preference in preferences)


@settings(max_examples=200)
@given(st.binary())
def test_a_body_that_is_not_json_is_ignored(body: bytes):
    assert parse_webhook(b"{" + body) == ([], [])
