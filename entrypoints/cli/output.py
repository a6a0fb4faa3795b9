"""What commands print: tables and details for people, JSON for machines, failures of either on standard error."""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Row = Mapping[str, Any]

STDIN = Path("-")
WIDTH_WITHOUT_TERMINAL = 200
REASON = {"code", "message"}
TO_THE_SECOND = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)$")
"""A UTC instant; fractions of its second are for machines."""


def _existing(name: str | Path) -> Path:
    # Typer's own check takes `-` for a file's name.
    path = Path(name)
    if path != STDIN and path.is_dir():
        raise typer.BadParameter(f"{clean(name)} is a directory")
    if path != STDIN and not path.exists():
        raise typer.BadParameter(f"there is no file {clean(name)}")
    return path


InputFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", parser=_existing, help="- is standard input."),
]


class Failure(Exception):
    """What a command could not do: a sentence and, below it, one line for each particular. Exit code 1.

    For machines it is `problem`: the API's own answer, or else shaped like one.
    """

    def __init__(
        self, sentence: str, particulars: Sequence[str] = (), problem: Row | None = None
    ) -> None:
        super().__init__(sentence)
        self.particulars = particulars
        self.problem = problem

    def report(self, *, as_json: bool = False) -> None:
        if as_json:
            messages = [{"message": line} for line in self.particulars]
            problem = self.problem or {"title": str(self), "errors": messages}
            print(json.dumps(problem), file=sys.stderr)
            return
        print(f"Error: {clean(self)}", file=sys.stderr)
        for line in self.particulars:
            print(f"  {clean(line)}", file=sys.stderr)


def clean(value: object) -> str:
    """The value as text that cannot steer a terminal: what is not printable becomes U+FFFD."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))


def console() -> Console:
    """Standard output; lines are folded only where a terminal says how wide it is."""
    width = None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(width=width, markup=False, highlight=False, emoji=False)


def say(text: str, style: str | None = None) -> None:
    console().print(Text(clean(text), style=style or ""), soft_wrap=True)


def print_json(answer: Any) -> None:
    print(json.dumps(answer, indent=2))


def print_table(rows: Iterable[Row], columns: Mapping[str, str], *, lines: bool = False) -> None:
    """One line a row; `columns` maps each key of the rows to its heading.

    Rows of more than one line are told apart by `lines`; a tuple has a line for each of its values.
    """
    table = Table()
    if lines:
        table = Table(show_lines=True, box=box.HORIZONTALS, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(key)) for key in columns))
    console().print(table)


def print_details(answer: Row) -> None:
    """One object: a line for each value that there is, and a table for each list of objects."""
    values, tables = _flattened(answer)
    width = max(map(len, values), default=0)
    for key, value in values.items():
        line = Text.assemble((key.ljust(width), "bold"), "  ", _text(value))
        console().print(line, soft_wrap=True)
    for key, rows in tables.items():
        say(f"{key}:", "bold")
        print_table(rows, {column: column for row in rows for column in row})


def name_of(file: Path) -> str:
    """As messages call it."""
    return "standard input" if file == STDIN else str(file)


def read_text(file: Path) -> str:
    """The file's text, or standard input's where the file is `-`; it must be UTF-8."""
    content = sys.stdin.buffer.read() if file == STDIN else file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        sentence = f"{name_of(file)} is not UTF-8 text: byte {error.start} cannot be read."
        raise Failure(sentence) from error


def leave(code: int) -> NoReturn:
    """End a command that has used Temporal's SDK, which can abort the interpreter when it ends by itself."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _flattened(answer: Row, prefix: str = "") -> tuple[dict[str, Any], dict[str, list[Row]]]:
    """What is to be shown in lines, objects within as `outer.inner`; and what is to be shown in tables."""
    values: dict[str, Any] = {}
    tables: dict[str, list[Row]] = {}
    for key, value in answer.items():
        if isinstance(value, Mapping) and value.keys() != REASON:
            inner, inner_tables = _flattened(value, f"{prefix}{key}.")
            values |= inner
            tables |= inner_tables
        elif value and isinstance(value, list) and isinstance(value[0], Mapping):
            tables[prefix + key] = value
        elif value not in (None, []):
            values[prefix + key] = value
    return values, tables


def _cell(value: object) -> Text:
    values = value if isinstance(value, tuple) else (value,)
    return Text("\n").join(Text(_text(each)) for each in values)


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
            text = TO_THE_SECOND.sub(r"\1 \2Z", str(value))
    return clean(text)
