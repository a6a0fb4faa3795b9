"""Writer of the figures in docs/performance.md: each table is generated between two markers."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import COLUMNS, FLAGS, NUMBERS, Figure, cells, number, where
from benchmarks.servers import ROOT

PAGE = ROOT / "docs" / "performance.md"
STEPS = ROOT / "benchmarks" / "steps.json"
SHOWN = ("throughput", "cpu", "answer_p50", "answer_p99", "actions", "events")
"""Metrics that are shown for each step."""
PRICE = 50
"""List price of Temporal Cloud in dollars for a million actions."""
MILLION = 1_000_000
Rows = Iterable[Sequence[str]]


def document(figures: Sequence[Figure], page: Path = PAGE) -> None:
    """Rewrite all tables."""
    text = page.read_text("utf-8")
    machine = f"{where()}. {FLAGS}."
    text = _put(text, "figures", [machine, "", *_table(COLUMNS, NUMBERS, map(cells, figures))])
    text = _put(text, "steps", _table(["", "database", *SHOWN], {*SHOWN}, _steps()))
    columns = ["database", "part", "ms of CPU a lifecycle", "lifecycles/s for each core of it"]
    text = _put(text, "sizing", _table(columns, {*columns[2:]}, _sizing(figures)))
    columns = ["database", "actions a lifecycle", "dollars for a million"]
    text = _put(text, "cost", _table(columns, {*columns[1:]}, _cost(figures)))
    page.write_text(text, "utf-8")


def add_step(name: str, figures: Sequence[Figure], file: Path = STEPS) -> None:
    """Store the lifecycle's figures after this step."""
    steps: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    for database, of in _by_database(figures):
        ratios = {metric: of[metric].ratio for metric in SHOWN}
        steps.append({"step": name, "database": database, "ratios": ratios})
    file.write_text(json.dumps(steps, indent=1) + "\n")


def _steps() -> Iterator[list[str]]:
    for step in json.loads(STEPS.read_text()) if STEPS.exists() else []:
        ratios = [number(step["ratios"][metric]) for metric in SHOWN]
        yield [step["step"], step["database"], *ratios]


def _sizing(figures: Sequence[Figure]) -> Iterator[list[str]]:
    for database, of in _by_database(figures):
        for metric, figure in of.items():
            if metric.startswith("cpu_") and figure.ours:
                part = metric.removeprefix("cpu_")
                yield [database, part, number(figure.ours), number(1000 / figure.ours)]


def _cost(figures: Sequence[Figure]) -> Iterator[list[str]]:
    for database, of in _by_database(figures):
        actions = of["actions"].ours or 0.0
        yield [database, number(actions), number(actions * MILLION * PRICE / MILLION)]


def _by_database(figures: Sequence[Figure]) -> Iterator[tuple[str, dict[str, Figure]]]:
    """Return the lifecycle's figures compared with the minimal reference, by metric."""
    mine = [f for f in figures if (f.case, f.reference) == ("lifecycle", "bare")]
    for database in dict.fromkeys(figure.database for figure in mine):
        yield database, {f.metric: f for f in mine if f.database == database}


def _table(columns: Sequence[str], numbers: set[str], rows: Rows) -> list[str]:
    rule = ["---:" if name in numbers else "---" for name in columns]
    return ["| " + " | ".join(row) + " |" for row in [columns, rule, *rows]]


def _put(text: str, name: str, lines: Sequence[str]) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, after = text.partition(begin)
    if not found:
        raise ValueError(f"the page has no place for {name}")
    return before + "\n".join([begin, *lines, end]) + after.partition(end)[2]
