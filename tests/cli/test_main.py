"""Behaviour that all commands share: arguments, exit codes and JSON output."""

from importlib.metadata import version

import pytest

from referrals.domain.states import ReferralState, RewardState


def test_version_is_the_version_of_the_installed_package(run):
    assert run("--version").out == f"{version('referrals')}\n"


@pytest.mark.parametrize(
    ("command", "request_line"),
    [
        (("campaign", "pause", "spring"), "POST /v1/campaigns/spring/pause"),
        (("campaign", "activate", "spring"), "POST /v1/campaigns/spring/activate"),
        (("campaign", "archive", "spring"), "POST /v1/campaigns/spring/archive"),
        (("referral", "approve", "ref_1"), "POST /v1/referrals/ref_1/approve"),
        (("referral", "reject", "ref_1", "--reason", "x"), "POST /v1/referrals/ref_1/reject"),
        (("referral", "roll-back", "ref_1", "--reason", "x"), "POST /v1/referrals/ref_1/roll-back"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_commands_print_the_answer_of_the_api(api, run, command, request_line, as_json):
    answer = {"id": "some-id", "state": "paused"}
    api.answer(request_line, answer)

    result = run(*command, *(["--json"] if as_json else []))

    assert (result.code, result.err) == (0, "")
    assert [request_line] == [f"{r.method} {r.path}" for r in api.requests]
    assert result.json == answer if as_json else "paused" in result.out


@pytest.mark.parametrize("states", [ReferralState, RewardState])
def test_help_lists_the_states(run, states, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    command = "referral" if states is ReferralState else "reward"
    shown = run(command, "list", "--help").out

    assert all(state in shown for state in states)
    assert run(command, "list", "spring", "--state", "lost").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("campaign", "apply", "no-such-file.yaml"),
        ("campaign", "apply"),
        ("campaign", "list", "--limit", "0"),
        ("publish", "spring"),
        ("dev", "--port", "70000"),
        ("api", "--port", "none"),
    ],
)
def test_invalid_arguments_end_in_exit_code_2(run, arguments):
    result = run(*arguments)

    assert (result.code, result.out) == (2, "")
    assert result.err
