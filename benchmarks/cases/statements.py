"""How many statements a lifecycle takes beside the twin's, how long it waits for them, and what one costs: what bounds it
on each database.
"""

from collections.abc import Iterator

from benchmarks.cases.asked import Asked
from benchmarks.engines.systems import settings
from benchmarks.figures import Figure, compare
from benchmarks.seed import seed
from benchmarks.servers import Site

CASE = "statements"


def run(asked: Asked, site: Site) -> Iterator[Figure]:
    for database in asked.databases:
        yield from _on(database, site)


def _on(database: str, site: Site) -> Iterator[Figure]:
    own, twins = (seed(site.database(database, name)) for name in ("ours", "bare"))
    env = settings(own, site.temporal(f"temporal-{database}"))
    module = ("-m", "benchmarks.engines.counted", twins)
    found = site.python(f"counted-{database}", *module, env=env, answers=True).ask()
    about = {"case": CASE, "reference": "bare", "database": database}
    for metric, unit in (("count", ""), ("time", "ms")):
        mine, theirs = ([found[f"{name}_{metric}"]] for name in ("ours", "theirs"))
        yield compare(mine, theirs, float, metric=metric, unit=unit, **about)
    note = "CPU of our process, for a row by its key"
    about |= {"reference": "driver", "metric": "cost", "unit": "ms", "note": note}
    yield compare([found["cost"]], [found["driver_cost"]], float, **about)
