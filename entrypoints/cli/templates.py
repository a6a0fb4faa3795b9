"""`referrals template …`: look at messages, and find what is wrong with them before anything is sent."""

import json
import webbrowser
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entrypoints.cli.client import load_settings
from entrypoints.cli.output import (
    Failure,
    Json,
    name_of,
    print_json,
    print_table,
    read_text,
    say,
)

if TYPE_CHECKING:
    from referrals.channels.templates import Templates

app = typer.Typer(no_args_is_help=True, help="Message templates: preview, check.")

Name = Annotated[str, typer.Argument(help="The template's name, as journeys have it.")]
Locale = Annotated[str, typer.Option(help="The reader's locale, such as de-AT.")]
Campaign = Annotated[str | None, typer.Option(help="With this campaign's own templates.")]
Open = Annotated[bool, typer.Option("--open", help="Show the mail in a browser.")]
Meta = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="What Meta answers to GET /{waba}/message_templates."),
]


@app.command("preview")
def preview(
    name: Name,
    locale: Locale = "en",
    campaign: Campaign = None,
    show: Open = False,
    as_json: Json = False,
) -> None:
    """One message by every channel, with example values; the mail goes to a file for a browser."""
    from referrals.channels.errors import TemplateError

    settings = load_settings()
    try:
        told = _told(_templates(settings.templates_dir), name, locale, campaign)
    except TemplateError as error:
        raise Failure(str(error)) from error
    page = settings.data_dir / "previews" / f"{name}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(told["html"], "utf-8")
    if as_json:
        print_json(told)
    else:
        _print(told, page)
    if show:
        webbrowser.open(page.resolve().as_uri())


@app.command("check")
def check(meta: Meta = None, as_json: Json = False) -> None:
    """Find what is wrong with the templates: exit code 1 where there is anything."""
    from referrals.channels.template_checks import check_templates

    approved = _approved(meta) if meta else None
    found = check_templates(_templates(load_settings().templates_dir), approved)
    if as_json:
        print_json([asdict(finding) for finding in found])
    elif found:
        rows = [asdict(finding) | {"line": finding.line or None} for finding in found]
        print_table(rows, {"file": "file", "line": "line", "problem": "problem"})
    else:
        say("Nothing is wrong with the templates.")
    if found:
        raise typer.Exit(1)


def _templates(own: Path | None) -> "Templates":
    from referrals.channels.templates import Templates

    return Templates(own)


def _told(templates: "Templates", name: str, locale: str, campaign: str | None) -> dict[str, Any]:
    from referrals.channels.front_matter import fill_placeholders
    from referrals.channels.template_context import EXAMPLE_CONTEXT

    of_campaign = templates.of(campaign)
    path = of_campaign.find(name, locale)
    rendered = of_campaign.render(name, locale, EXAMPLE_CONTEXT)
    told = {"template": name, "file": str(of_campaign.place(path)), **asdict(rendered)}
    written = of_campaign.front(path).whatsapp
    if rendered.whatsapp and written:
        values = [parameter.text for parameter in rendered.whatsapp.body]
        told["whatsapp"]["text"] = fill_placeholders(written.text, values)
    return told


def _print(told: dict[str, Any], page: Path) -> None:
    say(f"{told['file']} ({told['purpose']})", "bold")
    say(f"Subject: {told['subject']}")
    say(f"Mail: {page}")
    say("Text:", "bold")
    for line in told["text"].splitlines():
        say(line.replace("\N{NO-BREAK SPACE}", " "))
    whatsapp = told["whatsapp"]
    if whatsapp is None:
        return
    meta = f"{whatsapp['template']} ({whatsapp['language']}, {whatsapp['category']})"
    say(f"WhatsApp: {meta}", "bold")
    say(whatsapp["text"])
    rows = [
        {"part": part, "number": number + 1, "type": place["type"], "value": place["text"]}
        for part in ("header", "body")
        for number, place in enumerate(whatsapp[part])
    ]
    rows += [
        {"part": "button", "number": number + 1, "type": "url", "value": suffix}
        for number, suffix in enumerate(whatsapp["buttons"])
    ]
    print_table(rows, {key: key for key in ("part", "number", "type", "value")})


def _approved(file: Path) -> list[dict[str, Any]]:
    """Meta's answer, or the list in it."""
    try:
        answer = json.loads(read_text(file))
    except ValueError as error:
        raise Failure(f"{name_of(file)} is not JSON: {error}") from error
    listed = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise Failure(f"{name_of(file)} has no list of templates.")
    return listed
