"""All commands alike: one option has one name, one help and one placeholder, and every command prints JSON."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from entrypoints.cli.main import app

WITHOUT_JSON = {
    "dev": "runs until it is stopped",
    "worker": "runs until it is stopped",
    "api": "runs until it is stopped",
    "qr": "prints an image",
    "campaign schema": "prints JSON only",
}
DIFFERENT = {"--port", "--email", "--name", "--locale", "--channel", "--event"}
"""Options that set different things: of a person to find or to create, of a template, of a server."""
SPECIAL = {("template preview", "--campaign")}
"""Options that select templates, not rows."""


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    command = command or typer.main.get_command(app)
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands(inner, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(commands())


def options(command: Any) -> dict[str, Any]:
    found = [each for each in command.params if each.param_type_name == "option"]
    return {name: option for option in found for name in option.opts if name.startswith("--")}


def test_one_option_has_one_help_and_one_placeholder():
    seen: dict[str, dict[tuple[Any, ...], list[str]]] = defaultdict(lambda: defaultdict(list))
    for path, command in COMMANDS.items():
        for name, option in options(command).items():
            if name not in DIFFERENT and (path, name) not in SPECIAL:
                seen[name][option.help, option.metavar, option.is_flag].append(path)

    assert {name: dict(each) for name, each in seen.items() if len(each) > 1} == {}


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_parameter_has_a_help_and_json_output(path: str):
    command = COMMANDS[path]

    assert command.help
    assert [each.name for each in command.params if not each.help and each.name != "help"] == []
    assert ("--json" in options(command)) != (path in WITHOUT_JSON)


LISTS = {
    "campaign list": "campaigns",
    "campaign versions spring": "campaigns/spring/versions",
    "campaign activity spring": "campaigns/spring/activity",
    "codes list spring": "campaigns/spring/codes",
    "customer list": "customers",
    "delivery list": "deliveries",
    "event refusals": "refusals",
    "message blocks": "blocks",
    "message list spring": "campaigns/spring/messages",
    "message suppressions": "suppressions",
    "referral list spring": "campaigns/spring/referrals",
    "reward list spring": "campaigns/spring/rewards",
    "reward list spring --state failed": "campaigns/spring/rewards",
    "tracked-event list spring": "campaigns/spring/tracked-events",
    "webhook list": "webhooks",
    "workflow-start list": "workflow-starts",
}


@pytest.mark.parametrize("arguments", LISTS)
def test_an_empty_list_says_so(api, run, arguments: str):
    api.answer(f"GET /v1/{LISTS[arguments]}", {"data": [], "next": None})

    assert run(*arguments.split()).out.startswith("There are no ")
    assert run(*arguments.split(), "--json").json == []


def test_every_list_of_rows_is_among_them():
    named = {path for path in COMMANDS if path.endswith((" list", " versions", " activity"))}
    elsewhere = {"coupon list", "key list", "customer activity"}

    assert named - elsewhere == {
        path for path in named if any(each.startswith(path) for each in LISTS)
    }
