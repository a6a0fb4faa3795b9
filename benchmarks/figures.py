"""Figures compared with those of a reference, as a table and as JSON."""

import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from benchmarks.servers import ROOT
from entrypoints.cli.temporal_server import OPTIONS

LATEST = ROOT / "benchmarks" / "out" / "latest.json"
FLAGS = "Temporal's dev server with " + " ".join(OPTIONS)
T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """One measured figure. `ratio` is ours divided by theirs (median of the rounds), `spread` the relative range of ratios.

    The ratio is empty if the reference could not be run; the note says why.
    """

    case: str
    metric: str
    reference: str
    ours: float | None
    theirs: float | None = None
    ratio: float | None = None
    spread: float | None = None
    unit: str = ""
    database: str = ""
    note: str = ""


def compare(
    ours: Sequence[T], theirs: Sequence[T], value: Callable[[T], float], **about: Any
) -> Figure:
    """Return the medians and the ratio of values measured in the same round."""
    mine, yours = [value(sample) for sample in ours], [value(sample) for sample in theirs]
    ratios = [a / b for a, b in zip(mine, yours, strict=True) if b]
    ratio = statistics.median(ratios) if ratios else None
    return Figure(
        ours=statistics.median(mine),
        theirs=statistics.median(yours),
        ratio=ratio,
        spread=(max(ratios) - min(ratios)) / ratio if ratio else None,
        **about,
    )


def run_alternately(rounds: int, takes: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Run each measurement once per round, each time starting with another one."""
    found: dict[str, list[T]] = {name: [] for name in takes}
    names = list(takes)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found[name].append(takes[name]())
    return found


def save(figures: Sequence[Figure], file: Path) -> None:
    """Replace the stored figures of the same cases."""
    cases = {figure.case for figure in figures}
    other_cases = [figure for figure in load(file) if figure.case not in cases]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(figure) for figure in [*other_cases, *figures]], indent=1))


def load(file: Path) -> list[Figure]:
    return [Figure(**row) for row in json.loads(file.read_text())] if file.exists() else []


def show(figures: Iterable[Figure]) -> None:
    table = Table(title=where(), caption=FLAGS)

    for name in COLUMNS:
        table.add_column(name, justify="right" if name in NUMBERS else "left")
    for figure in figures:
        table.add_row(*cells(figure))
    Console(width=None if os.isatty(1) else 200).print(table)


COLUMNS = ["case", "database", "metric", "reference", "ours", "theirs", "ratio", "spread", "note"]
NUMBERS = {"ours", "theirs", "ratio", "spread"}


def cells(figure: Figure) -> list[str]:
    unit = f" ({figure.unit})" if figure.unit else ""
    spread = "" if figure.spread is None else f"{figure.spread:.0%}"
    return [
        figure.case,
        figure.database,
        figure.metric + unit,
        figure.reference,
        number(figure.ours),
        number(figure.theirs),
        number(figure.ratio),
        spread,
        figure.note,
    ]


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004


def where() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
