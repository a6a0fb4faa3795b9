"""`referrals template`: preview and check message templates."""

import json
import webbrowser
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entrypoints.cli.client import ApiClient, api_path, load_settings
from entrypoints.cli.errors import CommandError
from entrypoints.cli.files import display_name, read_text
from entrypoints.cli.options import JsonOutput
from entrypoints.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from referrals.channels.templates import Templates

app = typer.Typer(no_args_is_help=True, help="Preview and check message templates.")

Name = Annotated[str, typer.Argument(help="Name of the template, as in the campaign file.")]
Locale = Annotated[str, typer.Option(help="Locale of the recipient, such as de-AT.")]
Campaign = Annotated[
    str | None, typer.Option(help="Use the templates of this campaign if it has its own.")
]
Open = Annotated[bool, typer.Option("--open", help="Open the email in a browser.")]
MetaFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Compare with Meta's response to GET /{waba}/message_templates in this file.",
    ),
]

TemplatesDir = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIRECTORY",
        help="Check this directory of templates, whatever the running engine uses.",
    ),
]

FINDING_COLUMNS = {"file": "File", "line": "Line", "problem": "Problem"}
PARAMETER_COLUMNS = {"part": "Part", "number": "Number", "type": "Type", "value": "Value"}


@app.command()
def preview(
    name: Name,
    locale: Locale = "en",
    campaign: Campaign = None,
    show: Open = False,
    as_json: JsonOutput = False,
) -> None:
    """Render a message for every channel with example values. The email is written to a file."""
    from referrals.channels.errors import TemplateError

    settings = load_settings()
    try:
        message = _render(_load_templates(settings.templates_dir), name, locale, campaign)
    except TemplateError as error:
        raise CommandError(str(error)) from error
    page = settings.data_dir / "previews" / f"{name}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(message["html"], "utf-8")
    if as_json:
        print_json(message)
    else:
        _print_message(message, page)
    if show:
        webbrowser.open(page.resolve().as_uri())


@app.command()
def check(
    meta: MetaFile = None, directory: TemplatesDir = None, as_json: JsonOutput = False
) -> None:
    """Check all templates: those of the running engine if there is one, else those of this shell.

    Says which were checked. Exit code 1 if there is a problem.
    """
    settings = load_settings()
    approved = _read_approved(meta) if meta else None
    client = None if directory else ApiClient.find(settings)
    if client is None:
        folder = directory or settings.templates_dir
        checked, findings = _name(folder), _check_here(folder, approved)
    else:
        with client:
            found = client.post(api_path("templates", "check"), {"approved": approved})
        checked = f"{_name(found['templates'])} of {client.url}"
        findings = found["problems"]
    if as_json:
        print_json({"checked": checked, "problems": findings})
    elif findings:
        rows = [finding | {"line": finding["line"] or None} for finding in findings]
        print_table(rows, FINDING_COLUMNS)
        print_line(f"Checked: {checked}.")
    else:
        print_line(f"All templates are valid. Checked: {checked}.")
    if findings:
        raise typer.Exit(1)


def _name(folder: object) -> str:
    return f"{folder} and the built-in templates" if folder else "the built-in templates"


def _check_here(
    folder: Path | None, approved: Sequence[dict[str, Any]] | None
) -> list[dict[str, Any]]:
    from referrals.channels.template_checks import check_templates

    return [asdict(finding) for finding in check_templates(_load_templates(folder), approved)]


def _load_templates(directory: Path | None) -> "Templates":
    from referrals.channels.templates import BUILTIN_DIR, Templates

    templates = Templates(directory)
    if not templates.for_campaign(None).files():
        directories = " or ".join(str(path) for path in (directory, BUILTIN_DIR) if path)
        raise CommandError(f"There are no templates in {directories}.")
    return templates


def _render(templates: "Templates", name: str, locale: str, campaign: str | None) -> dict[str, Any]:
    """Return the message as JSON, with the text of its WhatsApp template filled in."""
    from referrals.channels.front_matter import fill_placeholders
    from referrals.channels.template_context import EXAMPLE_CONTEXT

    available = templates.for_campaign(campaign)
    path = available.find(name, locale)
    content = available.render(name, locale, EXAMPLE_CONTEXT)
    message = {"template": name, "file": str(available.file_path(path)), **asdict(content)}
    whatsapp = available.front_matter(path).whatsapp
    if content.whatsapp and whatsapp:
        values = [parameter.text for parameter in content.whatsapp.body]
        message["whatsapp"]["text"] = fill_placeholders(whatsapp.text, values)
    return message


def _print_message(message: dict[str, Any], page: Path) -> None:
    print_line(f"{message['file']} ({message['purpose']})", "bold")
    print_line(f"Subject: {message['subject']}")
    print_line(f"Email: {page}")
    print_line("Text:", "bold")
    for line in message["text"].splitlines():
        print_line(line.replace("\N{NO-BREAK SPACE}", " "))
    if message["whatsapp"] is not None:
        _print_whatsapp(message["whatsapp"])
    if message["http"] is not None:
        print_line("HTTP:", "bold")
        print_line(message["http"]["text"])
        for name, value in message["http"]["data"].items():
            print_line(f"{name}: {value}")


def _print_whatsapp(message: dict[str, Any]) -> None:
    title = f"{message['template']} ({message['language']}, {message['category']})"
    print_line(f"WhatsApp: {title}", "bold")
    print_line(message["text"])
    rows = [
        {"part": part, "number": number, "type": parameter["type"], "value": parameter["text"]}
        for part in ("header", "body")
        for number, parameter in enumerate(message[part], 1)
    ]
    rows += [
        {"part": "button", "number": number, "type": "url", "value": suffix}
        for number, suffix in enumerate(message["buttons"], 1)
    ]
    print_table(rows, PARAMETER_COLUMNS)


def _read_approved(file: Path) -> Sequence[dict[str, Any]]:
    """Read Meta's list of templates, with or without the object around it."""
    try:
        response = json.loads(read_text(file))
    except ValueError as error:
        raise CommandError(f"{display_name(file)} is not valid JSON.") from error
    templates = response.get("data") if isinstance(response, dict) else response
    if not isinstance(templates, list) or not all(isinstance(each, dict) for each in templates):
        raise CommandError(f"{display_name(file)} contains no list of templates.")
    return templates
