"""`referrals reward`."""

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
    "next_step": "needs an operator: retry or void it",
}


def test_list_prints_attempts_error_and_next_step_of_failed_rewards(api, run):
    api.answer("GET /v1/campaigns", {"data": [{"campaign": "spring"}], "next": None})
    api.answer("GET /v1/campaigns/spring/rewards", {"data": [FAILED], "next": None})

    result = run("reward", "list", "--state", "failed")

    for text in ("ref_1/friend", "fay", "voucherify", "3", "There is no such member"):
        assert text in result.out.replace("\n", " ")


def outcome(number: int, **parts: object) -> dict[str, object]:
    done = {"outcome": "done", "state": "granting", "detail": None}
    return {"id": f"rew_{number}", "key": f"ref_{number}/friend", "customer": "fay"} | done | parts


REFUSED = {"outcome": "refused", "state": "granted", "detail": "The reward is granted, not failed."}


def answer_with_rewards(api, action: str, *outcomes: dict[str, object]) -> None:
    """Answer with one reward for each outcome, and with one outcome on each page."""
    api.answer("GET /v1/campaigns", {"data": [{"campaign": "spring"}], "next": None})
    found = {"data": [FAILED] * len(outcomes), "next": None}
    api.answer("GET /v1/campaigns/spring/rewards", found)
    pages = iter(outcomes)

    def page(_):
        shown = next(pages)
        return {"data": [shown], "next": None if shown is outcomes[-1] else shown["id"]}

    api.answer(f"POST /v1/campaigns/spring/rewards/{action}", page)


def test_one_reward_is_changed_without_confirmation(api, run):
    answer_with_rewards(api, "retry", outcome(1))

    assert run("reward", "retry", "--failed").out == "rew_1 is granting.\n"


def test_outcomes_and_totals_are_printed(api, run):
    answer_with_rewards(api, "retry", outcome(1), outcome(2, **REFUSED))

    options = ("--state=failed", "--error=not_found", "--cause=setup", "--side=friend", "--yes")
    result = run("reward", "retry", *options)

    assert result.out.splitlines() == [
        "rew_1 is granting.",
        "rew_2 is unchanged: The reward is granted, not failed.",
        "1 done, 0 queued, 1 refused.",
    ]
    assert result.code == 1
    query = "state=failed&side=friend&error=not_found&cause=setup"
    assert [r.path.split("?")[1] for r in api.requests if r.method == "POST"] == [
        query,
        f"{query}&after=rew_1",
    ]


@pytest.mark.parametrize(("answer", "requests"), [("y\n", 2), ("n\n", 0), ("", 0)])
def test_several_rewards_need_confirmation(api, run, answer, requests):
    answer_with_rewards(api, "void", outcome(1, state="voided"), outcome(2, state="voided"))

    result = run("reward", "void", "--failed", "--reason", "Gone", stdin=answer)

    assert "void 2 rewards of spring?" in result.err
    assert [request.json for request in api.requests if request.method == "POST"] == [
        {"reason": "Gone"}
    ] * requests
    assert result.code == (0 if requests else 1)


def test_json_output_needs_the_yes_option(api, run):
    outcomes = [outcome(1), outcome(2, outcome="queued", state="failed")]
    answer_with_rewards(api, "approve", *outcomes)

    unconfirmed = run("reward", "approve", "--state", "pending", "--json")
    confirmed = run("reward", "approve", "--state", "pending", "--json", "--yes")

    assert unconfirmed.code == 2
    assert "2 rewards are selected: confirm with --yes" in unconfirmed.err
    assert confirmed.json == {"done": 1, "queued": 1, "refused": 0, "rewards": outcomes}


def test_refused_reward_does_not_stop_the_others(api, run):
    problem = {"title": "Not possible", "status": 409, "detail": "The reward is voided."}
    api.answer("POST /v1/rewards/rew_1/roll-back", problem, 409)
    api.answer("POST /v1/rewards/rew_2/roll-back", FAILED | {"state": "rolled_back"})

    result = run("reward", "roll-back", "rew_1", "rew_2", "--reason", "Fraud")

    assert result.out.splitlines() == [
        "rew_1 is unchanged: The reward is voided.",
        "rew_2 is rolled_back.",
        "1 done, 0 queued, 1 refused.",
    ]


def test_rewards_are_selected_by_id_or_state_but_not_both(api, run):
    assert run("reward", "retry").code == 2
    assert run("reward", "retry", "rew_1", "--failed").code == 2


@pytest.mark.parametrize("width", [80, 120])
def test_unfinished_rewards_fit_the_terminal(api, run, monkeypatch, width):
    """No line is longer than the terminal, and no word is broken that fits its column."""
    monkeypatch.setattr("entrypoints.cli.output.WIDTH_WITHOUT_TERMINAL", width)
    key = "ref_019ab4c5d6e70123456789abcdef/advocate/each_friend"
    failed = FAILED | {"key": key, "error": "attempts_spent: The provider answered 503 so far."}
    api.answer("GET /v1/campaigns/spring/rewards", {"data": [failed] * 2, "next": None})

    shown = run("reward", "list", "spring", "--state", "failed").out

    assert max(map(len, shown.splitlines())) <= width
    for word in ("Attempts", "voucherify", "3", "provider", "answered", "operator:", "retry"):
        assert word in shown.split()


def test_list_can_be_filtered_by_state(api, run):
    rows = [{"id": "rew_1", "customer": "cus_1", "amount": "100", "state": "failed"}]
    api.answer("GET /v1/campaigns/spring/rewards", {"data": rows, "next": None})

    result = run("reward", "list", "spring", "--state", "failed")

    assert api.requests[0].path == "/v1/campaigns/spring/rewards?state=failed&limit=100"
    assert "rew_1" in result.out
