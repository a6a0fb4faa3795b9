"""What the commands that talk to the API ask of it, and how their arguments are read."""

import json

import pytest

from referrals.domain.states import ReferralState, RewardState

CAMPAIGN = """\
campaign: spring
name: Spring
landing_url: https://shop.example/welcome
rewards:
  friend: {type: points, amount: 50}
"""


def test_applying_a_campaign_sends_the_files_own_text_to_its_slug(api, run, tmp_path):
    file = tmp_path / "spring.yaml"
    file.write_text(CAMPAIGN)
    api.answer("PUT /v1/campaigns/spring", {"campaign": "spring", "version": 2, "state": "running"})

    result = run("campaign", "apply", str(file))

    assert (result.code, result.out) == (0, "spring: version 2 is running.\n")
    assert CAMPAIGN.encode() == api.requests[0].body
    assert api.requests[0].headers["content-type"] == "application/yaml"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, ""),
        (1, "1 journey goes on under an older version.\n"),
        (12, "12 journeys go on under an older version.\n"),
    ],
)
def test_applying_a_campaign_tells_which_journeys_go_on_as_they_began(api, run, number, told):
    answer = {"campaign": "spring", "version": 2, "state": "running"}
    counted = answer | {"journeys_under_older_versions": number}
    api.answer("PUT /v1/campaigns/spring", counted)

    result = run("campaign", "apply", "-", stdin=CAMPAIGN)

    assert result.out == f"spring: version 2 is running.\n{told}"


def test_a_campaign_can_come_from_standard_input(api, run):
    api.answer("PUT /v1/campaigns/spring", {"campaign": "spring", "version": 1, "state": "running"})

    assert run("campaign", "apply", "-", stdin=CAMPAIGN).code == 0


def test_mistakes_in_a_campaign_are_found_before_it_is_sent_by_file_and_line(api, run, tmp_path):
    file = tmp_path / "spring.yaml"
    file.write_text(CAMPAIGN.replace("50", "-1").replace("name: Spring\n", "nmae: Spring\n"))

    result = run("campaign", "apply", str(file))

    assert (result.code, result.out, api.requests) == (1, "", [])
    assert f"{file}:5: rewards.friend.amount: " in result.err
    assert f"{file}:2: nmae: " in result.err


@pytest.mark.parametrize(
    ("command", "request_line"),
    [
        (("campaign", "pause", "spring"), "POST /v1/campaigns/spring/pause"),
        (("campaign", "activate", "spring"), "POST /v1/campaigns/spring/activate"),
        (("campaign", "archive", "spring"), "DELETE /v1/campaigns/spring"),
        (("referral", "approve", "ref_1"), "POST /v1/referrals/ref_1/approve"),
        (("referral", "reject", "ref_1", "--reason", "x"), "POST /v1/referrals/ref_1/reject"),
        (("referral", "roll-back", "ref_1", "--reason", "x"), "POST /v1/referrals/ref_1/roll-back"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_a_command_asks_the_api_and_shows_the_answer(api, run, command, request_line, as_json):
    answer = {"id": "some-id", "state": "paused"}
    api.answer(request_line, answer)

    result = run(*command, *(["--json"] if as_json else []))

    assert (result.code, result.err) == (0, "")
    assert [request_line] == [f"{r.method} {r.path}" for r in api.requests]
    assert result.json == answer if as_json else "paused" in result.out


def test_a_campaign_is_shown_as_a_file_that_could_be_applied_again(api, run):
    definition = {"campaign": "spring", "name": "Zoë", "rewards": {"friend": {"amount": 50}}}
    shown = {"campaign": "spring", "version": 3, "state": "paused", "definition": definition}
    api.answer("GET /v1/campaigns/spring", shown)

    assert run("campaign", "show", "spring").out.splitlines() == [
        "# version 3, paused",
        "campaign: spring",
        "name: Zoë",
        "rewards:",
        "  friend:",
        "    amount: 50",
    ]
    assert run("campaign", "show", "spring", "--json").json == shown


def test_a_referral_is_shown_with_its_rewards_and_its_story(api, run):
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
def test_who_refuses_or_takes_back_says_why(api, run, action):
    api.answer(f"POST /v1/referrals/ref_1/{action}", {"id": "ref_1", "state": "rolled_back"})

    assert run("referral", action, "ref_1").code == 2
    assert api.requests == []
    assert run("referral", action, "ref_1", "--reason", "Fraud").code == 0
    assert api.requests[0].json == {"reason": "Fraud"}


def test_a_publication_carries_only_what_was_given(api, run):
    api.answer(
        "POST /v1/campaigns/spring/publications",
        {"code": "S-1", "link": "http://r/S-1", "share": {"whatsapp": "https://wa.me/?text=S-1"}},
    )

    result = run("publish", "spring", "cus_1", "--email", "a@example.com", "--channel", "email")

    assert (api.requests[0].json) == {
        "customer": {"id": "cus_1", "email": "a@example.com"},
        "channel": "email",
    }
    assert "S-1" in result.out
    assert "https://wa.me/?text=S-1" in result.out


def test_mistakes_in_a_campaign_are_json_for_machines(api, run, tmp_path):
    file = tmp_path / "spring.yaml"
    file.write_text(CAMPAIGN.replace("50", "-1"))

    result = run("campaign", "apply", str(file), "--json")
    problem = json.loads(result.err)

    assert (result.code, result.out, api.requests) == (1, "", [])
    assert [(e["field"], e["line"]) for e in problem["errors"]] == [("rewards.friend.amount", 5)]


def test_a_publication_that_is_queued_has_no_code_yet(api, run):
    queued = {"event": None, "state": "queued"}
    api.answer("POST /v1/campaigns/spring/publications", queued, status=202)

    result = run("publish", "spring", "ada")

    assert (result.code, result.out) == (1, "")
    assert "queued" in result.err
    assert "same command again" in result.err
    assert json.loads(run("publish", "spring", "ada", "--json").err)["state"] == "queued"


def test_what_is_done_to_a_referral_may_be_queued(api, run):
    queued = {"event": None, "state": "queued"}
    api.answer("POST /v1/referrals/ref_1/approve", queued, status=202)

    result = run("referral", "approve", "ref_1")

    assert (result.code, result.out) == (
        0,
        "The command is queued: it is kept and done later, once.\n",
    )


@pytest.mark.parametrize("states", [ReferralState, RewardState])
def test_help_lists_the_states(run, states, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    command = "referral" if states is ReferralState else "reward"
    shown = run(command, "list", "--help").out

    assert all(state in shown for state in states)
    assert run(command, "list", "spring", "--state", "lost").code == 2


def test_standard_input_and_directories_are_called_so(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("campaign", "apply", "-", stdin="name: 1").err.startswith(
        "Error: standard input is not a valid campaign."
    )
    assert "is a directory" in run("campaign", "apply", ".").err


def test_lists_can_be_narrowed_to_a_state(api, run):
    rows = [{"id": "rew_1", "customer": "cus_1", "amount": "100", "state": "failed"}]
    api.answer("GET /v1/campaigns/spring/rewards", {"data": rows, "next": None})

    result = run("reward", "list", "spring", "--state", "failed")

    assert api.requests[0].path == "/v1/campaigns/spring/rewards?state=failed&limit=100"
    assert "rew_1" in result.out


def test_a_customer_is_shown_with_wallet(api, run):
    wallet = {"balances": [{"type": "points", "balance": "150"}], "coupons": []}
    api.answer("GET /v1/customers/cus_1", {"id": "cus_1", "email": "a@example.com"})
    api.answer("GET /v1/customers/cus_1/wallet", wallet)
    consents = [{"channel": "email", "state": "given"}]
    api.answer("GET /v1/customers/cus_1/consents", {"data": consents, "next": None})

    people = run("customer", "show", "cus_1")
    machine = run("customer", "show", "cus_1", "--json")

    assert "a@example.com" in people.out
    assert "150" in people.out
    assert "given" in people.out
    shown = {"id": "cus_1", "email": "a@example.com", "wallet": wallet, "consents": consents}
    assert shown == machine.json


def test_an_operator_notes_what_a_customer_has_said(api, run):
    consents = [{"channel": "email", "state": "withdrawn"}]
    api.answer("POST /v1/customers/cus_1/consents", {"data": consents, "next": None})

    result = run("customer", "consent", "cus_1", "withdrawn", "--channel", "email")

    assert api.requests[0].json == {
        "channel": "email",
        "purpose": "marketing",
        "state": "withdrawn",
        "source": "operator",
    }
    assert "withdrawn" in result.out


def test_messages_are_listed_with_why_they_were_not_sent(api, run):
    reason = {"code": "no_consent", "message": "Not consented."}
    rows = [{"id": "msg_1", "state": "failed", "reason": reason}]
    api.answer("GET /v1/campaigns/spring/messages", {"data": rows, "next": None})

    result = run("message", "list", "spring", "--state", "failed")

    assert api.requests[0].path == "/v1/campaigns/spring/messages?state=failed&limit=100"
    assert "no_consent" in result.out


def test_what_is_not_written_to_is_listed_and_lifted(api, run):
    block = {"id": "7", "channel": "whatsapp", "template": None}
    api.answer("GET /v1/blocks", {"data": [block], "next": None})
    api.answer("GET /v1/suppressions", {"data": [{"customer": "cus_1"}], "next": None})
    api.answer("DELETE /v1/blocks/7", b"", 204)
    api.answer("DELETE /v1/customers/cus_1/suppressions/email", b"", 204)

    assert "whatsapp" in run("message", "blocks").out
    assert run("message", "unblock", "7").code == 0
    assert run("message", "suppressions", "--json").json == [{"customer": "cus_1"}]
    assert run("message", "lift", "cus_1", "email").code == 0


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
def test_a_command_that_cannot_be_understood_ends_in_exit_code_2(run, arguments):
    result = run(*arguments)

    assert (result.code, result.out) == (2, "")
    assert result.err
