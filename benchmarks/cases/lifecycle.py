"""A lifecycle (sign-up, conversion, two ledger rewards, two log messages) compared with reference implementations.

Throughput and CPU are measured with many concurrent callers, response times with a single caller.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from benchmarks import reference_rows
from benchmarks.cases.options import CaseOptions
from benchmarks.engines import peers
from benchmarks.engines.systems import STEPS, Sample, System, bare, ours
from benchmarks.figures import Figure, compare, run_alternately
from benchmarks.servers import Site

CASE = "lifecycle"
WARM = 20
HISTORIES = 5
ROLES = ("server", "worker", "client", "database")
METRICS = {"throughput": "/s", "cpu": "ms", "answer_p50": "ms", "answer_p99": "ms"}


@dataclass(frozen=True)
class Size:
    rounds: int
    count: int
    callers: int
    single: int


SIZES = {
    "tiny": Size(1, 6, 3, 3),
    "small": Size(3, 24, 16, 8),
    "medium": Size(5, 200, 16, 100),
    "full": Size(9, 500, 16, 200),
}


@dataclass(frozen=True)
class Round:
    """One round of one engine: with many callers and with one."""

    crowd: Sample
    single: Sample


def run(options: CaseOptions, site: Site) -> Iterator[Figure]:
    for database in options.databases:
        yield from _on(database, options, site)


def _on(database: str, options: CaseOptions, site: Site) -> Iterator[Figure]:
    size = SIZES[options.size]
    systems, missing = _start(database, options, site)
    for system in systems:
        system.run(min(WARM, size.count), size.callers)
    takes = {system.name: partial(_round, system, size) for system in systems}
    rounds = run_alternately(size.rounds, takes)
    check_books(systems)
    mine = rounds.pop("ours")
    for reference, theirs in rounds.items():
        note = peers.LACKS.get(reference, "")
        yield from _figures(mine, theirs, reference=reference, database=database, note=note)
    if "bare" in rounds:
        yield from _temporal_figures(systems, mine, rounds["bare"], size, database)
    for reference, why in missing.items():
        for figure in _figures(mine, mine, reference=reference, database=database, note=why):
            yield replace(figure, theirs=None, ratio=None, spread=None)


def _start(database: str, options: CaseOptions, site: Site) -> tuple[list[System], dict[str, str]]:
    """Start the engines, ours first. Return them and the reasons why others could not be started."""
    temporal = site.temporal(f"temporal-{database}")
    systems, missing = [ours(site, database, temporal)], {}
    for reference in options.references:
        try:
            if reference == "bare":
                systems.append(bare(site, database, temporal))
            elif database in peers.DATABASES[reference]:
                systems.append(peers.start(reference, site, database))
        except peers.NotInstallable as error:
            missing[reference] = str(error)
    return systems, missing


def _round(system: System, size: Size) -> Round:
    return Round(system.run(size.count, size.callers), system.run(size.single, 1))


def check_books(systems: list[System]) -> None:
    """Check that all engines have written the same number of rows."""
    found = {
        system.name: asyncio.run(reference_rows.counts(system.database_url)) for system in systems
    }
    for name, rows in found.items():
        if rows != found["ours"]:
            raise AssertionError(f"{name} wrote other rows: {rows}, and not {found['ours']}")


def _figures(mine: list[Round], theirs: list[Round], **about: str) -> Iterator[Figure]:
    values: dict[str, Callable[[Round], float]] = {
        "throughput": lambda r: r.crowd.throughput,
        "cpu": lambda r: r.crowd.cpu_ms(),
        "answer_p50": lambda r: r.single.quantile(50),
        "answer_p99": lambda r: r.single.quantile(99),
    }
    for metric, value in values.items():
        yield compare(mine, theirs, value, case=CASE, metric=metric, unit=METRICS[metric], **about)


def _cpu_of(role: str) -> Callable[[Round], float]:
    return lambda r: r.crowd.cpu_ms(role)


def _temporal_figures(
    systems: list[System], mine: list[Round], theirs: list[Round], size: Size, database: str
) -> Iterator[Figure]:
    """Yield the figures of engines on Temporal: CPU by process, billed actions by kind, history events."""
    about = {"case": CASE, "reference": "bare", "database": database}
    for role in ROLES:
        if role in mine[0].crowd.cpu:
            metric = f"cpu_{role}"
            yield compare(mine, theirs, _cpu_of(role), metric=metric, unit="ms", **about)
    billed = [system.billed(size.single) for system in systems if system.temporal]
    for step in ("", *STEPS):
        yield _actions(billed, step, size.single, about)
    events = [_events(system) for system in systems if system.temporal]
    yield compare(events[0], events[1], float, metric="events", **about)


def _events(system: System) -> list[int]:
    """Return the history events of the last lifecycles. Their number depends on how the server groups tasks."""
    last = range(system.started - HISTORIES, system.started)
    return [system.client.ask(events=number)["events"] for number in last]


def _actions(
    billed: list[dict[str, Counter[str]]], step: str, count: int, about: dict[str, str]
) -> Figure:
    """Compare billed actions of one step, or of all. The note has ours by kind."""
    mine, theirs = (sum((by[s] for s in by if step in ("", s)), Counter[str]()) for by in billed)
    note = ", ".join(f"{n / count:g} {kind}" for kind, n in sorted(mine.items())) if step else ""
    metric = f"actions_{step}" if step else "actions"
    each = [mine.total() / count], [theirs.total() / count]
    return compare(each[0], each[1], float, metric=metric, note=note, **about)
