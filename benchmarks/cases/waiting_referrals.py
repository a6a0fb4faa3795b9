"""Lifecycles while many referrals wait, compared with an engine without waiting referrals; memory per waiting referral."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.cases.options import CaseOptions
from benchmarks.engines.systems import Sample, System, bare, ours
from benchmarks.figures import Figure, compare, run_alternately
from benchmarks.machine import cpu_seconds, memory
from benchmarks.servers import Site, Temporal

CASE = "waiting_referrals"
WAITING = {"tiny": 10, "small": 1000, "medium": 1000, "full": 100_000}
COUNT = {"tiny": 4, "small": 60, "medium": 200, "full": 400}
ROUNDS = {"tiny": 1, "small": 3, "medium": 5, "full": 7}
CACHED = 800
"""Number of workflows that fit into a worker's cache of 1,000."""
HOLD = "P14D"
CALLERS = 16
KIB = 1024
IDLE_TIMEOUT_SECONDS = 600
"""Maximum number of seconds until the worker is idle."""
IDLE_CPU = 0.05
"""CPU seconds per second of an idle worker."""


def run(options: CaseOptions, site: Site) -> Iterator[Figure]:
    """Measure with 1,000 waiting referrals, then ten times as many, up to the scale."""
    most = options.scale or WAITING[options.size]
    database, count = options.databases[0], COUNT[options.size]
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
        found = run_alternately(ROUNDS[options.size], takes)
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
    """Yield the KiB per waiting referral on worker and server, compared with cached workflows of the reference.

    A sign-up is not cached before its first decision, so that a referral on hold is measured as well.
    """
    mine = _growth(system, count, "sign_up")
    with _on_own_site(bare, database) as reference:
        theirs = _growth(reference, count, "sign_up")
    with _on_own_site(partial(ours, hold=HOLD), database) as holding:
        held = _growth(holding, count, "convert")
    about = {"case": CASE, "reference": "bare", "unit": "KiB", "database": database}
    for metric, found in (("memory", mine), ("memory_held", held)):
        for role in ("worker", "server"):
            note = f"of {count:,}"
            name = f"{metric}_{role}"
            yield compare([found[role]], [theirs[role]], float, metric=name, note=note, **about)


@contextmanager
def _on_own_site(start: Callable[[Site, str, Temporal], System], database: str) -> Iterator[System]:
    with Site() as site:
        system = start(site, database, site.temporal())
        system.run(CALLERS, CALLERS)
        yield system


def _growth(system: System, count: int, step: str) -> dict[str, float]:
    before = {role: memory(pid) for role, pid in system.processes.items()}
    system.run(count, CALLERS, steps=[step])
    _wait_until_idle(system)
    return {
        role: (memory(pid) - before[role]) / KIB / count for role, pid in system.processes.items()
    }


def _wait_until_idle(system: System) -> None:
    """Wait until the worker is idle.

    Raises:
        TimeoutError: the worker does not become idle.
    """
    worker = system.processes["worker"]
    before = -1.0
    for _ in range(IDLE_TIMEOUT_SECONDS):
        if (spent := cpu_seconds(worker)) <= before + IDLE_CPU:
            return
        before = spent
        time.sleep(1)
    raise TimeoutError(
        f"the worker was still busy {IDLE_TIMEOUT_SECONDS} s after the last response"
    )
