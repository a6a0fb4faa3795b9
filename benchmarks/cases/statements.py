"""SQL statements of a lifecycle compared with the reference: their number, waiting time and CPU cost."""

from collections.abc import Iterator

from benchmarks.cases.options import CaseOptions
from benchmarks.engines.systems import settings
from benchmarks.figures import Figure, compare
from benchmarks.seed import seed
from benchmarks.servers import Site

CASE = "statements"


def run(options: CaseOptions, site: Site) -> Iterator[Figure]:
    for database in options.databases:
        yield from _on(database, site)


def _on(database: str, site: Site) -> Iterator[Figure]:
    own, reference = (seed(site.database(database, name)) for name in ("ours", "bare"))
    env = settings(own, site.temporal(f"temporal-{database}"))
    module = ("-m", "benchmarks.engines.statement_counts", reference)
    found = site.python(f"statement-counts-{database}", *module, env=env, answers=True).ask()
    about = {"case": CASE, "reference": "bare", "database": database}
    for metric, unit in (("count", ""), ("time", "ms")):
        mine, theirs = ([found[f"{name}_{metric}"]] for name in ("ours", "theirs"))
        yield compare(mine, theirs, float, metric=metric, unit=unit, **about)
    note = "CPU of our process, for a row by its key"
    about |= {"reference": "driver", "metric": "cost", "unit": "ms", "note": note}
    yield compare([found["cost"]], [found["driver_cost"]], float, **about)
