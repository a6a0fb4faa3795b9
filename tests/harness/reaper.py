"""End the servers of a test process after it, however it ends: normally, interrupted, terminated or killed.

PostgreSQL and Temporal survive the process that started them if it has no time to clean up. So each test process marks
the environment that its children inherit, and starts this module as a child that waits on a pipe. The pipe closes when
the test process is gone; then the reaper kills what still carries the mark and deletes the registered folders.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psutil

MARK = "PYTEST_REAPER_MARK"
"""Does not start with REFERRALS_, because `referrals demo` and some tests remove those variables for their children."""
SHUTDOWN_TIMEOUT = 10
"""Seconds."""


class Reaper:
    """The handle that a test process holds on its reaper."""

    def __init__(self) -> None:
        mark = uuid4().hex
        inherited = {name: value for name, value in os.environ.items() if name != MARK}
        self._process = subprocess.Popen(
            [sys.executable, __file__, mark],
            stdin=subprocess.PIPE,
            env=inherited,
            start_new_session=True,  # Ctrl-C is for the test process alone
        )
        os.environ[MARK] = mark

    def delete_later(self, folder: Path) -> None:
        """Register a folder to be deleted when the servers have ended."""
        assert self._process.stdin
        self._process.stdin.write(f"{folder}\n".encode())
        self._process.stdin.flush()

    def stop(self) -> None:
        """End everything now."""
        self._process.communicate()


def _marked(mark: str) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _environment(process).get(MARK) == mark]


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _end(processes: list[psutil.Process]) -> None:
    """PostgreSQL is asked to exit at once, so that it frees its shared memory; all others are killed."""
    for process in processes:
        try:
            process.send_signal(signal.SIGQUIT if process.name() == "postgres" else signal.SIGKILL)
        except psutil.Error:
            continue
    for process in psutil.wait_procs(processes, SHUTDOWN_TIMEOUT)[1]:
        process.kill()


def main(mark: str) -> None:
    folders = sys.stdin.read().splitlines()  # until the test process is gone
    while processes := _marked(mark):
        _end(processes)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
