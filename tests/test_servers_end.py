"""A test run leaves no server behind, however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[1]
INNER_TEST = """
import asyncio, json, os, psutil, signal
from pathlib import Path

import pytest

# The background job of a shell inherits that SIGINT is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_with_servers(world, postgres, tmp_path):
    children = [p.pid for p in psutil.Process().children(recursive=True)]
    servers = children + [postgres._server.get_pid()]
    report = {"test": os.getpid(), "servers": servers, "folder": str(postgres._server.pgdata)}
    file = Path(os.environ["REPORT"])
    file.with_suffix(".new").write_text(json.dumps(report))
    file.with_suffix(".new").rename(file)
    await asyncio.sleep(float(os.environ["DURATION"]))
"""
TIMEOUT = 300


class Run:
    """A pytest run of its own, with a test that has a PostgreSQL and a Temporal server."""

    def __init__(self, folder: Path, *options: str, duration: float) -> None:
        (folder / "test_inner.py").write_text(INNER_TEST)
        self._report = folder / "report.json"
        arguments = ["-q", "-p", "tests.conftest", "-c", "pyproject.toml", f"--rootdir={folder}"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments, *options, str(folder / "test_inner.py")],
            cwd=ROOT,
            env=os.environ | {"REPORT": str(self._report), "DURATION": str(duration)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def report(self) -> dict[str, Any]:
        """Process ids of the test and its servers, as soon as they run."""
        _until(self._report.exists)
        return json.loads(self._report.read_text())


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    started: list[Run] = []
    yield started
    for run in started:
        run.process.kill()
        run.process.wait()


def _until(holds: Any) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _all_are_gone(report: dict[str, Any]) -> bool:
    return not any(map(_runs, report["servers"])) and not Path(report["folder"]).exists()


def test_a_run_that_ends_normally_leaves_no_server(tmp_path: Path, runs: list[Run]):
    runs.append(run := Run(tmp_path, duration=0))

    report = run.report()

    assert len(report["servers"]) >= 2
    assert run.process.wait(TIMEOUT) == 0
    _until(lambda: _all_are_gone(report))


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_by_a_signal_leaves_no_server(
    tmp_path: Path, runs: list[Run], end: signal.Signals
):
    runs.append(run := Run(tmp_path, duration=3600))

    report = run.report()
    assert all(map(_runs, report["servers"]))
    run.process.send_signal(end)

    _until(lambda: _all_are_gone(report))


def test_a_killed_worker_process_of_a_run_leaves_no_server(tmp_path: Path, runs: list[Run]):
    runs.append(run := Run(tmp_path, "-n", "1", "--max-worker-restart=0", duration=3600))

    report = run.report()
    assert report["test"] != run.process.pid
    os.kill(report["test"], signal.SIGKILL)

    _until(lambda: _all_are_gone(report))
