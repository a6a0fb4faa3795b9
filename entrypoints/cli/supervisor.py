"""Child processes that are started again when they die, and never outlive this process on Linux.

Elsewhere than on Linux, children survive a `kill -9` of this process and have to be ended by hand.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

TICK = 0.05
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 3.0
LONG_ENOUGH = 5.0
"""A child that ran for so many seconds had started well: its next pause is the first again."""
PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """One process and its log file, to which every run of it appends."""

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    due_at: float = field(default=0.0, init=False)
    failures: int = field(default=0, init=False)

    def start(self) -> None:
        """Call it from the main thread: Linux ends the child when the thread that started it ends."""
        with self.log.open("ab") as log:
            self.process = spawn(self.command, env=self.env, stdout=log, stderr=log)
        self.started_at = time.monotonic()

    def note_exit(self) -> None:
        """Settle when to start again: after a pause that doubles with each quick death."""
        now = time.monotonic()
        self.failures = 0 if now - self.started_at >= LONG_ENOUGH else self.failures + 1
        self.due_at = now + min(FIRST_PAUSE * 2**self.failures, LONGEST_PAUSE)
        self.process = None


class Supervisor:
    """Tends its children until it is told to stop, by `stopping` or by a signal."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.stopping = False
        self._report = report
        self._children: list[Child] = []

    def stop_on(self, *signals: signal.Signals) -> None:
        """From here on these signals end `tend` instead of the process."""
        for number in signals:
            signal.signal(number, self._stop)

    def start(self, child: Child) -> None:
        child.start()
        self._children.append(child)

    def tend(self, until: Callable[[], bool] = lambda: False, within: float | None = None) -> bool:
        """Start again what dies, until the condition holds, the seconds are over or it is to stop.

        The answer is whether the condition held.
        """
        deadline = None if within is None else time.monotonic() + within
        while not self.stopping and (deadline is None or time.monotonic() < deadline):
            for child in self._children:
                self._tend(child)
            if until():
                return True
            time.sleep(TICK)
        return False

    def stop(self, *names: str, within: float) -> None:
        """Terminate these children, all at once, and kill those that linger after `within` seconds."""
        leaving = [child for child in self._children if child.name in names]
        self._children = [child for child in self._children if child not in leaving]
        end([child.process for child in leaving if child.process], within)

    def _tend(self, child: Child) -> None:
        if child.process is None:
            if time.monotonic() >= child.due_at:
                child.start()
        elif (code := child.process.poll()) is not None:
            child.note_exit()
            pause = child.due_at - time.monotonic()
            self._report(
                f"{child.name} ended ({_how(code)}); it starts again in {pause:.2g} s. See {child.log}"
            )

    def _stop(self, *_: object) -> None:
        self.stopping = True


def spawn(
    command: Sequence[str], *, env: Mapping[str, str], stdout: int | IO[bytes], stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    """A process in a group of its own (an interrupt at the terminal is for us) that ends when we do."""
    return subprocess.Popen(  # noqa: S603 - the command is the caller's own
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        process_group=0,
        preexec_fn=_die_with_parent(),  # noqa: PLW1509 - it calls nothing but prctl and getppid
    )


def end(processes: Sequence[subprocess.Popen[bytes]], within: float) -> None:
    """Terminate all of them, and kill those that linger after `within` seconds."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + within
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def arm() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return arm


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
