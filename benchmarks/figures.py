"""What a run comes to: figures beside those of a reference, as a table, as JSON and as a part of the documentation."""

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
    """`ratio` is ours to theirs, the median over the rounds; `spread` how far those ratios lie apart, as a part of it.

    Empty where the reference could not be run: the note says why.
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
    """Medians, and the ratio of what was measured in the same round."""
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


def in_turn(rounds: int, takes: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Every one once in a round, and each time another one first."""
    found: dict[str, list[T]] = {name: [] for name in takes}
    names = list(takes)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found[name].append(takes[name]())
    return found


def save(figures: Sequence[Figure], file: Path) -> None:
    """Put them in the place of those of the same cases."""
    cases = {figure.case for figure in figures}
    kept = [figure for figure in load(file) if figure.case not in cases]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(figure) for figure in [*kept, *figures]], indent=1))


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
