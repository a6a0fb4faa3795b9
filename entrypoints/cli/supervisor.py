"""Child processes that are restarted when they exit, and that on Linux end with this process.

On other systems the children survive a `kill -9` of this process and must be ended by hand.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO

POLL_INTERVAL = timedelta(milliseconds=50)
FIRST_RESTART_DELAY = timedelta(milliseconds=250)
MAX_RESTART_DELAY = timedelta(seconds=3)
STABLE_AFTER = timedelta(seconds=5)
"""Run time after which a process counts as started, so that its restart delay is reset."""
PR_SET_PDEATHSIG = 1


@dataclass
class SupervisedProcess:
    """One process; the output of all its runs is appended to its log file."""

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    restart_at: float = field(default=0.0, init=False)
    failures: int = field(default=0, init=False)

    def start(self) -> None:
        """Start the process. Call this from the main thread: Linux ends the child with the thread that started it."""
        with self.log.open("ab") as log:
            self.process = spawn(self.command, env=self.env, stdout=log, stderr=log)
        self.started_at = time.monotonic()

    def schedule_restart(self) -> None:
        """Choose the time of the next start: the delay doubles with each early exit."""
        now = time.monotonic()
        was_stable = now - self.started_at >= STABLE_AFTER.total_seconds()
        self.failures = 0 if was_stable else self.failures + 1
        delay = min(FIRST_RESTART_DELAY * 2**self.failures, MAX_RESTART_DELAY)
        self.restart_at = now + delay.total_seconds()
        self.process = None


class Supervisor:
    """Restarts its processes until it is stopped by `stopping` or by a signal."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.stopping = False
        self._report = report
        self._processes: list[SupervisedProcess] = []

    def stop_on(self, *signals: signal.Signals) -> None:
        """Handle these signals by ending `supervise` instead of the process."""
        for number in signals:
            signal.signal(number, self._stop)

    def start(self, process: SupervisedProcess) -> None:
        process.start()
        self._processes.append(process)

    def supervise(
        self, until: Callable[[], bool] = lambda: False, timeout: timedelta | None = None
    ) -> bool:
        """Restart exited processes until the condition holds, the timeout expires or a stop is requested.

        Returns:
            Whether the condition held.
        """
        deadline = None if timeout is None else time.monotonic() + timeout.total_seconds()
        while not self.stopping and (deadline is None or time.monotonic() < deadline):
            for process in self._processes:
                self._restart_if_exited(process)
            if until():
                return True
            time.sleep(POLL_INTERVAL.total_seconds())
        return False

    def stop(self, *names: str, timeout: timedelta) -> None:
        """Terminate these processes at the same time, and kill those that still run after the timeout."""
        stopped = [process for process in self._processes if process.name in names]
        self._processes = [process for process in self._processes if process not in stopped]
        terminate([child.process for child in stopped if child.process], timeout)

    def _restart_if_exited(self, child: SupervisedProcess) -> None:
        if child.process is None:
            if time.monotonic() >= child.restart_at:
                child.start()
        elif (code := child.process.poll()) is not None:
            child.schedule_restart()
            delay = child.restart_at - time.monotonic()
            self._report(
                f"{child.name} exited ({_describe_exit(code)}); "
                f"it restarts in {delay:.2g} s. See {child.log}"
            )

    def _stop(self, *_: object) -> None:
        self.stopping = True


def spawn(
    command: Sequence[str], *, env: Mapping[str, str], stdout: int | IO[bytes], stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a process that ends with this one, in its own group so that Ctrl-C does not reach it."""
    return subprocess.Popen(  # noqa: S603 - the caller chooses the command
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        process_group=0,
        preexec_fn=_die_with_parent(),  # noqa: PLW1509 - it only calls prctl and getppid
    )


def terminate(processes: Sequence[subprocess.Popen[bytes]], timeout: timedelta) -> None:
    """Terminate the processes at the same time, and kill those that still run after the timeout."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + timeout.total_seconds()
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent() -> Callable[[], None] | None:
    """Return a function for the child that asks Linux to kill it when its parent ends."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def set_parent_death_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return set_parent_death_signal


def _describe_exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
