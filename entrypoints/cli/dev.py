"""`referrals dev`: run Temporal, a worker and the API on this machine, with SQLite."""

import asyncio
import shlex
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from entrypoints.cli.client import load_settings
from entrypoints.cli.database import database_errors, dev_database_url
from entrypoints.cli.dev_instance import (
    HOST,
    DevInstance,
    find_ports,
    load_or_create_key,
    load_or_create_secrets,
    locked,
)
from entrypoints.cli.errors import CommandError
from entrypoints.cli.supervisor import Supervisor
from entrypoints.cli.temporal_server import is_temporal_healthy

DEFAULT_DIR = Path(".referrals")
READY_TIMEOUT = timedelta(minutes=2)
SHUTDOWN_TIMEOUT = timedelta(seconds=6)
"""Longer than the API and the worker take to finish what they are doing."""
TEMPORAL_SHUTDOWN_TIMEOUT = timedelta(seconds=2)

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Directory for databases, API key and logs.",
        show_default="REFERRALS_DATA_DIR, else .referrals",
    ),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port of the API. 0: any free port.")]
TemporalPort = Annotated[int, typer.Option(min=0, max=65535, help="Port of Temporal's server.")]
UiPort = Annotated[int, typer.Option(min=0, max=65535, help="Port of Temporal's web UI.")]


def dev(
    data_dir: DataDir = None,
    port: Port = 8080,
    temporal_port: TemporalPort = 7233,
    ui_port: UiPort = 8233,
) -> None:
    """Run Temporal, a worker and the API on this machine until interrupted.

    Prints `ready http://127.0.0.1:PORT` when it accepts events. Other commands find its address and key in .referrals; if you use another directory, set REFERRALS_DATA_DIR for them.
    """
    settings = load_settings()
    directory = (data_dir or settings.data_dir).absolute()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_set = "database_url" in settings.model_fields_set
    database = settings.database_url if is_set else dev_database_url(directory)
    ports = {"--port": port, "--temporal-port": temporal_port, "--ui-port": ui_port}
    with locked(directory):
        key = load_or_create_key(settings, directory)
        secrets = load_or_create_secrets(settings, directory)
        instance = DevInstance(directory, database, key, secrets, *find_ports(ports))
        supervisor = _create_supervisor()
        try:
            _run(supervisor, instance)
        finally:
            _shut_down(supervisor, instance)


def _create_supervisor() -> Supervisor:
    supervisor = Supervisor(_log)
    supervisor.stop_on(signal.SIGINT, signal.SIGTERM)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # nohup ignores this signal
        supervisor.stop_on(signal.SIGHUP)
    return supervisor


def _run(supervisor: Supervisor, instance: DevInstance) -> None:
    supervisor.start(instance.temporal())
    _prepare_database(instance)
    _log_addresses(instance)
    env = instance.environment()
    _wait_until_ready(supervisor, "Temporal", lambda: is_temporal_healthy(env), instance)
    supervisor.start(instance.worker())
    supervisor.start(instance.api())
    _wait_until_ready(supervisor, "The API", lambda: _is_api_ready(instance), instance)
    if not supervisor.stopping:
        for file, address in instance.address_files.items():
            file.write_text(address)
        print(f"ready {instance.url}", flush=True)
    supervisor.supervise()


def _shut_down(supervisor: Supervisor, instance: DevInstance) -> None:
    supervisor.stop("api", "worker", timeout=SHUTDOWN_TIMEOUT)
    supervisor.stop("temporal", timeout=TEMPORAL_SHUTDOWN_TIMEOUT)
    for file in instance.address_files:
        file.unlink(missing_ok=True)


def _prepare_database(instance: DevInstance) -> None:
    """Upgrade the schema and add the API key."""
    from referrals.store import api_keys, open_store
    from referrals.store.db import migrate

    async def add_key() -> None:
        async with open_store(instance.database_url) as store:
            await api_keys.ensure(store, "dev", instance.api_key)

    with database_errors(instance.database_url):
        migrate.upgrade(instance.database_url)
        asyncio.run(add_key())


def _log_addresses(instance: DevInstance) -> None:
    ui = f"http://{HOST}:{instance.ui_port}"
    _log(f"Temporal: {instance.temporal_address}, web UI: {ui}")
    _log(f"API key and logs: {instance.data_dir}")
    if instance.data_dir != DEFAULT_DIR.absolute():
        directory = shlex.quote(str(instance.data_dir))
        _log(f"Set REFERRALS_DATA_DIR={directory} for other commands.")


def _wait_until_ready(
    supervisor: Supervisor, name: str, is_ready: Callable[[], bool], instance: DevInstance
) -> None:
    if not supervisor.supervise(is_ready, READY_TIMEOUT) and not supervisor.stopping:
        seconds = READY_TIMEOUT.total_seconds()
        logs = instance.data_dir / "*.log"
        raise CommandError(f"{name} was not ready after {seconds:.0f} s. See {logs}.")


def _is_api_ready(instance: DevInstance) -> bool:
    import httpx

    try:
        return httpx.get(f"{instance.url}/health/ready", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
