"""Output of commands: tables and key-value lines for people, JSON for programs."""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

JsonObject = Mapping[str, Any]

WIDTH_WITHOUT_TERMINAL = 200
REASON_KEYS = {"code", "message"}
UTC_TIMESTAMP = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)$")


def printable(value: object) -> str:
    """Return the value as text that cannot control a terminal: unprintable characters become U+FFFD."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))


def console() -> Console:
    """Return a console on standard output that wraps lines at the width of the terminal, if there is one."""
    width = None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(width=width, markup=False, highlight=False, emoji=False)


def print_line(text: str, style: str | None = None) -> None:
    console().print(Text(printable(text), style=style or ""), soft_wrap=True)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def print_table(
    rows: Iterable[JsonObject], columns: Mapping[str, str], *, ruled: bool = False
) -> None:
    """Print one table row for each object; `columns` maps keys to headings.

    Each element of a tuple gets its own line in the cell. `ruled` draws a line between rows.
    """
    table = Table()
    if ruled:
        table = Table(show_lines=True, box=box.HORIZONTALS, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(key)) for key in columns))
    console().print(table)


def print_rows(
    rows: Sequence[JsonObject],
    columns: Mapping[str, str],
    *,
    what: str,
    as_json: bool,
    ruled: bool = False,
) -> None:
    """Print a list: as JSON, else as a table, else as the sentence that there are no `what`."""
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows, columns, ruled=ruled)
    else:
        print_line(f"There are no {what}.")


def print_details(item: JsonObject) -> None:
    """Print one object: a line for each value that is set, then a table for each list of objects."""
    values, tables = _flatten(item)
    width = max(map(len, values), default=0)
    for key, value in values.items():
        line = Text.assemble((key.ljust(width), "bold"), "  ", _text(value))
        console().print(line, soft_wrap=True)
    for key, rows in tables.items():
        print_line(f"{key}:", "bold")
        print_table(rows, {column: column for row in rows for column in row})


def exit_immediately(code: int) -> NoReturn:
    """End the process without interpreter shutdown, during which Temporal's SDK can abort it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _flatten(
    item: JsonObject, prefix: str = ""
) -> tuple[dict[str, Any], dict[str, list[JsonObject]]]:
    """Split an object into single values, with nested keys as `outer.inner`, and lists of objects."""
    values: dict[str, Any] = {}
    tables: dict[str, list[JsonObject]] = {}
    for key, value in item.items():
        if isinstance(value, Mapping) and value.keys() != REASON_KEYS:
            nested_values, nested_tables = _flatten(value, f"{prefix}{key}.")
            values |= nested_values
            tables |= nested_tables
        elif value and isinstance(value, list) and isinstance(value[0], Mapping):
            tables[prefix + key] = value
        elif value not in (None, []):
            values[prefix + key] = value
    return values, tables


def _cell(value: object) -> Text:
    lines = value if isinstance(value, tuple) else (value,)
    return Text("\n").join(Text(_text(line)) for line in lines)


def _text(value: object) -> str:
    match value:
        case None:
            text = ""
        case bool():
            text = "yes" if value else "no"
        case list():
            text = ", ".join(map(_text, value))
        case {"code": code, "message": message}:
            text = f"{code}: {message}"
        case dict():
            text = ", ".join(f"{key}: {_text(inner)}" for key, inner in value.items() if inner)
        case _:
            text = UTC_TIMESTAMP.sub(r"\1 \2Z", str(value))
    return printable(text)
