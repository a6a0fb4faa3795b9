"""`referrals event send`."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.cli.errors import CommandError
from entrypoints.cli.event import parse_events

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
EVENTS = st.lists(st.dictionaries(st.text(), JSON, min_size=1, max_size=3), min_size=1, max_size=5)


@given(EVENTS, st.booleans())
def test_array_and_ndjson_contain_the_same_events(events, ascii_only):
    lines = "\n".join(json.dumps(event, ensure_ascii=ascii_only) for event in events)

    assert events == parse_events(json.dumps(events, indent=2), "f")
    assert events == parse_events(lines + "\n", "f")


def test_one_event_can_span_lines():
    assert parse_events('{\n  "id": "1"\n}', "f") == [{"id": "1"}]


def test_blank_lines_and_carriage_returns_are_skipped():
    assert parse_events('{"id": "1"}\r\n\r\n{"id": "2"}\r\n', "f") == [{"id": "1"}, {"id": "2"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "1"}\n{"id": "2"\n', "^f is not valid JSON: line 2, column 11: [^:]*$"),
        ('{\n "id": "1",\n}', "^f is not valid JSON: line [23], column [0-9]+: [^:]*$"),
        ('{"amount": NaN}', "^f is not valid JSON: NaN is not a JSON number$"),
        ('{"id": "1"}\n{"amount": NaN}', "^f is not valid JSON: line 2: NaN is not a JSON number$"),
        ('[{"id": "1"}, 7]', "f: event 2 is not a JSON object"),
        ('{"id": "1"}\n"two"', "f: event 2 is not a JSON object"),
        ("[]", "f contains no events"),
        ("\n", "f contains no events"),
        ("[" * 100_000, "f is not valid JSON: nested too deeply"),
    ],
)
def test_invalid_event_is_reported_with_its_position(text, message):
    with pytest.raises(CommandError, match=message):
        parse_events(text, "f")


def accept_all(request):
    return [
        {"event": event["id"], "decision": "accepted", "reason": None, "rewards": []}
        for event in request.json
    ]


def test_each_answer_is_a_line_of_json(api, run):
    api.answer("POST /v1/events", accept_all)

    result = run("event", "send", "--json", stdin='{"id": "1"}\n{"id": "2"}')

    assert [json.loads(line)["event"] for line in result.out.splitlines()] == ["1", "2"]
    assert (result.code, result.err) == (0, "")
    assert api.requests[0].headers["content-type"] == "application/cloudevents-batch+json"


def test_events_are_sent_in_ordered_batches(api, run):
    api.answer("POST /v1/events", accept_all)

    result = run("event", "send", "-", stdin="\n".join(f'{{"id": "{n}"}}' for n in range(250)))

    assert [len(request.json) for request in api.requests] == [100, 100, 50]
    assert [str(n) for n in range(250)] == [e["id"] for r in api.requests for e in r.json]
    assert result.out.splitlines()[-1] == "250 events: 250 accepted"


def test_decision_reason_and_rewards_are_printed(api, run, tmp_path):
    reason = {"code": "rule_failed", "message": "The order must reach 80 EUR."}
    reward = {"side": "friend", "type": "points", "amount": "50", "state": "granted"}
    credit = {"side": "advocate", "type": "gift_credit", "amount": "5.00", "currency": "EUR"}
    api.answer(
        "POST /v1/events",
        [
            {"decision": "rejected", "reason": reason, "rewards": []},
            {
                "decision": "held",
                "reason": None,
                "rewards": [reward, credit | {"state": "pending"}],
            },
        ],
    )
    file = tmp_path / "events.json"
    file.write_text('[{"id": "small"}, {"id": "big"}]')

    result = run("event", "send", str(file))

    assert result.out.splitlines() == [
        "small  rejected  rule_failed: The order must reach 80 EUR.",
        "big  held  friend 50 points granted  advocate 5.00 EUR pending",
        "2 events: 1 rejected, 1 held",
    ]
    assert result.code == 0


def test_one_event_is_counted_in_the_singular(api, run):
    api.answer("POST /v1/events", accept_all)

    assert run("event", "send", stdin='{"id": "1"}').out.splitlines()[-1] == "1 event: 1 accepted"


def test_invalid_event_ends_in_exit_code_1(api, run):
    problem = {
        "title": "Not an event",
        "status": 422,
        "detail": "A field is invalid.",
        "errors": [{"field": "data.order.amount", "message": "must not be negative"}],
    }
    api.answer("POST /v1/events", [{"decision": "accepted"}, problem])

    result = run("event", "send", stdin='{"id": "1"}\n{"id": "2"}')

    assert result.code == 1
    assert "2  invalid  data.order.amount: must not be negative" in result.out
    assert "2 events: 1 accepted, 1 invalid" in result.out


def test_file_with_an_invalid_line_sends_nothing(api, run):
    result = run("event", "send", stdin='{"id": "1"}\n{"id": ')

    assert result.code == 1
    assert "standard input is not valid JSON: line 2, column 8: " in result.err
    assert api.requests == []


def test_file_that_is_not_utf_8_is_rejected(api, run, tmp_path):
    file = tmp_path / "events.json"
    file.write_bytes(b'{"id": "\xff"}')

    result = run("event", "send", str(file))

    assert result.code == 1
    assert "is not UTF-8 text: invalid byte at offset 8" in result.err


def test_warnings_are_printed(api, run):
    warning = {"field": "data.friend.locale", "message": "must be a language tag; left out"}
    answer = {"decision": "accepted", "reason": None, "rewards": [], "warnings": [warning]}
    api.answer("POST /v1/events", [answer])

    result = run("event", "send", stdin='{"id": "1"}')

    assert result.out.splitlines()[0] == (
        "1  accepted  data.friend.locale must be a language tag; left out"
    )


def test_refusals_are_listed(api, run):
    refusal = {"day": "2026-03-04", "caller": "shop", "source": "/de", "type": "invalid-event"}
    refusal |= {"field": "data.order.amount", "count": 9, "last_at": "2026-03-04T10:00:00Z"}
    api.answer("GET /v1/refusals", {"data": [refusal], "next": None})

    assert "data.order.amount" in run("event", "refusals").out
    assert json.loads(run("event", "refusals", "--json").out) == [refusal]


def test_unknown_orders_are_listed(api, run):
    order = {"source": "stripe", "order": "7781", "since": "2026-03-04T10:00:00Z"}
    api.answer("GET /v1/unknown-orders", {"data": [order], "next": None})

    assert "stripe" in run("event", "unknown-orders").out
    assert json.loads(run("event", "unknown-orders", "--json").out) == [order]
