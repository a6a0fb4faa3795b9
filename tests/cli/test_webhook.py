"""`referrals webhook`."""

import pytest

HOOKS = "/v1/webhooks"
WEBHOOK = {
    "id": "whk_1",
    "url": "https://shop.example/hooks",
    "events": ["reward_granted"],
    "campaign": None,
    "enabled": False,
    "reason": {"code": "failing", "message": "Nothing was accepted."},
    "disabled_at": "2026-03-04T10:00:00Z",
    "failing_since": "2026-03-01T10:00:00Z",
    "pending": 3,
    "old_secret_until": None,
    "created_at": "2026-02-01T10:00:00Z",
}
DELIVERY = {
    "id": "7",
    "event": "act_812",
    "type": "reward_granted",
    "activity": "812",
    "state": "pending",
    "attempts": 4,
    "due_at": "2026-03-04T12:00:00Z",
    "status": 500,
    "error": "answered 500",
    "created_at": "2026-03-04T10:00:00Z",
    "completed_at": None,
}


def test_create_prints_the_secret(api, run):
    api.answer(f"POST {HOOKS}", WEBHOOK | {"secret": "whsec_c2VjcmV0"}, 201)
    arguments = ("create", WEBHOOK["url"], "--event", "reward_granted", "--event", "code_published")
    printed = run("webhook", *arguments, "--campaign", "spring")

    assert printed.out == "whk_1 signs with whsec_c2VjcmV0\n"
    assert api.requests[0].json == {
        "url": WEBHOOK["url"],
        "events": ["reward_granted", "code_published"],
        "campaign": "spring",
    }
    assert run("webhook", "create", "https://a.example", "--json").json["secret"]
    assert api.requests[1].json["events"] is None


def test_list_prints_why_a_webhook_is_disabled(api, run):
    api.answer(f"GET {HOOKS}", {"data": [WEBHOOK], "next": None})

    assert "failing: Nothing was accepted." in run("webhook", "list").out
    assert run("webhook", "list", "--json").json == [WEBHOOK]


def test_show_prints_the_deliveries(api, run):
    api.answer(f"GET {HOOKS}/whk_1", WEBHOOK)
    api.answer(f"GET {HOOKS}/whk_1/deliveries", {"data": [DELIVERY], "next": None})
    printed = run("webhook", "show", "whk_1")

    assert "answered 500" in printed.out
    assert "act_812" in printed.out
    assert run("webhook", "show", "whk_1", "--json").json == WEBHOOK | {"deliveries": [DELIVERY]}


@pytest.mark.parametrize(
    ("answer", "code", "output"),
    [
        (
            {"accepted": True, "status": 204, "error": None},
            0,
            "accepted the test event with status 204",
        ),
        ({"accepted": False, "status": 500, "error": "answered 500"}, 1, "answered 500"),
    ],
)
def test_test_event_that_is_not_accepted_fails_the_command(api, run, answer, code, output):
    api.answer(f"POST {HOOKS}/whk_1/test", {"webhook": "whk_1"} | answer)
    result = run("webhook", "test", "whk_1")

    assert result.code == code
    assert output in result.out + result.err


def test_enable_and_disable(api, run):
    api.answer(f"PATCH {HOOKS}/whk_1", WEBHOOK)
    results = [
        run("webhook", "enable", "whk_1"),
        run("webhook", "enable", "whk_1", "--from-now"),
        run("webhook", "disable", "whk_1"),
    ]

    assert [result.out for result in results][::2] == [
        "whk_1 is enabled.\n",
        "whk_1 is disabled.\n",
    ]
    assert [request.json for request in api.requests] == [
        {"enabled": True, "from_now": False},
        {"enabled": True, "from_now": True},
        {"enabled": False},
    ]


def test_rotate_and_replay(api, run):
    api.answer(f"POST {HOOKS}/whk_1/rotate", WEBHOOK | {"secret": "whsec_bmV3"})
    api.answer(f"POST {HOOKS}/whk_1/replay", {"replayed": 2})

    assert "whsec_bmV3" in run("webhook", "rotate", "whk_1", "--keep-old", "PT1H").out
    assert run("webhook", "replay", "whk_1", "7", "8").out == "2 deliveries will be sent again.\n"
    run(
        "webhook", "replay", "whk_1", "--since", "2026-03-01T00:00:00Z", "--event", "reward_granted"
    )
    rotated, by_id, by_time = (request.json for request in api.requests)
    assert rotated == {"keep_old": "PT1H"}
    assert by_id == {"deliveries": ["7", "8"], "since": None, "events": None}
    assert by_time["since"] == "2026-03-01T00:00:00Z"
    assert by_time["events"] == ["reward_granted"]


def test_delete(api, run):
    api.answer(f"DELETE {HOOKS}/whk_1", b"", 204)

    assert run("webhook", "delete", "whk_1").out == "whk_1 is deleted.\n"
