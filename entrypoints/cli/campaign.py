"""`referrals campaign`: apply, restore, list, show, pause, activate, archive and delete campaigns, and print their schema."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.activity import print_activity
from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.errors import CommandError
from entrypoints.cli.files import InputFile, display_name, read_text
from entrypoints.cli.options import CampaignSlug, JsonOutput, Limit, OfCustomer
from entrypoints.cli.output import (
    JsonObject,
    print_details,
    print_json,
    print_line,
    print_rows,
)

if TYPE_CHECKING:
    from referrals.domain.campaign import Campaign
    from referrals.errors import FieldError

app = typer.Typer(no_args_is_help=True, help="Manage campaigns.")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]
Version = Annotated[int, typer.Argument(min=1, help="Number of the version.")]
COLUMNS = {"campaign": "Campaign", "name": "Name", "state": "State", "version": "Version"}
VERSION_COLUMNS = {
    "version": "Version",
    "in_force": "In force",
    "applied_at": "Applied at",
    "applied_by": "Applied by",
}


@app.command()
def apply(file: InputFile, dry_run: DryRun = False, as_json: JsonOutput = False) -> None:
    """Create a campaign from a file, or replace its current version. Shows what changes.

    Refused if advocates would be paid again. With --json, errors are printed as JSON on standard error.
    """
    text = read_text(file)
    slug = load_valid_campaign(text, file).campaign
    with ApiClient.connect() as client, _errors_of(file):
        campaign = client.request(
            "PUT",
            api_path("campaigns", slug),
            params=_dry_run_params(dry_run=dry_run),
            content=text.encode(),
            headers={"content-type": "application/yaml"},
        )
    _print_applied(campaign, as_json=as_json)


@app.command()
def versions(campaign: CampaignSlug, limit: Limit = 100, as_json: JsonOutput = False) -> None:
    """List the versions of a campaign."""
    with ApiClient.connect() as client:
        rows = client.rows(api_path("campaigns", campaign, "versions"), limit)
    print_rows(rows, VERSION_COLUMNS, what="versions", as_json=as_json)


@app.command()
def restore(
    campaign: CampaignSlug, version: Version, dry_run: DryRun = False, as_json: JsonOutput = False
) -> None:
    """Apply an earlier version again, as a new version. Shows what changes."""
    path = api_path("campaigns", campaign, "versions", str(version), "restore")
    with ApiClient.connect() as client:
        body = client.request("POST", path, params=_dry_run_params(dry_run=dry_run))
    _print_applied(body, as_json=as_json)


def _dry_run_params(*, dry_run: bool) -> dict[str, str]:
    return {"dry_run": "true"} if dry_run else {}


def _print_applied(campaign: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(campaign)
        return
    is_or_would_be = "would be" if campaign["dry_run"] else "is"
    print_line(
        f"{campaign['campaign']}: version {campaign['version']} {is_or_would_be} {campaign['state']}."
    )
    for change in campaign["changes"]:
        print_line(f"  {change['message']}")
    for effect in campaign["effects"]:
        print_line(f"  {effect['message']}")
    if campaign["dry_run"]:
        print_line("Nothing was changed.")


@app.command("list")
def list_campaigns(limit: Limit = 100, as_json: JsonOutput = False) -> None:
    """List campaigns with their state and version."""
    with ApiClient.connect() as client:
        rows = client.rows(api_path("campaigns"), limit)
    print_rows(rows, COLUMNS, what="campaigns", as_json=as_json)


@app.command()
def show(
    campaign: CampaignSlug,
    version: Annotated[int | None, typer.Option(help="Show an earlier version.")] = None,
    as_json: JsonOutput = False,
) -> None:
    """Show a campaign as a file that can be applied again."""
    with ApiClient.connect() as client:
        if version is None:
            body = client.get(api_path("campaigns", campaign))
            heading, definition = f"version {body['version']}, {body['state']}", body["definition"]
        else:
            body = client.get(api_path("campaigns", campaign, "versions", str(version)))
            heading, definition = f"version {version}", body
    if as_json:
        print_json(body)
    else:
        _print_yaml(heading, definition)


@app.command()
def summary(campaign: CampaignSlug, as_json: JsonOutput = False) -> None:
    """Show a campaign's numbers: codes, clicks, conversions, rewards, and what waits for an operator."""
    with ApiClient.connect() as client:
        body = client.get(api_path("campaigns", campaign, "summary"))
    (print_json if as_json else print_details)(body)


@app.command()
def activity(
    campaign: CampaignSlug,
    customer: OfCustomer = None,
    limit: Limit = 100,
    as_json: JsonOutput = False,
) -> None:
    """Show what happened in a campaign, newest first."""
    print_activity(campaign, customer, limit, as_json=as_json)


@app.command()
def pause(campaign: CampaignSlug, as_json: JsonOutput = False) -> None:
    """Stop accepting conversions and pause waiting journeys. Accepted referrals continue."""
    _change(campaign, "pause", as_json)


@app.command()
def activate(campaign: CampaignSlug, as_json: JsonOutput = False) -> None:
    """Accept conversions again. Paused journeys resume one after another."""
    _change(campaign, "activate", as_json)


@app.command()
def archive(campaign: CampaignSlug, as_json: JsonOutput = False) -> None:
    """End a campaign and its journeys. Its records are kept."""
    _change(campaign, "archive", as_json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of campaign files, by which an editor completes and checks them.

    Save it as campaign.schema.json, and begin the file with "# yaml-language-server: $schema=campaign.schema.json".
    """
    from referrals.campaign_schema import campaign_schema

    print_json(campaign_schema())


@app.command()
def delete(campaign: CampaignSlug, as_json: JsonOutput = False) -> None:
    """Delete a campaign that was applied by mistake. Refused once it has codes or other records: archive it then."""
    with ApiClient.connect() as client:
        client.request("DELETE", api_path("campaigns", campaign))
    if as_json:
        print_json({"campaign": campaign, "deleted": True})
    else:
        print_line(f"{campaign} is deleted.")


def _change(campaign: str, action: str, as_json: bool) -> None:
    with ApiClient.connect() as client:
        body = client.post(api_path("campaigns", campaign, action))
    if as_json:
        print_json(body)
    else:
        print_line(f"{campaign} is {body['state']}.")


def _print_yaml(heading: str, definition: JsonObject) -> None:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    print_line(f"# {heading}")
    yaml.dump(definition, sys.stdout)


@contextmanager
def _errors_of(file: Path) -> Iterator[None]:
    """Name the file in the errors that the API finds in it."""
    from referrals.errors import FieldError

    try:
        yield
    except CommandError as error:
        if not error.problem or not error.problem.get("errors"):
            raise
        found = [FieldError(**item) for item in error.problem["errors"]]
        details = [describe_field_error(file, item) for item in found]
        raise CommandError(str(error), details, error.problem) from error


def load_valid_campaign(text: str, file: Path) -> "Campaign":
    """Parse a campaign file. Raises CommandError that lists each mistake with its line."""
    from referrals.campaign_file import load_campaign
    from referrals.errors import CampaignError

    try:
        return load_campaign(text)
    except CampaignError as error:
        message = f"{display_name(file)} is not a valid campaign."
        details = [describe_field_error(file, field_error) for field_error in error.errors]
        errors = [asdict(field_error) for field_error in error.errors]
        raise CommandError(message, details, {"title": message, "errors": errors}) from error


def describe_field_error(file: Path, error: "FieldError") -> str:
    name = display_name(file)
    location = f"{name}:{error.line}" if error.line else name
    return ": ".join(filter(None, (location, error.field, error.message)))
