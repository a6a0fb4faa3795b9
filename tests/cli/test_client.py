"""Address and key of the API client, and the errors that it reports."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

LIST = "GET /v1/campaigns"
EMPTY = {"data": [], "next": None}


def test_problem_document_is_printed_field_by_field_on_standard_error(api, run):
    problem = {
        "type": "https://referrals.example/problems/invalid-campaign",
        "title": "The campaign is not valid",
        "status": 422,
        "detail": "rewards.friend.amount: must be more than zero (and 1 more)",
        "errors": [
            {"field": "rewards.friend.amount", "message": "must be more than zero", "line": 12},
            {"field": "landing_url", "message": "is required"},
        ],
    }
    api.answer(LIST, problem, status=422)

    result = run("campaign", "list")

    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines() == [
        "Error: The campaign is not valid",
        "  line 12: rewards.friend.amount: must be more than zero",
        "  landing_url: is required",
    ]


def test_problem_without_fields_is_printed_with_its_detail(api, run):
    problem = {"title": "Not possible", "status": 409, "detail": "It is archived."}
    api.answer("POST /v1/campaigns/spring/activate", problem, status=409)

    assert run("campaign", "activate", "spring").err == "Error: It is archived.\n"


def test_other_error_response_is_printed_with_its_status(api, run):
    api.answer(LIST, b"<html>Bad Gateway</html>", status=502)

    result = run("campaign", "list")

    assert result.code == 1
    assert f"{api.url}/v1/campaigns" in result.err
    assert "502" in result.err


def test_connection_error_suggests_fixes(run, monkeypatch, unused_port):
    monkeypatch.setenv("REFERRALS_API_URL", f"http://127.0.0.1:{unused_port}")

    result = run("campaign", "list")

    assert result.code == 1
    assert f"Cannot connect to the API at http://127.0.0.1:{unused_port}" in result.err
    assert "referrals dev" in result.err
    assert "REFERRALS_API_URL" in result.err


def test_connection_error_names_the_source_of_the_address(run, monkeypatch, tmp_path):
    monkeypatch.setattr("entrypoints.cli.client.DEFAULT_URL", "http://127.0.0.1:3")
    file = tmp_path / "data" / "api-url"
    by_default = run("campaign", "list").err
    file.parent.mkdir()
    file.write_text("http://127.0.0.1:1")
    of_dev = run("campaign", "list").err
    monkeypatch.setenv("REFERRALS_API_URL", "http://127.0.0.1:2")
    given = run("campaign", "list").err

    assert "http://127.0.0.1:1 (from " + str(file) + ")" in of_dev
    assert "http://127.0.0.1:2 (from REFERRALS_API_URL)" in given
    assert f"(the default; REFERRALS_API_URL is not set and {file} does not exist)" in by_default
    assert "REFERRALS_DATA_DIR" in of_dev


def test_authentication_error_names_the_source_of_the_key(api, run, monkeypatch, tmp_path):
    file = tmp_path / "data" / "api-key"
    problem = {"title": "Unauthorised", "status": 401, "detail": "Send a key as a header."}
    api.answer(LIST, problem, status=401)
    without = run("campaign", "list").err
    file.parent.mkdir()
    file.write_text("key-of-dev")
    of_dev = run("campaign", "list").err
    monkeypatch.setenv("REFERRALS_API_KEY", "my-key")
    given = run("campaign", "list").err

    assert f"{api.url} (from REFERRALS_API_URL) requires an API key" in without
    assert f"REFERRALS_API_KEY is not set and {file} does not exist" in without
    assert f"rejected the API key from {file}" in of_dev
    assert "rejected the API key from REFERRALS_API_KEY" in given
    assert all("REFERRALS_DATA_DIR" in err for err in (without, of_dev, given))
    assert not any("key-of-dev" in err or "my-key" in err for err in (of_dev, given))


def test_errors_are_json_with_the_json_option(api, run):
    problem = {"title": "Not possible", "status": 409, "detail": "It is archived."}
    api.answer("POST /v1/campaigns/spring/activate", problem, status=409)

    refused = run("campaign", "activate", "spring", "--json")
    missing = run("key", "list", "--json")

    assert (refused.code, refused.out, json.loads(refused.err)) == (1, "", problem)
    assert missing.code == 1
    assert "does not exist" in json.loads(missing.err)["title"]


def test_address_and_key_of_dev_are_used(api, run, monkeypatch, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "api-url").write_text(api.url)
    (data / "api-key").write_text("the-key\n")
    monkeypatch.delenv("REFERRALS_API_URL")
    api.answer(LIST, EMPTY)

    assert run("campaign", "list").code == 0
    assert api.requests[0].headers["authorization"] == "Bearer the-key"


def test_environment_takes_precedence_over_dev(api, run, monkeypatch, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "api-url").write_text("http://127.0.0.1:1")
    (data / "api-key").write_text("the-key-of-dev")
    monkeypatch.setenv("REFERRALS_API_KEY", "my-key")
    api.answer(LIST, EMPTY)

    assert run("campaign", "list").code == 0
    assert api.requests[0].headers["authorization"] == "Bearer my-key"


def test_local_hosts_are_reached_without_a_proxy(api, run, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    api.answer(LIST, EMPTY)

    assert run("campaign", "list").code == 0


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "http://[", "ftp://127.0.0.1"])
def test_invalid_address_is_reported_without_a_traceback(run, monkeypatch, url):
    monkeypatch.setenv("REFERRALS_API_URL", url)

    result = run("campaign", "list")

    assert result.code == 1
    assert result.err.startswith("Error: ")


def test_invalid_setting_is_named_by_its_variable(run, monkeypatch):
    monkeypatch.setenv("REFERRALS_DATABASE_URL", "oracle://somewhere")

    result = run("campaign", "list")

    assert result.code == 1
    assert "REFERRALS_DATABASE_URL: unknown database 'oracle'" in result.err


def test_ids_are_escaped_in_paths(api, run):
    run("customer", "show", "a/b?c@d e")

    assert api.requests[0].path == "/v1/customers/a%2Fb%3Fc%40d%20e"


def test_lists_are_read_page_by_page_up_to_the_limit(api, run):
    def page(request):
        start = int(request.path.rpartition("after=")[2]) if "after=" in request.path else 0
        rows = [{"campaign": f"c{number}"} for number in range(start, start + 200)]
        return {"data": rows, "next": str(start + 200)}

    api.answer(LIST, page)

    rows = run("campaign", "list", "--limit", "450", "--json").json

    assert [f"c{number}" for number in range(450)] == [row["campaign"] for row in rows]
    assert len(api.requests) == 3


def test_text_cannot_control_the_terminal(api, run):
    api.answer(LIST, {"data": [{"campaign": "c", "name": "\x1b]0;owned\x07[red]"}], "next": None})

    result = run("campaign", "list")

    assert "\x1b" not in result.out
    assert "]0;owned\N{REPLACEMENT CHARACTER}[red]" in result.out


def test_json_output_is_ascii_and_complete(api, run):
    rows = [{"campaign": "c", "name": "Zoë \N{GRINNING FACE} \x1b"}]
    api.answer(LIST, {"data": rows, "next": None})

    result = run("campaign", "list", "--json")

    assert result.out.isascii()
    assert rows == json.loads(result.out)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_help_imports_no_heavy_packages():
    """Commands import what they need when they run, so that --help is quick."""
    heavy = "{'temporalio', 'sqlalchemy', 'fastapi', 'httpx', 'pydantic'}"
    code = f"import sys, entrypoints.cli.main; print({heavy} & set(sys.modules))"
    root = Path(__file__).parents[2]

    assert subprocess.check_output([sys.executable, "-c", code], cwd=root) == b"set()\n"
