"""`referrals referral`."""

import pytest


def test_show_prints_rewards_and_timeline(api, run):
    reason = {"code": "order_refunded", "message": "The order came back."}
    shown = {
        "id": "ref_1",
        "state": "rolled_back",
        "reason": reason,
        "order": {"id": "7", "amount": "119.90"},
        "due_at": None,
        "rewards": [{"id": "rew_1", "customer": "ada", "amount": "100", "state": "rolled_back"}],
        "timeline": [{"at": "2026-03-04T10:00:00.123Z", "type": "referral_converted"}],
    }
    api.answer("GET /v1/referrals/ref_1", shown)

    lines = run("referral", "show", "ref_1").out.splitlines()

    assert lines[:5] == [
        "id            ref_1",
        "state         rolled_back",
        "reason        order_refunded: The order came back.",
        "order.id      7",
        "order.amount  119.90",
    ]
    assert any("rew_1" in line and "ada" in line for line in lines)
    assert any("2026-03-04 10:00:00Z" in line and "referral_converted" in line for line in lines)
    assert run("referral", "show", "ref_1", "--json").json == shown


@pytest.mark.parametrize("action", ["reject", "roll-back"])
def test_reject_and_roll_back_require_a_reason(api, run, action):
    api.answer(f"POST /v1/referrals/ref_1/{action}", {"id": "ref_1", "state": "rolled_back"})

    assert run("referral", action, "ref_1").code == 2
    assert api.requests == []
    assert run("referral", action, "ref_1", "--reason", "Fraud").code == 0
    assert api.requests[0].json == {"reason": "Fraud"}


def test_queued_command_is_reported(api, run):
    queued = {"event": None, "state": "queued"}
    api.answer("POST /v1/referrals/ref_1/approve", queued, status=202)

    result = run("referral", "approve", "ref_1")

    assert (result.code, result.out) == (
        0,
        "The command is queued: it is stored and will be processed once.\n",
    )
