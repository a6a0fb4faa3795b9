"""`referrals dev`: Temporal's dev server, the worker and the API on one machine, with SQLite."""

import asyncio
import fcntl
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.client import load_settings
from entrypoints.cli.database import database_failures, dev_database
from entrypoints.cli.output import Failure
from entrypoints.cli.processes import worker_file
from entrypoints.cli.supervisor import Child, Supervisor
from referrals.temporal.search_attributes import SEARCH_ATTRIBUTE_NAMES

if TYPE_CHECKING:
    from referrals.settings import Settings

HOST = "127.0.0.1"
DEFAULT_DIR = Path(".referrals")
READY_WITHIN = 120.0
PORT_FREE_WITHIN = 3.0
"""Seconds that the children of a `dev` that was just killed have to let go of their ports."""
TEMPORAL_OPTIONS = (
    "--log-level=error",
    "--sqlite-pragma=journal_mode=wal",
    "--sqlite-pragma=synchronous=normal",
    "--dynamic-config-value=history.transferProcessorMaxPollRPS=2000",
    "--dynamic-config-value=history.timerProcessorMaxPollRPS=2000",
    "--dynamic-config-value=history.visibilityProcessorMaxPollRPS=2000",
    "--dynamic-config-value=matching.enableFairness=true",
    "--dynamic-config-value=system.forceSearchAttributesCacheRefreshOnRead=true",
    *(f"--search-attribute={name}=Keyword" for name in SEARCH_ATTRIBUTE_NAMES),
)

Port = Annotated[int, typer.Option(min=0, max=65535, help="0 is any free one.")]


@dataclass(frozen=True)
class Site:
    """Where one `dev` lives: its directory, database, key and ports."""

    data_dir: Path
    database_url: str
    key: str
    port: int
    temporal_port: int
    ui_port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def temporal_address(self) -> str:
        return f"{HOST}:{self.temporal_port}"


def dev(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="What it keeps: databases, key, logs.",
            show_default="REFERRALS_DATA_DIR, else .referrals",
        ),
    ] = None,
    port: Port = 8080,
    temporal_port: Port = 7233,
    ui_port: Port = 8233,
) -> None:
    """Run everything on this machine until it is interrupted.

    Prints `ready http://127.0.0.1:PORT` when it can take events. The other commands look into .referrals for its address and key: for another directory, set REFERRALS_DATA_DIR for them.
    """
    settings = load_settings()
    directory = (data_dir or settings.data_dir).absolute()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    given = "database_url" in settings.model_fields_set
    database_url = settings.database_url if given else dev_database(directory)
    wanted = {"--port": port, "--temporal-port": temporal_port, "--ui-port": ui_port}
    with _alone_in(directory):
        site = Site(directory, database_url, _key(settings, directory), *_claim(wanted))
        supervisor = Supervisor(_note)
        supervisor.stop_on(signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # not under nohup
            supervisor.stop_on(signal.SIGHUP)
        try:
            _run(supervisor, site)
        finally:
            _end(supervisor, site)


def _run(supervisor: Supervisor, site: Site) -> None:
    env = _environment(site)
    supervisor.start(_temporal(site, env))
    _prepare_database(site)
    _note(f"Temporal at {site.temporal_address}, its pages at http://{HOST}:{site.ui_port}")
    _note(f"key and logs in {site.data_dir}")
    if site.data_dir != DEFAULT_DIR.absolute():
        _note(f"the other commands need REFERRALS_DATA_DIR={shlex.quote(str(site.data_dir))}")
    _await(supervisor, "Temporal", lambda: _temporal_answers(env), site)
    api = ("-P", "-m", "entrypoints.cli.main", "api", "--host", HOST, "--port", str(site.port))
    supervisor.start(_python("worker", site, env, str(worker_file())))
    supervisor.start(_python("api", site, env, *api))
    _await(supervisor, "the API", lambda: _api_ready(site), site)
    if not supervisor.stopping:
        for name, address in _addresses(site).items():
            (site.data_dir / name).write_text(address)
        print(f"ready {site.url}", flush=True)
    supervisor.tend()


def _end(supervisor: Supervisor, site: Site) -> None:
    supervisor.stop("api", "worker", within=6)
    supervisor.stop("temporal", within=2)
    for name in _addresses(site):
        (site.data_dir / name).unlink(missing_ok=True)


def _addresses(site: Site) -> dict[str, str]:
    """Files that tell the commands where this site is, as long as it runs."""
    return {"api-url": site.url, "temporal-address": site.temporal_address}


def _prepare_database(site: Site) -> None:
    """The newest schema, and the key let in."""
    from referrals.store import api_keys, open_store
    from referrals.store.db import migrate

    async def let_in() -> None:
        async with open_store(site.database_url) as store:
            await api_keys.ensure(store, "dev", site.key)

    with database_failures(site.database_url):
        migrate.upgrade(site.database_url)
        asyncio.run(let_in())


def _temporal(site: Site, env: Mapping[str, str]) -> Child:
    where = (f"--ip={HOST}", f"--port={site.temporal_port}", f"--ui-port={site.ui_port}")
    kept = f"--db-filename={site.data_dir / 'temporal.db'}"
    command = [_temporal_binary(), "server", "start-dev", *where, kept, *TEMPORAL_OPTIONS]
    return Child("temporal", command, site.data_dir / "temporal.log", env)


def _python(name: str, site: Site, env: Mapping[str, str], *arguments: str) -> Child:
    return Child(name, [sys.executable, *arguments], site.data_dir / f"{name}.log", env)


def _temporal_binary() -> str:
    beside = shutil.which("temporal", path=str(Path(sys.executable).parent))
    if binary := beside or shutil.which("temporal"):
        return binary
    raise Failure("The program `temporal` is missing: run `make install`.")


def _environment(site: Site) -> dict[str, str]:
    """What the children see: this site, and nothing of the shell's own Temporal profile."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("TEMPORAL_")}
    env.setdefault("REFERRALS_PUBLIC_URL", site.url)
    env.setdefault("REFERRALS_WEBHOOKS_ALLOW_PRIVATE", "true")
    return env | {
        "REFERRALS_DATABASE_URL": site.database_url,
        "TEMPORAL_ADDRESS": site.temporal_address,
        "TEMPORAL_NAMESPACE": "default",
        "TEMPORAL_CONFIG_FILE": os.devnull,
    }


def _temporal_answers(env: Mapping[str, str]) -> bool:
    health = [_temporal_binary(), "operator", "cluster", "health", "--command-timeout=5s"]
    quiet = subprocess.DEVNULL
    answer = subprocess.run(health, env=env, stdout=quiet, stderr=quiet, check=False)  # noqa: S603
    return answer.returncode == 0


def _api_ready(site: Site) -> bool:
    import httpx

    try:
        return httpx.get(f"{site.url}/health/ready", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _await(supervisor: Supervisor, what: str, ready: Callable[[], bool], site: Site) -> None:
    if not supervisor.tend(ready, READY_WITHIN) and not supervisor.stopping:
        raise Failure(f"{what} is not ready after {READY_WITHIN:.0f} s: see {site.data_dir}/*.log.")


def _key(settings: "Settings", data_dir: Path) -> str:
    """REFERRALS_API_KEY, else the key of the last start, else a new one; kept for the commands."""
    file = data_dir / "api-key"
    kept = file.read_text().strip() if file.exists() else ""
    given = settings.api_key.get_secret_value() if settings.api_key else ""
    key = given or kept or f"rk_{secrets.token_urlsafe(32)}"
    file.touch(mode=0o600)
    file.chmod(0o600)
    if key != kept:
        file.write_text(key)
    return key


@contextmanager
def _alone_in(data_dir: Path) -> Iterator[None]:
    """Holds the directory's lock, which ends with the process however that ends."""
    with (data_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure(f"Another `referrals dev` is running in {data_dir}.") from error
        yield


def _claim(wanted: Mapping[str, int]) -> list[int]:
    """The ports to use, in the order of their options; all are tried together, so that they differ."""
    with ExitStack() as held:
        return [_bind(held, option, port) for option, port in wanted.items()]


def _bind(held: ExitStack, option: str, port: int) -> int:
    listener = held.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    deadline = time.monotonic() + PORT_FREE_WITHIN
    while True:
        try:
            listener.bind((HOST, port))
            listener.listen()
        except OSError as error:
            if time.monotonic() > deadline:
                raise Failure(f"Port {port} is taken: choose another with {option}.") from error
            time.sleep(0.1)
        else:
            return int(listener.getsockname()[1])


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
