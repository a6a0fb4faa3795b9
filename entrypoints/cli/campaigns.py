"""`referrals campaign …`: the programmes and their rules."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.client import Api, load_settings, path
from entrypoints.cli.output import (
    Failure,
    InputFile,
    Json,
    Row,
    name_of,
    print_json,
    print_table,
    read_text,
    say,
)

if TYPE_CHECKING:
    from referrals.domain.campaign import Campaign as Definition
    from referrals.errors import FieldError

app = typer.Typer(
    no_args_is_help=True, help="Campaigns: apply, list, show, pause, activate, archive."
)

Campaign = Annotated[str, typer.Argument(help="The campaign's slug.")]
Limit = Annotated[int, typer.Option(min=1, help="How many to show at most.")]


@app.command()
def apply(file: InputFile, as_json: Json = False) -> None:
    """Create a campaign, or put a new version of it in force.

    With --json, mistakes are JSON on standard error; exit code 1.
    """
    text = read_text(file)
    slug = load_valid(text, file).campaign
    with Api.of(load_settings()) as api:
        campaign = api.call(
            "PUT",
            path("campaigns", slug),
            content=text.encode(),
            headers={"content-type": "application/yaml"},
        )
    if as_json:
        print_json(campaign)
    else:
        say(f"{slug}: version {campaign['version']} is {campaign['state']}.")
        if older := campaign.get("journeys_under_older_versions"):
            say(f"{older} journey{'s go' if older > 1 else ' goes'} on under an older version.")


@app.command("list")
def list_campaigns(limit: Limit = 100, as_json: Json = False) -> None:
    """The campaigns, with their state and version."""
    with Api.of(load_settings()) as api:
        rows = api.rows(path("campaigns"), limit)
    if as_json:
        print_json(rows)
    else:
        print_table(
            rows, {"campaign": "Campaign", "name": "Name", "state": "State", "version": "Version"}
        )


@app.command()
def show(campaign: Campaign, as_json: Json = False) -> None:
    """One campaign, with all its rules."""
    with Api.of(load_settings()) as api:
        answer = api.get(path("campaigns", campaign))
    if as_json:
        print_json(answer)
    else:
        _print_yaml(answer)


@app.command()
def pause(campaign: Campaign, as_json: Json = False) -> None:
    """Stop accepting conversions and hold the journeys that wait; running referrals go on."""
    _change("POST", campaign, "pause", as_json)


@app.command()
def activate(campaign: Campaign, as_json: Json = False) -> None:
    """Accept conversions again; held journeys go on, one after another."""
    _change("POST", campaign, "activate", as_json)


@app.command()
def archive(campaign: Campaign, as_json: Json = False) -> None:
    """End the campaign and its journeys; what it has recorded stays."""
    _change("DELETE", campaign, None, as_json)


def _change(method: str, campaign: str, action: str | None, as_json: bool) -> None:
    with Api.of(load_settings()) as api:
        answer = api.call(method, path("campaigns", campaign, *filter(None, [action])))
    if as_json:
        print_json(answer)
    else:
        say(f"{campaign} is {answer['state'] if answer else 'archived'}.")


def _print_yaml(campaign: Row) -> None:
    """As a file that could be applied again."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    say(f"# version {campaign['version']}, {campaign['state']}")
    yaml.dump(campaign["definition"], sys.stdout)


def load_valid(text: str, file: Path) -> "Definition":
    """The campaign that the file describes. Raises Failure that names each mistake and its line."""
    from referrals.campaign_file import load_campaign
    from referrals.errors import CampaignError

    try:
        return load_campaign(text)
    except CampaignError as error:
        sentence = f"{name_of(file)} is not a valid campaign."
        particulars = [_at(file, problem) for problem in error.errors]
        errors = [asdict(problem) for problem in error.errors]
        raise Failure(sentence, particulars, {"title": sentence, "errors": errors}) from error


def _at(file: Path, problem: "FieldError") -> str:
    where = f"{name_of(file)}:{problem.line}" if problem.line else name_of(file)
    return ": ".join(filter(None, (where, problem.field, problem.message)))
