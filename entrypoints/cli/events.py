"""`referrals event send`: facts from elsewhere, as CloudEvents."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import typer

from entrypoints.cli.client import Api, explain, load_settings, path
from entrypoints.cli.output import STDIN, Failure, InputFile, Json, Row, name_of, read_text, say

app = typer.Typer(no_args_is_help=True, help="Events: send.")

BATCH = 100
NOT_UNDERSTOOD = "not understood"
STYLES = {"accepted": "green", "rejected": "yellow", NOT_UNDERSTOOD: "red"}


@app.command()
def send(file: InputFile = STDIN, as_json: Json = False) -> None:
    """Send one event, a JSON array of them or NDJSON, and print each answer.

    An event may be sent again: a repeat gets the first answer. All of the file is read before the first event is sent. Exit code 1 if any event was not understood.
    """
    events = parse_events(read_text(file), name_of(file))
    outcomes: Counter[str] = Counter()
    with Api.of(load_settings()) as api:
        for event, answer in _answers(api, events):
            outcomes[outcome(answer)] += 1
            if as_json:
                print(json.dumps(answer), flush=True)
            else:
                say(describe(event, answer), STYLES.get(outcome(answer)))
    if not as_json:
        counts = ", ".join(f"{count} {name}" for name, count in outcomes.most_common())
        say(f"{len(events)} event{'s' if len(events) > 1 else ''}: {counts}", "bold")
    if outcomes[NOT_UNDERSTOOD]:
        raise typer.Exit(1)


def parse_events(text: str, source: str) -> list[Row]:
    """The events of one JSON object, a JSON array or NDJSON. Raises Failure that names the line."""
    try:
        document = _loads(text)
    except ValueError as error:
        events = _parse_lines(text, source, error)
    else:
        events = document if isinstance(document, list) else [document]
    for number, event in enumerate(events, 1):
        if not isinstance(event, dict):
            raise Failure(f"{source}: event {number} is not a JSON object.")
    if not events:
        raise Failure(f"{source} holds no event.")
    return events


def outcome(answer: Row) -> str:
    """In a word, what became of an event: its decision, or else its state."""
    if "title" in answer:
        return NOT_UNDERSTOOD
    return str(answer.get("decision") or answer.get("state") or "recorded")


def describe(event: Row, answer: Row) -> str:
    """One line for people: the event, its outcome, and why or what for."""
    parts = [str(event.get("id", "?")), outcome(answer)]
    if outcome(answer) == NOT_UNDERSTOOD:
        sentence, particulars = explain(answer)
        parts += particulars or [sentence]
    if reason := answer.get("reason"):
        parts.append(f"{reason['code']}: {reason['message']}")
    parts += [f"{made['campaign']} {made['code']}" for made in answer.get("publications") or []]
    parts += [
        f"{reward['side']} {reward['amount']} {reward.get('currency') or reward['type']} {reward['state']}"
        for reward in answer.get("rewards") or []
    ]
    return "  ".join(parts)


def _answers(api: Api, events: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    for start in range(0, len(events), BATCH):
        batch = events[start : start + BATCH]
        answers = api.call(
            "POST",
            path("events"),
            content=json.dumps(batch).encode(),
            headers={"content-type": "application/cloudevents-batch+json"},
        )
        yield from zip(batch, answers, strict=True)


def _parse_lines(text: str, source: str, whole: ValueError) -> list[Any]:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    events: list[Any] = []
    for number, line in lines:
        try:
            events.append(_loads(line))
        except ValueError as error:
            # A first line that is no JSON by itself: the text was meant as one document.
            sentence = _fault(error, number) if events else _fault(whole)
            raise Failure(f"{source} is not JSON: {sentence}") from error
    return events


def _fault(error: ValueError, line: int | None = None) -> str:
    """Where in the text (whose one line is `line` of a file), and what."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {line or error.lineno}, column {error.colno}: {error.msg}"
    return f"line {line}: {error}" if line else str(error)


def _loads(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
