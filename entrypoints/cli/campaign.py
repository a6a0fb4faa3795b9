"""`referrals campaign`: apply, list, show, pause, activate and archive campaigns."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.errors import CommandError
from entrypoints.cli.files import InputFile, display_name, read_text
from entrypoints.cli.options import CampaignSlug, JsonOutput, Limit
from entrypoints.cli.output import JsonObject, print_json, print_line, print_table

if TYPE_CHECKING:
    from referrals.domain.campaign import Campaign
    from referrals.errors import FieldError

app = typer.Typer(no_args_is_help=True, help="Manage campaigns.")

COLUMNS = {"campaign": "Campaign", "name": "Name", "state": "State", "version": "Version"}


@app.command()
def apply(file: InputFile, as_json: JsonOutput = False) -> None:
    """Create a campaign from a file, or replace its current version.

    With --json, errors are printed as JSON on standard error.
    """
    text = read_text(file)
    slug = load_valid_campaign(text, file).campaign
    with ApiClient.connect() as client:
        campaign = client.request(
            "PUT",
            api_path("campaigns", slug),
            content=text.encode(),
            headers={"content-type": "application/yaml"},
        )
    if as_json:
        print_json(campaign)
    else:
        print_line(f"{slug}: version {campaign['version']} is {campaign['state']}.")
        if older := campaign.get("journeys_under_older_versions"):
            journeys = "journeys continue" if older > 1 else "journey continues"
            print_line(f"{older} {journeys} under an older version.")


@app.command("list")
def list_campaigns(limit: Limit = 100, as_json: JsonOutput = False) -> None:
    """List campaigns with their state and version."""
    with ApiClient.connect() as client:
        rows = client.rows(api_path("campaigns"), limit)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS)


@app.command()
def show(campaign: CampaignSlug, as_json: JsonOutput = False) -> None:
    """Show a campaign as a file that can be applied again."""
    with ApiClient.connect() as client:
        body = client.get(api_path("campaigns", campaign))
    if as_json:
        print_json(body)
    else:
        _print_yaml(body)


@app.command()
def pause(campaign: CampaignSlug, as_json: JsonOutput = False) -> None:
    """Stop accepting conversions and pause waiting journeys. Accepted referrals continue."""
    _change("POST", campaign, "pause", as_json)


@app.command()
def activate(campaign: CampaignSlug, as_json: JsonOutput = False) -> None:
    """Accept conversions again. Paused journeys resume one after another."""
    _change("POST", campaign, "activate", as_json)


@app.command()
def archive(campaign: CampaignSlug, as_json: JsonOutput = False) -> None:
    """End a campaign and its journeys. Its records are kept."""
    _change("DELETE", campaign, None, as_json)


def _change(method: str, campaign: str, action: str | None, as_json: bool) -> None:
    with ApiClient.connect() as client:
        body = client.request(method, api_path("campaigns", campaign, *filter(None, [action])))
    if as_json:
        print_json(body)
    else:
        print_line(f"{campaign} is {body['state'] if body else 'archived'}.")


def _print_yaml(campaign: JsonObject) -> None:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    print_line(f"# version {campaign['version']}, {campaign['state']}")
    yaml.dump(campaign["definition"], sys.stdout)


def load_valid_campaign(text: str, file: Path) -> "Campaign":
    """Parse a campaign file. Raises CommandError that lists each mistake with its line."""
    from referrals.campaign_file import load_campaign
    from referrals.errors import CampaignError

    try:
        return load_campaign(text)
    except CampaignError as error:
        message = f"{display_name(file)} is not a valid campaign."
        details = [_describe_field_error(file, field_error) for field_error in error.errors]
        errors = [asdict(field_error) for field_error in error.errors]
        raise CommandError(message, details, {"title": message, "errors": errors}) from error


def _describe_field_error(file: Path, error: "FieldError") -> str:
    name = display_name(file)
    location = f"{name}:{error.line}" if error.line else name
    return ": ".join(filter(None, (location, error.field, error.message)))
