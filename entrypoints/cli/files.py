"""Files that commands read; `-` means standard input."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from entrypoints.cli.errors import CommandError
from entrypoints.cli.output import printable

STDIN = Path("-")


def _existing_file(name: str | Path) -> Path:
    # Typer's own check treats `-` as a file name.
    path = Path(name)
    if path != STDIN and path.is_dir():
        raise typer.BadParameter(f"{printable(name)} is a directory")
    if path != STDIN and not path.exists():
        raise typer.BadParameter(f"file not found: {printable(name)}")
    return path


InputFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", parser=_existing_file, help="File to read; - is standard input."
    ),
]


def display_name(file: Path) -> str:
    """Return the name of the file for messages."""
    return "standard input" if file == STDIN else str(file)


def read_bytes(file: Path) -> bytes:
    """Read a file, or standard input if the file is `-`."""
    return sys.stdin.buffer.read() if file == STDIN else file.read_bytes()


def read_text(file: Path) -> str:
    """Read a UTF-8 file, or standard input if the file is `-`."""
    try:
        return read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{display_name(file)} is not UTF-8 text: invalid byte at offset {error.start}."
        raise CommandError(message) from error
