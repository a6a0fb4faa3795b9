"""Rewards that failed: how an operator sees them, and has many tried again at once."""

import pytest

FAILED = {
    "id": "rew_1",
    "key": "ref_1/friend",
    "customer": "fay",
    "provider": "voucherify",
    "amount": "50",
    "state": "failed",
    "attempts": 3,
    "error": "not_found: There is no such member.",
    "next_step": "waits for an operator: retry or void it",
}


def test_failed_rewards_of_all_campaigns_are_listed_with_what_an_operator_wants_to_know(api, run):
    api.answer("GET /v1/campaigns", {"data": [{"campaign": "spring"}], "next": None})
    api.answer("GET /v1/campaigns/spring/rewards", {"data": [FAILED], "next": None})

    result = run("reward", "list", "--state", "failed")

    for shown in ("ref_1/friend", "fay", "voucherify", "3", "There is no such member"):
        assert shown in result.out.replace("\n", " ")


def outcome(number: int, **parts: object) -> dict[str, object]:
    done = {"outcome": "done", "state": "granting", "detail": None}
    return {"id": f"rew_{number}", "key": f"ref_{number}/friend", "customer": "fay"} | done | parts


REFUSED = {"outcome": "refused", "state": "granted", "detail": "The reward is granted, not failed."}


def answer_with_rewards(api, action: str, *outcomes: dict[str, object]) -> None:
    """They are found, and the command has these outcomes, one a page."""
    api.answer("GET /v1/campaigns", {"data": [{"campaign": "spring"}], "next": None})
    found = {"data": [FAILED] * len(outcomes), "next": None}
    api.answer("GET /v1/campaigns/spring/rewards", found)
    pages = iter(outcomes)

    def page(_):
        shown = next(pages)
        return {"data": [shown], "next": None if shown is outcomes[-1] else shown["id"]}

    api.answer(f"POST /v1/campaigns/spring/rewards/{action}", page)


def test_the_one_failed_reward_is_retried_without_a_question(api, run):
    answer_with_rewards(api, "retry", outcome(1))

    assert run("reward", "retry", "--failed").out == "rew_1 is granting.\n"


def test_what_was_done_and_what_was_refused_is_summed_up(api, run):
    answer_with_rewards(api, "retry", outcome(1), outcome(2, **REFUSED))

    result = run("reward", "retry", "--state=failed", "--error=not_found", "--side=friend", "--yes")

    assert result.out.splitlines() == [
        "rew_1 is granting.",
        "rew_2 is left as it is: The reward is granted, not failed.",
        "1 done, 0 queued, 1 refused.",
    ]
    assert result.code == 1
    narrowed = "state=failed&side=friend&error=not_found"
    assert [r.path.split("?")[1] for r in api.requests if r.method == "POST"] == [
        narrowed,
        f"{narrowed}&after=rew_1",
    ]


@pytest.mark.parametrize(("answer", "posted"), [("y\n", 2), ("n\n", 0), ("", 0)])
def test_more_than_one_reward_is_asked_about(api, run, answer, posted):
    answer_with_rewards(api, "void", outcome(1, state="voided"), outcome(2, state="voided"))

    result = run("reward", "void", "--failed", "--reason", "Gone", stdin=answer)

    assert "void 2 rewards of spring?" in result.err
    assert [request.json for request in api.requests if request.method == "POST"] == [
        {"reason": "Gone"}
    ] * posted
    assert result.code == (0 if posted else 1)


def test_machines_say_yes_themselves(api, run):
    outcomes = [outcome(1), outcome(2, outcome="queued", state="failed")]
    answer_with_rewards(api, "approve", *outcomes)

    refused = run("reward", "approve", "--state", "pending", "--json")
    done = run("reward", "approve", "--state", "pending", "--json", "--yes")

    assert refused.code == 2
    assert "these are 2 rewards: say --yes" in refused.err
    assert done.json == {"done": 1, "queued": 1, "refused": 0, "rewards": outcomes}


def test_of_named_rewards_one_that_is_refused_does_not_hold_the_others_up(api, run):
    problem = {"title": "Not possible", "status": 409, "detail": "The reward is voided."}
    api.answer("POST /v1/rewards/rew_1/roll-back", problem, 409)
    api.answer("POST /v1/rewards/rew_2/roll-back", FAILED | {"state": "rolled_back"})

    result = run("reward", "roll-back", "rew_1", "rew_2", "--reason", "Fraud")

    assert result.out.splitlines() == [
        "rew_1 is left as it is: The reward is voided.",
        "rew_2 is rolled_back.",
        "1 done, 0 queued, 1 refused.",
    ]


def test_rewards_are_named_or_chosen_by_their_state(api, run):
    assert run("reward", "retry").code == 2
    assert run("reward", "retry", "rew_1", "--failed").code == 2


@pytest.mark.parametrize("width", [80, 120])
def test_parked_rewards_can_be_read_in_a_terminal(api, run, monkeypatch, width):
    """No line is wider than it, and no word that is not longer than its column is broken."""
    monkeypatch.setattr("entrypoints.cli.output.WIDTH_WITHOUT_TERMINAL", width)
    key = "ref_019ab4c5d6e70123456789abcdef/advocate/each_friend"
    told = FAILED | {"key": key, "error": "attempts_spent: The provider answered 503 so far."}
    api.answer("GET /v1/campaigns/spring/rewards", {"data": [told] * 2, "next": None})

    shown = run("reward", "list", "spring", "--state", "failed").out

    assert max(map(len, shown.splitlines())) <= width
    for word in ("Tries", "voucherify", "3", "provider", "answered", "operator:", "retry"):
        assert word in shown.split()
