"""Start-up of the engines: their processes by role, and the client that controls them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.machine import Process, cpu_seconds
from benchmarks.seed import ADVOCATES, seed
from benchmarks.servers import Site, Temporal
from entrypoints.cli.worker import worker_file

STEPS = ("sign_up", "convert")


@dataclass
class System:
    """A running engine. `processes` has a process id for each role: server, worker, client, database."""

    name: str
    client: Process
    processes: Mapping[str, int]
    database_url: str
    temporal: Temporal | None = None
    started: int = 0

    def run(
        self, count: int, callers: int, advocate: int = 0, advocates: int = ADVOCATES, **more: Any
    ) -> "Sample":
        """Run more lifecycles; see `driver.run`."""
        first, self.started = self.started, self.started + count
        before = self._spent()
        order = {"first": first, "count": count, "callers": callers}
        answer = self.client.ask(**order, advocate=advocate, advocates=advocates, **more)
        spent = {role: end - before[role] for role, end in self._spent().items()}
        return Sample(count, answer["seconds"], answer["answers"], spent)

    def billed(self, count: int) -> dict[str, Counter[str]]:
        """Run more lifecycles and return the billed actions by step and kind."""
        assert self.temporal is not None
        first, billed, before = self.started, {}, self.temporal.actions()
        for step in STEPS:
            self.started = first
            self.run(count, callers=2, steps=[step])
            after = self.temporal.actions()
            billed[step], before = after - before, after
        return billed

    def _spent(self) -> dict[str, float]:
        return {role: cpu_seconds(pid) for role, pid in self.processes.items()}


@dataclass(frozen=True)
class Sample:
    """Cost of some lifecycles: CPU seconds by role and response times in milliseconds."""

    count: int
    seconds: float
    answers: list[float]
    cpu: Mapping[str, float]

    def quantile(self, percent: int) -> float:
        """Return a quantile of the response times in milliseconds."""
        answers = sorted(self.answers)
        return answers[min(len(answers) * percent // 100, len(answers) - 1)]

    @property
    def throughput(self) -> float:
        return self.count / self.seconds

    def cpu_ms(self, *roles: str) -> float:
        """Return the CPU milliseconds per lifecycle of these roles, or of all."""
        return sum(self.cpu.get(role, 0.0) for role in roles or self.cpu) / self.count * 1000


def ours(
    site: Site,
    database: str,
    temporal: Temporal,
    milestones: Sequence[int] = (),
    hold: str | None = None,
) -> System:
    url = seed(site.database(database, "ours"), milestones, hold)
    env = settings(url, temporal)
    worker = site.python("ours-worker", str(worker_file()), env=env)
    client = site.python("ours-client", "-m", "benchmarks.engines.ours", answers=True, env=env)
    return _on_temporal(site, "ours", url, temporal, worker, client)


def settings(url: str, temporal: Temporal) -> dict[str, str]:
    """Return the settings of the engine's processes: a long response timeout and no limit on messages."""
    return {
        "REFERRALS_DATABASE_URL": url,
        "REFERRALS_REWARD_KEY_SECRET": "the benchmark's secret of reward keys",
        "REFERRALS_IDENTITY_SECRETS": "bench:the benchmark's secret of contacts",
        "TEMPORAL_ADDRESS": temporal.address,
        "REFERRALS_MESSAGES_PER_SECOND": "100000",
        "REFERRALS_EVENT_RESPONSE_TIMEOUT": "PT2M",
        "REFERRALS_LOG_LEVEL": "WARNING",
    }


def bare(site: Site, database: str, temporal: Temporal) -> System:
    url = seed(site.database(database, "bare"))
    module, where = ("-m", "benchmarks.engines.bare"), (temporal.address, url)
    worker = site.python("bare-worker", *module, "worker", *where)
    client = site.python("bare-client", *module, "client", *where, answers=True)
    return _on_temporal(site, "bare", url, temporal, worker, client)


def _on_temporal(
    site: Site, name: str, url: str, temporal: Temporal, worker: Process, client: Process
) -> System:
    processes = {"server": temporal.process.pid, "worker": worker.pid, "client": client.pid}
    if pid := site.database_pid(url):
        processes["database"] = pid
    return System(name, client, processes, url, temporal)
