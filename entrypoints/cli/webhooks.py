"""`referrals webhook …`: where events go out to."""

from typing import Annotated

import typer

from entrypoints.cli.client import Api, load_settings, path
from entrypoints.cli.output import (
    Failure,
    Json,
    Row,
    print_details,
    print_json,
    print_table,
    say,
)
from entrypoints.cli.referral import Limit

app = typer.Typer(
    no_args_is_help=True,
    help="Webhooks: create, list, show, test, enable, disable, rotate, replay, delete.",
)

Id = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id.")]
Events = Annotated[
    list[str] | None, typer.Option("--event", help="A type of event; again for more. Else all.")
]

WEBHOOK = {
    "id": "Webhook",
    "url": "URL",
    "campaign": "Campaign",
    "enabled": "Enabled",
    "reason": "Why not",
    "failing_since": "Failing since",
    "pending": "Pending",
}
DELIVERY = {
    "id": "Delivery",
    "event": "Event",
    "type": "Type",
    "state": "State",
    "attempts": "Attempts",
    "error": "Last error",
    "due_at": "Next attempt",
}


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="Where events are posted to.")],
    event: Events = None,
    campaign: Annotated[str | None, typer.Option(help="Only what happens in this one.")] = None,
    as_json: Json = False,
) -> None:
    """Subscribe an address. Its secret is shown this once."""
    answer = _post(None, None, {"url": url, "events": event or None, "campaign": campaign})
    _print_secret(answer, as_json)


@app.command("list")
def list_webhooks(limit: Limit = 100, as_json: Json = False) -> None:
    """All webhooks, and which of them are disabled, and why."""
    with Api.of(load_settings()) as api:
        rows = api.rows(path("webhooks"), limit)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, WEBHOOK)


@app.command()
def show(webhook: Id, limit: Limit = 20, as_json: Json = False) -> None:
    """One webhook with its latest deliveries."""
    with Api.of(load_settings()) as api:
        answer = api.get(path("webhooks", webhook))
        deliveries = api.rows(path("webhooks", webhook, "deliveries"), limit)
    if as_json:
        print_json(answer | {"deliveries": deliveries})
    else:
        print_details(answer)
        print_table(deliveries, DELIVERY)


@app.command("test")
def send_test(webhook: Id, as_json: Json = False) -> None:
    """Send a test event now. Exit code 1 if it is not accepted."""
    answer = _post(webhook, "test")
    if as_json:
        print_json(answer)
    if not answer["accepted"]:
        raise Failure(f"{webhook} did not accept the test event: {answer['error']}.")
    if not as_json:
        say(f"{webhook} accepted the test event with {answer['status']}.")


@app.command()
def enable(
    webhook: Id,
    from_now: Annotated[
        bool, typer.Option("--from-now", help="Without what it has missed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Deliver again, from where it stopped."""
    _set(webhook, {"enabled": True, "from_now": from_now}, "enabled", as_json)


@app.command()
def disable(webhook: Id, as_json: Json = False) -> None:
    """Deliver nothing until it is enabled again."""
    _set(webhook, {"enabled": False}, "disabled", as_json)


@app.command()
def rotate(
    webhook: Id,
    keep_old: Annotated[
        str, typer.Option(help="How long the old secret signs too, in ISO 8601.")
    ] = "P1D",
    as_json: Json = False,
) -> None:
    """Make a new secret. It is shown this once."""
    _print_secret(_post(webhook, "rotate", {"keep_old": keep_old}), as_json)


@app.command()
def replay(
    webhook: Id,
    delivery: Annotated[list[str] | None, typer.Argument(metavar="DELIVERY…")] = None,
    since: Annotated[str | None, typer.Option(help="All since this time, in ISO 8601.")] = None,
    event: Events = None,
    as_json: Json = False,
) -> None:
    """Send again, under the same ids: these deliveries, or all that happened since a time."""
    body = {"deliveries": delivery or None, "since": since, "events": event or None}
    answer = _post(webhook, "replay", body)
    if as_json:
        print_json(answer)
    else:
        say(f"{answer['replayed']} deliveries are sent again.")


@app.command()
def delete(webhook: Id, as_json: Json = False) -> None:
    """End it, with all that was still to be delivered."""
    with Api.of(load_settings()) as api:
        api.call("DELETE", path("webhooks", webhook))
    if as_json:
        print_json({"id": webhook, "deleted": True})
    else:
        say(f"{webhook} is deleted.")


def _post(webhook: str | None, action: str | None, body: object = None) -> Row:
    with Api.of(load_settings()) as api:
        answer: Row = api.post(path("webhooks", *filter(None, [webhook, action])), body)
    return answer


def _set(webhook: str, change: Row, state: str, as_json: bool) -> None:
    with Api.of(load_settings()) as api:
        answer = api.call("PATCH", path("webhooks", webhook), json=change)
    if as_json:
        print_json(answer)
    else:
        say(f"{webhook} is {state}.")


def _print_secret(answer: Row, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        say(f"{answer['id']} is signed by {answer['secret']}")
