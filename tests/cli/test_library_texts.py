"""No text of a library reaches the terminal, whatever is wrong: input, settings, files, database or API."""

import json
from pathlib import Path

import pytest

from entrypoints.cli.database import describe_database_error
from tests.harness.library_texts import library_text

MISTAKES: dict[str, tuple[list[str], dict[str, str], str]] = {
    "event that is not JSON": (["event", "send", "-"], {}, '{"id": }'),
    "event with an open text": (["event", "send", "-"], {}, '{"id": "x'),
    "event list with more behind it": (["event", "send", "-"], {}, "[] x"),
    "campaign that is not YAML": (["campaign", "apply", "-"], {}, "a: b: c"),
    "campaign without anything": (["campaign", "apply", "-"], {}, "{}"),
    "campaign of wrong types": (
        ["campaign", "apply", "-"],
        {},
        "campaign: [1]\nname: 3\nrewards: {tiers: []}\nlimits: {budget: {points: x}}\nlanding_url: 3",
    ),
    "API that is not there": (["campaign", "list"], {"API_URL": "http://127.0.0.1:1"}, ""),
    "API that is no URL": (["campaign", "list"], {"API_URL": "http://[::1"}, ""),
    "API without a scheme": (["campaign", "list"], {"API_URL": "shop.example"}, ""),
    "database that is no URL": (["key", "list"], {"DATABASE_URL": "x"}, ""),
    "database that is a directory": (["key", "list"], {"DATABASE_URL": "sqlite:////"}, ""),
    "database without tables": (["key", "list"], {"DATABASE_URL": "sqlite:////dev/null"}, ""),
    "server that is not there": (
        ["key", "list"],
        {"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/x"},
        "",
    ),
    "settings": (
        ["campaign", "list"],
        {"MESSAGES_PER_SECOND": "0", "EVENTS_MAX_AGE": "x", "QUIET_HOURS": "3", "LOG_FORMAT": "y"},
        "",
    ),
    "template that is missing": (["template", "preview", "nothing"], {}, ""),
    "list of Meta's": (["template", "check", "--meta", "/dev/null"], {}, ""),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_mistake_is_reported_in_our_words(run, monkeypatch, mistake: str, as_json: bool):
    arguments, settings, stdin = MISTAKES[mistake]
    for name, value in settings.items():
        monkeypatch.setenv(f"REFERRALS_{name}", value)
    result = run(*arguments, *(["--json"] if as_json else []), stdin=stdin)

    assert result.code in (1, 2)
    assert result.err
    assert library_text(result.out + result.err) is None, result.err
    if as_json and result.code == 1:
        assert json.loads(result.err)["title"]


@pytest.mark.parametrize(
    "text",
    [
        "(sqlite3.OperationalError) database is locked",
        "(sqlite3.OperationalError) no such table: campaigns",
        '(asyncpg.exceptions.InvalidPasswordError) password authentication failed for user "a"',
        "[Errno 111] Connect call failed",
        "something that nobody has thought of",
    ],
)
def test_an_error_of_the_database_is_in_our_words(text: str):
    message = describe_database_error(OSError(text))

    assert message
    assert library_text(message) is None


def test_a_file_that_cannot_be_read_is_named(run, tmp_path: Path):
    file = tmp_path / "campaign.yaml"
    file.write_text("x")
    file.chmod(0)
    result = run("campaign", "apply", str(tmp_path))

    assert result.code == 2
    assert library_text(result.err) is None
