"""`referrals tracked-event`."""

EVENT = {
    "id": "trk_1",
    "customer": "fay",
    "provider": "voucherify",
    "event": "friend_bought",
    "state": "failed",
    "cause": "plan",
    "error": "http_402: Unpaid.",
}
PATH = "/v1/campaigns/spring/tracked-events"


def test_events_are_listed_with_their_errors(api, run):
    api.answer(f"GET {PATH}", {"data": [EVENT], "next": None})

    result = run("tracked-event", "list", "spring", "--state", "failed", "--cause", "plan")

    assert "friend_bought" in result.out
    assert "http_402: Unpaid." in result.out
    (request,) = api.requests
    assert "state=failed" in request.path
    assert "cause=plan" in request.path
    assert run("tracked-event", "list", "spring", "--json").json == [EVENT]


def test_events_of_a_cause_are_sent_again(api, run):
    api.answer(f"POST {PATH}/retry", {"retried": 3})

    result = run("tracked-event", "retry", "spring", "--cause", "plan")

    assert result.out == "3 events are sent again.\n"
    assert api.requests[0].path.endswith("/retry?cause=plan")
    assert run("tracked-event", "retry", "spring", "--json").json == {"retried": 3}


def test_an_event_is_dropped(api, run):
    api.answer("POST /v1/tracked-events/trk_1/drop", EVENT | {"state": "dropped"})

    assert run("tracked-event", "drop", "trk_1").out == "trk_1 is dropped.\n"
