"""`referrals campaign`."""

import json

from referrals.campaign_schema import campaign_schema

CAMPAIGN = """\
campaign: spring
name: Spring
landing_url: https://shop.example/welcome
rewards:
  friend: {type: points, amount: 50}
"""


APPLIED = {
    "campaign": "spring",
    "version": 2,
    "state": "running",
    "changes": [],
    "effects": [],
    "dry_run": False,
}


def test_apply_sends_the_text_of_the_file_to_its_slug(api, run, tmp_path):
    file = tmp_path / "spring.yaml"
    file.write_text(CAMPAIGN)
    api.answer("PUT /v1/campaigns/spring", APPLIED)

    result = run("campaign", "apply", str(file))

    assert (result.code, result.out) == (0, "spring: version 2 is running.\n")
    assert CAMPAIGN.encode() == api.requests[0].body
    assert api.requests[0].headers["content-type"] == "application/yaml"


EDIT = APPLIED | {
    "changes": [{"message": "name changes from Spring to Sommer"}],
    "effects": [{"message": "2 referrals under way: each continues."}],
}


def test_apply_shows_what_changes_and_what_it_means(api, run):
    api.answer("PUT /v1/campaigns/spring", EDIT)

    assert run("campaign", "apply", "-", stdin=CAMPAIGN).out.splitlines() == [
        "spring: version 2 is running.",
        "  name changes from Spring to Sommer",
        "  2 referrals under way: each continues.",
    ]


def test_a_dry_run_says_that_nothing_was_changed(api, run):
    dry = EDIT | {"dry_run": True}
    api.answer("PUT /v1/campaigns/spring", dry)
    api.answer("POST /v1/campaigns/spring/versions/1/restore", dry)

    for command in (("apply", "-"), ("restore", "spring", "1")):
        lines = run("campaign", *command, "--dry-run", stdin=CAMPAIGN).out.splitlines()
        assert (lines[0], lines[-1]) == (
            "spring: version 2 would be running.",
            "Nothing was changed.",
        )
    assert run("campaign", "restore", "spring", "1", "--dry-run", "--json").json == dry
    assert all(request.path.endswith("?dry_run=true") for request in api.requests)


def test_versions_are_listed_and_shown(api, run):
    row = {"version": 1, "in_force": False, "applied_at": "2026-03-04T10:00:00Z"}
    row |= {"applied_by": "shop"}
    api.answer("GET /v1/campaigns/spring/versions", {"data": [row], "next": None})
    api.answer("GET /v1/campaigns/spring/versions/1", {"campaign": "spring"})

    assert "2026-03-04 10:00:00Z" in run("campaign", "versions", "spring").out
    shown = run("campaign", "show", "spring", "--version", "1").out
    assert shown == "# version 1\ncampaign: spring\n"


def test_apply_reads_standard_input(api, run):
    api.answer("PUT /v1/campaigns/spring", APPLIED)

    assert run("campaign", "apply", "-", stdin=CAMPAIGN).code == 0


def test_apply_reports_mistakes_by_file_and_line_and_sends_nothing(api, run, tmp_path):
    file = tmp_path / "spring.yaml"
    file.write_text(CAMPAIGN.replace("50", "-1").replace("name: Spring\n", "nmae: Spring\n"))

    result = run("campaign", "apply", str(file))

    assert (result.code, result.out, api.requests) == (1, "", [])
    assert f"{file}:5: rewards.friend.amount: " in result.err
    assert f"{file}:2: nmae: " in result.err


def test_apply_reports_mistakes_as_json(api, run, tmp_path):
    file = tmp_path / "spring.yaml"
    file.write_text(CAMPAIGN.replace("50", "-1"))

    result = run("campaign", "apply", str(file), "--json")
    problem = json.loads(result.err)

    assert (result.code, result.out, api.requests) == (1, "", [])
    assert [(e["field"], e["line"]) for e in problem["errors"]] == [("rewards.friend.amount", 5)]


def test_the_schema_is_printed_without_a_server(run):
    result = run("campaign", "schema")

    assert (result.code, json.loads(result.out)) == (0, campaign_schema())


def test_show_prints_a_file_that_can_be_applied(api, run):
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


def test_errors_name_standard_input_and_directories(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("campaign", "apply", "-", stdin="name: 1").err.startswith(
        "Error: standard input is not a valid campaign."
    )
    assert "is a directory" in run("campaign", "apply", ".").err
