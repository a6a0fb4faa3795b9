"""How each engine is brought up: its processes by what they are, and the client that steers them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.machine import Process, cpu_seconds
from benchmarks.seed import ADVOCATES, seed
from benchmarks.servers import Site, Temporal
from worker import __file__ as worker_file


@dataclass
class System:
    """One engine at work. `processes` holds a pid for each role: server, worker, client, database."""

    name: str
    client: Process
    processes: Mapping[str, int]
    database_url: str
    temporal: Temporal | None = None
    started: int = 0

    def run(self, count: int, callers: int, advocates: int = ADVOCATES, **order: object) -> "Sample":
        """So many lifecycles more."""
        first, self.started = self.started, self.started + count
        before, billed = self._spent(), self._actions()
        answer = self.client.ask(
            first=first, count=count, callers=callers, advocates=advocates, **order
        )
        spent = {role: end - before[role] for role, end in self._spent().items()}
        actions = self._actions() - billed
        return Sample(count, answer["seconds"], answer["answers"], spent, actions)

    def _spent(self) -> dict[str, float]:
        return {role: cpu_seconds(pid) for role, pid in self.processes.items()}

    def _actions(self) -> Counter[str]:
        return self.temporal.actions() if self.temporal else Counter()


@dataclass(frozen=True)
class Sample:
    """What some lifecycles cost: CPU seconds by role, and the milliseconds of each answer."""

    count: int
    seconds: float
    answers: list[float]
    cpu: Mapping[str, float]
    actions: Counter[str]
    """What Temporal bills, by kind."""

    @property
    def throughput(self) -> float:
        return self.count / self.seconds

    def cpu_ms(self, *roles: str) -> float:
        """CPU milliseconds for each lifecycle, of these roles or of all."""
        return sum(self.cpu.get(role, 0.0) for role in roles or self.cpu) / self.count * 1000

    @property
    def actions_each(self) -> float:
        return self.actions.total() / self.count


def ours(site: Site, database: str, temporal: Temporal, name: str = "ours", *milestones: int) -> System:
    url = seed(site.database(database, name), *milestones)
    env = {
        "REFERRALS_DATABASE_URL": url,
        "TEMPORAL_ADDRESS": temporal.address,
        "REFERRALS_MESSAGES_PER_SECOND": "100000",
        "REFERRALS_ANSWER_TIMEOUT": "PT2M",
        "REFERRALS_LOG_LEVEL": "WARNING",
    }
    worker = site.python(f"{name}-worker", worker_file, **env)
    client = site.python(f"{name}-client", "-m", "benchmarks.engines.ours", answers=True, **env)
    return _on_temporal(site, name, url, temporal, worker, client)


def bare(site: Site, database: str, temporal: Temporal, name: str = "bare") -> System:
    url = seed(site.database(database, name))
    module, where = ("-m", "benchmarks.engines.bare"), (temporal.address, url)
    worker = site.python(f"{name}-worker", *module, "worker", *where)
    client = site.python(f"{name}-client", *module, "client", *where, answers=True)
    return _on_temporal(site, name, url, temporal, worker, client)


def _on_temporal(
    site: Site, name: str, url: str, temporal: Temporal, worker: Process, client: Process
) -> System:
    processes = {"server": temporal.process.pid, "worker": worker.pid, "client": client.pid}
    if pid := site.database_pid(url):
        processes["database"] = pid
    return System(name, client, processes, url, temporal)
