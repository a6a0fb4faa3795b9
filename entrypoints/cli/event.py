"""`referrals event`: send CloudEvents from a file, and see what was refused."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import typer

from entrypoints.cli.client import ApiClient, api_path, describe_problem
from entrypoints.cli.errors import CommandError
from entrypoints.cli.files import STDIN, InputFile, display_name, read_text
from entrypoints.cli.options import JsonOutput
from entrypoints.cli.output import JsonObject, print_line, print_rows
from referrals.domain.syntax_messages import describe_json_error

app = typer.Typer(no_args_is_help=True, help="Send events, and see what was refused.")

BATCH_SIZE = 100
REFUSAL_COLUMNS = {
    "day": "Day",
    "caller": "API key",
    "source": "Source",
    "type": "Problem",
    "field": "Field",
    "count": "Count",
    "last_at": "Last",
}
UNKNOWN_ORDER_COLUMNS = {"source": "Source", "order": "Order", "since": "First event"}
INVALID = "invalid"
STYLES = {"accepted": "green", "rejected": "yellow", INVALID: "red"}


@app.command()
def send(file: InputFile = STDIN, as_json: JsonOutput = False) -> None:
    """Send one event, a JSON array of events or NDJSON, and print each response.

    The whole file is parsed before the first event is sent. Sending an event again returns its first response. Exit code 1 if any event is invalid.
    """
    events = parse_events(read_text(file), display_name(file))
    outcomes: Counter[str] = Counter()
    with ApiClient.connect() as client:
        for event, response in _send_batches(client, events):
            outcomes[outcome(response)] += 1
            if as_json:
                print(json.dumps(response), flush=True)
            else:
                print_line(describe(event, response), STYLES.get(outcome(response)))
    if not as_json:
        counts = ", ".join(f"{count} {name}" for name, count in outcomes.most_common())
        print_line(f"{len(events)} event{'s' if len(events) > 1 else ''}: {counts}", "bold")
    if outcomes[INVALID]:
        raise typer.Exit(1)


@app.command()
def refusals(as_json: JsonOutput = False) -> None:
    """List why requests were refused, by day, API key and source: events above all."""
    with ApiClient.connect() as client:
        rows = client.rows(api_path("refusals"))
    print_rows(rows, REFUSAL_COLUMNS, what="refused requests", as_json=as_json)


@app.command("unknown-orders")
def unknown_orders(as_json: JsonOutput = False) -> None:
    """List the orders that events are about, and that no conversion has named under the same source and id."""
    with ApiClient.connect() as client:
        rows = client.rows(api_path("unknown-orders"))
    print_rows(rows, UNKNOWN_ORDER_COLUMNS, what="unknown orders", as_json=as_json)


def parse_events(text: str, source: str) -> list[JsonObject]:
    """Parse one JSON object, a JSON array or NDJSON. Raises CommandError that names the line."""
    try:
        document = _loads(text)
    except ValueError as error:
        events = _parse_lines(text, source, error)
    else:
        events = document if isinstance(document, list) else [document]
    for number, event in enumerate(events, 1):
        if not isinstance(event, dict):
            raise CommandError(f"{source}: event {number} is not a JSON object.")
    if not events:
        raise CommandError(f"{source} contains no events.")
    return events


def outcome(response: JsonObject) -> str:
    """Return the decision of an event, else its state, in one word."""
    if "title" in response:
        return INVALID
    return str(response.get("decision") or response.get("state") or "recorded")


def describe(event: JsonObject, response: JsonObject) -> str:
    """Return one line with the event's id, its outcome, the reason, warnings, new codes and rewards."""
    parts = [str(event.get("id", "?")), outcome(response)]
    if outcome(response) == INVALID:
        message, details = describe_problem(response)
        parts += details or [message]
    if reason := response.get("reason"):
        parts.append(f"{reason['code']}: {reason['message']}")
    parts += [f"{item['field']} {item['message']}" for item in response.get("warnings") or []]
    parts += [f"{code['campaign']} {code['code']}" for code in response.get("publications") or []]
    parts += [
        f"{reward['side']} {reward['amount']} {reward.get('currency') or reward['type']} {reward['state']}"
        for reward in response.get("rewards") or []
    ]
    return "  ".join(parts)


def _send_batches(
    client: ApiClient, events: Sequence[JsonObject]
) -> Iterator[tuple[JsonObject, JsonObject]]:
    for start in range(0, len(events), BATCH_SIZE):
        batch = events[start : start + BATCH_SIZE]
        responses = client.request(
            "POST",
            api_path("events"),
            content=json.dumps(batch).encode(),
            headers={"content-type": "application/cloudevents-batch+json"},
        )
        yield from zip(batch, responses, strict=True)


def _parse_lines(text: str, source: str, document_error: ValueError) -> list[Any]:
    """Parse NDJSON. If even the first line is invalid, report the error of the whole document."""
    events: list[Any] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            events.append(_loads(line))
        except ValueError as error:
            message = _describe_error(error, number) if events else _describe_error(document_error)
            raise CommandError(f"{source} is not valid JSON: {message}") from error
    return events


def _describe_error(error: ValueError, line: int | None = None) -> str:
    """Return the position and the cause; `line` is the line's number in NDJSON."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {line or error.lineno}, column {error.colno}: {describe_json_error(error)}"
    return f"line {line}: {error}" if line else str(error)


def _loads(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_reject_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
