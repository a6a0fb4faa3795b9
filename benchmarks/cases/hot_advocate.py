"""Many conversions of one advocate with three milestones, compared with conversions of a new advocate.

Both are measured alternately on the same servers.
"""

from collections.abc import Iterator
from functools import partial
from itertools import repeat

from benchmarks.cases.options import CaseOptions
from benchmarks.engines.systems import Sample, System, ours
from benchmarks.figures import Figure, compare, run_alternately
from benchmarks.seed import ADVOCATES
from benchmarks.servers import Site

CASE = "hot_advocate"
STORM = {"tiny": 20, "small": 500, "medium": 2000, "full": 20_000}
ROUNDS = {"tiny": 1, "small": 3, "medium": 5, "full": 7}
WINDOW = 100
"""Conversions in a round, and therefore the maximum of the new advocate."""
CALLERS = 8


def run(options: CaseOptions, site: Site) -> Iterator[Figure]:
    storm = options.scale or STORM[options.size]
    window = min(WINDOW, storm // 5)
    for database in options.databases:
        milestones = (storm // 4, storm // 2, storm)
        system = ours(site, database, site.temporal(f"temporal-{database}"), milestones)
        _convert(system, storm, repeat(0))
        fresh = iter(range(1, ADVOCATES))
        takes = {
            "hot": partial(_convert, system, window, repeat(0)),
            "fresh": partial(_convert, system, window, fresh),
        }
        found = run_alternately(ROUNDS[options.size], takes)
        yield from _figures(found["hot"], found["fresh"], storm, window, database)


def _convert(system: System, count: int, advocates: Iterator[int]) -> Sample:
    """Convert friends of the next of these advocates."""
    return system.run(count, CALLERS, next(advocates), advocates=1, steps=["convert"])


def _figures(
    hot: list[Sample], fresh: list[Sample], storm: int, window: int, database: str
) -> Iterator[Figure]:
    note = f"after {storm:,} conversions, compared with an advocate's first {window}"
    about = {"case": CASE, "reference": f"first_{window}", "database": database, "note": note}
    yield compare(hot, fresh, lambda s: s.throughput, metric="throughput", unit="/s", **about)
    yield compare(hot, fresh, lambda s: s.cpu_ms(), metric="cpu", unit="ms", **about)
    yield compare(hot, fresh, lambda s: s.quantile(50), metric="answer_p50", unit="ms", **about)
