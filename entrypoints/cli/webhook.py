"""`referrals webhook`: manage webhooks and their deliveries."""

from typing import Annotated

import typer

from entrypoints.cli.client import ApiClient, api_path
from entrypoints.cli.errors import CommandError
from entrypoints.cli.options import JsonOutput, Limit, OfCampaign
from entrypoints.cli.output import (
    JsonObject,
    print_details,
    print_json,
    print_line,
    print_rows,
)

app = typer.Typer(no_args_is_help=True, help="Manage webhooks and their deliveries.")

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Id of the webhook.")]
EventTypes = Annotated[
    list[str] | None,
    typer.Option("--event", help="Type of event; can be repeated. Default: all types."),
]

WEBHOOK_COLUMNS = {
    "id": "Webhook",
    "url": "URL",
    "campaign": "Campaign",
    "enabled": "Enabled",
    "reason": "Reason",
    "failing_since": "Failing since",
    "pending": "Pending",
}
DELIVERY_COLUMNS = {
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
    url: Annotated[str, typer.Argument(help="URL that events are posted to.")],
    event: EventTypes = None,
    campaign: OfCampaign = None,
    as_json: JsonOutput = False,
) -> None:
    """Create a webhook and print its secret, which cannot be shown again."""
    body = {"url": url, "events": event or None, "campaign": campaign}
    _print_secret(_post(None, None, body), as_json)


@app.command("list")
def list_webhooks(limit: Limit = 100, as_json: JsonOutput = False) -> None:
    """List webhooks, with the reason if one is disabled."""
    with ApiClient.connect() as client:
        rows = client.rows(api_path("webhooks"), limit)
    print_rows(rows, WEBHOOK_COLUMNS, what="webhooks", as_json=as_json)


@app.command()
def show(webhook: WebhookId, limit: Limit = 20, as_json: JsonOutput = False) -> None:
    """Show a webhook and its latest deliveries."""
    with ApiClient.connect() as client:
        body = client.get(api_path("webhooks", webhook))
        deliveries = client.rows(api_path("webhooks", webhook, "deliveries"), limit)
    if as_json:
        print_json(body | {"deliveries": deliveries})
    else:
        print_details(body)
        print_rows(deliveries, DELIVERY_COLUMNS, what="deliveries", as_json=False)


@app.command("test")
def send_test_event(webhook: WebhookId, as_json: JsonOutput = False) -> None:
    """Send a test event now. Exit code 1 if the endpoint does not accept it."""
    answer = _post(webhook, "test")
    if as_json:
        print_json(answer)
    if not answer["accepted"]:
        raise CommandError(f"{webhook} did not accept the test event: {answer['error']}.")
    if not as_json:
        print_line(f"{webhook} accepted the test event with status {answer['status']}.")


@app.command()
def enable(
    webhook: WebhookId,
    from_now: Annotated[
        bool, typer.Option("--from-now", help="Skip the events that it has missed.")
    ] = False,
    as_json: JsonOutput = False,
) -> None:
    """Resume deliveries, starting with the first event that was missed."""
    _update(webhook, {"enabled": True, "from_now": from_now}, "enabled", as_json)


@app.command()
def disable(webhook: WebhookId, as_json: JsonOutput = False) -> None:
    """Stop deliveries until the webhook is enabled again."""
    _update(webhook, {"enabled": False}, "disabled", as_json)


@app.command()
def rotate(
    webhook: WebhookId,
    keep_old: Annotated[
        str, typer.Option(help="ISO 8601 duration for which the old secret also signs.")
    ] = "P1D",
    as_json: JsonOutput = False,
) -> None:
    """Create a new secret and print it. It cannot be shown again."""
    _print_secret(_post(webhook, "rotate", {"keep_old": keep_old}), as_json)


@app.command()
def replay(
    webhook: WebhookId,
    delivery: Annotated[
        list[str] | None, typer.Argument(metavar="DELIVERY…", help="Ids of the deliveries.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Replay all events since this ISO 8601 time.")
    ] = None,
    event: EventTypes = None,
    as_json: JsonOutput = False,
) -> None:
    """Deliver events again with the same ids: the given deliveries, or all events since a time."""
    body = {"deliveries": delivery or None, "since": since, "events": event or None}
    answer = _post(webhook, "replay", body)
    if as_json:
        print_json(answer)
    else:
        print_line(f"{answer['replayed']} deliveries will be sent again.")


@app.command()
def delete(webhook: WebhookId, as_json: JsonOutput = False) -> None:
    """Delete a webhook and its pending deliveries."""
    with ApiClient.connect() as client:
        client.request("DELETE", api_path("webhooks", webhook))
    if as_json:
        print_json({"id": webhook, "deleted": True})
    else:
        print_line(f"{webhook} is deleted.")


def _post(webhook: str | None, action: str | None, body: object = None) -> JsonObject:
    with ApiClient.connect() as client:
        answer: JsonObject = client.post(
            api_path("webhooks", *filter(None, [webhook, action])), body
        )
    return answer


def _update(webhook: str, change: JsonObject, state: str, as_json: bool) -> None:
    with ApiClient.connect() as client:
        answer = client.request("PATCH", api_path("webhooks", webhook), json=change)
    if as_json:
        print_json(answer)
    else:
        print_line(f"{webhook} is {state}.")


def _print_secret(answer: JsonObject, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        print_line(f"{answer['id']} signs with {answer['secret']}")
