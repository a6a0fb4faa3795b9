"""Lifecycles while others wait in their windows, in turn with an engine where nobody waits; and what waiting costs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.cases.asked import Asked
from benchmarks.engines.systems import Sample, System, bare, ours
from benchmarks.figures import Figure, compare, in_turn
from benchmarks.machine import cpu_seconds, memory
from benchmarks.servers import Site, Temporal

CASE = "standing_crowd"
WAITING = {"tiny": 10, "small": 1000, "medium": 1000, "full": 100_000}
COUNT = {"tiny": 4, "small": 60, "medium": 200, "full": 400}
ROUNDS = {"tiny": 1, "small": 3, "medium": 5, "full": 7}
CACHED = 800
"""Workflows that a worker surely keeps in its cache, which holds 1,000."""
HOLD = "P14D"
CALLERS = 16
KIB = 1024
CALM_WITHIN = 600
"""Seconds."""
CALM = 0.05
"""CPU seconds in a second, of a worker that only waits."""


def run(asked: Asked, site: Site) -> Iterator[Figure]:
    """Sizes grow tenfold from 1,000 up to the scale."""
    most = asked.scale or WAITING[asked.size]
    database, count = asked.databases[0], COUNT[asked.size]
    empty = ours(site, database, site.temporal("temporal-empty"))
    crowded = ours(site, database, site.temporal("temporal-crowd"))
    for system in (empty, crowded):
        system.run(count, CALLERS)
    yield from _memory(crowded, min(most, CACHED), database)
    waiting = min(most, CACHED)
    for size in (*(s for s in (1000, 10_000) if s < most), most):
        crowded.run(size - waiting, CALLERS, steps=["sign_up"])
        waiting = size
        takes = {
            "crowd": lambda: crowded.run(count, CALLERS),
            "empty": lambda: empty.run(count, CALLERS),
        }
        found = in_turn(ROUNDS[asked.size], takes)
        yield from _figures(found["crowd"], found["empty"], size, database)


def _figures(
    crowd: list[Sample], empty: list[Sample], size: int, database: str
) -> Iterator[Figure]:
    note = f"{size:,} waiting"
    about = {"case": CASE, "reference": "none_waiting", "database": database, "note": note}
    metric = f"throughput_{size}"
    yield compare(crowd, empty, lambda s: s.throughput, metric=metric, unit="/s", **about)
    yield compare(crowd, empty, lambda s: s.cpu_ms(), metric=f"cpu_{size}", unit="ms", **about)


def _memory(system: System, count: int, database: str) -> Iterator[Figure]:
    """KiB for each waiting referral, on worker and server, beside those that the bare twin has in its cache.

    Ours is in no cache before its first decision; so another one is measured that waits in its hold.
    """
    mine = _growth(system, count, "sign_up")
    with _alone(bare, database) as twin:
        theirs = _growth(twin, count, "sign_up")
    with _alone(partial(ours, hold=HOLD), database) as holding:
        held = _growth(holding, count, "convert")
    about = {"case": CASE, "reference": "bare", "unit": "KiB", "database": database}
    for metric, found in (("memory", mine), ("memory_held", held)):
        for role in ("worker", "server"):
            note = f"of {count:,}"
            name = f"{metric}_{role}"
            yield compare([found[role]], [theirs[role]], float, metric=name, note=note, **about)


@contextmanager
def _alone(start: Callable[[Site, str, Temporal], System], database: str) -> Iterator[System]:
    with Site() as site:
        system = start(site, database, site.temporal())
        system.run(CALLERS, CALLERS)
        yield system


def _growth(system: System, count: int, step: str) -> dict[str, float]:
    before = {role: memory(pid) for role, pid in system.processes.items()}
    system.run(count, CALLERS, steps=[step])
    _calm(system)
    return {
        role: (memory(pid) - before[role]) / KIB / count for role, pid in system.processes.items()
    }


def _calm(system: System) -> None:
    """Wait until the worker has nothing left to do; one that never rests ends the case."""
    worker = system.processes["worker"]
    before = -1.0
    for _ in range(CALM_WITHIN):
        if (spent := cpu_seconds(worker)) <= before + CALM:
            return
        before = spent
        time.sleep(1)
    raise TimeoutError(f"the worker was busy for {CALM_WITHIN} s after all had been answered")
