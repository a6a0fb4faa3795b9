"""`referrals delivery` and `referrals workflow-start`."""

import pytest

DELIVERY = {
    "id": "7",
    "webhook": None,
    "url": "https://crm.example/hooks",
    "campaign": "spring",
    "type": "referral_converted",
    "state": "failed",
    "attempts": 12,
    "error": "answered 500",
    "due_at": None,
}
START = {
    "id": "wfs_1",
    "campaign": "spring",
    "type": "VipOnboarding",
    "task_queue": "crm",
    "namespace": None,
    "state": "failed",
    "error": "Temporal has no such namespace.",
    "created_at": "2026-03-04T10:00:00Z",
}
KINDS = {"delivery": ("deliveries", DELIVERY), "workflow-start": ("workflow-starts", START)}


@pytest.fixture(params=KINDS)
def kind(request, api):
    path, row = KINDS[request.param]
    api.answer(f"GET /v1/{path}", {"data": [row], "next": None})
    return request.param, f"/v1/{path}", row


def test_failed_work_is_listed_with_its_error(kind, api, run):
    command, _, row = kind
    result = run(command, "list", "--state", "failed", "--campaign", "spring")

    assert row["error"] in result.out
    assert "state=failed" in api.requests[0].path
    assert "campaign=spring" in api.requests[0].path
    assert run(command, "list", "--json").json == [row]


def test_an_empty_list_says_so(kind, api, run):
    command, path, _ = kind
    api.answer(f"GET {path}", {"data": [], "next": None})

    assert run(command, "list").out.startswith("There are no ")
    assert run(command, "list", "--json").json == []
    assert run(command, "retry", "--failed").out == "Nothing has failed.\n"


@pytest.mark.parametrize("action", ["retry", "drop"])
def test_all_failed_work_is_retried_or_dropped(kind, api, run, action):
    command, path, row = kind
    api.answer(f"POST {path}/{row['id']}/{action}", row | {"state": "pending"})

    assert run(command, action, "--failed").out == f"{row['id']} is pending.\n"
    assert run(command, action, row["id"], "--json").json[0]["state"] == "pending"


def test_a_refusal_is_reported(kind, api, run):
    command, path, row = kind
    problem = {"title": "Not possible", "detail": "It is pending.", "status": 409}
    api.answer(f"POST {path}/{row['id']}/retry", problem, 409)

    result = run(command, "retry", row["id"])
    assert (result.code, result.out) == (1, f"{row['id']} is unchanged: It is pending.\n")


@pytest.mark.parametrize("arguments", [[], ["7", "--failed"]])
def test_ids_and_the_flag_exclude_each_other(run, arguments):
    result = run("delivery", "drop", *arguments)

    assert result.code == 2
    assert "either ids or --failed" in result.err
