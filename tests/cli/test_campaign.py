"""`referrals campaign`."""

import json

import pytest

CAMPAIGN = """\
campaign: spring
name: Spring
landing_url: https://shop.example/welcome
rewards:
  friend: {type: points, amount: 50}
"""


def test_apply_sends_the_text_of_the_file_to_its_slug(api, run, tmp_path):
    file = tmp_path / "spring.yaml"
    file.write_text(CAMPAIGN)
    api.answer("PUT /v1/campaigns/spring", {"campaign": "spring", "version": 2, "state": "running"})

    result = run("campaign", "apply", str(file))

    assert (result.code, result.out) == (0, "spring: version 2 is running.\n")
    assert CAMPAIGN.encode() == api.requests[0].body
    assert api.requests[0].headers["content-type"] == "application/yaml"


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (0, ""),
        (1, "1 journey continues under an older version.\n"),
        (12, "12 journeys continue under an older version.\n"),
    ],
)
def test_apply_reports_journeys_of_older_versions(api, run, number, line):
    answer = {"campaign": "spring", "version": 2, "state": "running"}
    counted = answer | {"journeys_under_older_versions": number}
    api.answer("PUT /v1/campaigns/spring", counted)

    result = run("campaign", "apply", "-", stdin=CAMPAIGN)

    assert result.out == f"spring: version 2 is running.\n{line}"


def test_apply_reads_standard_input(api, run):
    api.answer("PUT /v1/campaigns/spring", {"campaign": "spring", "version": 1, "state": "running"})

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
