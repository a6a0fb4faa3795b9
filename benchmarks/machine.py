"""CPU and memory of processes from Linux's /proc, and processes that answer line by line."""

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from entrypoints.cli.supervisor import spawn, terminate

TICKS = os.sysconf("SC_CLK_TCK")
NAME_END = 2
"""Number of fields in /proc/PID/stat before the state, which follows the name in parentheses."""


class Gone(RuntimeError):
    """A process ended before it answered. Its log has the reason."""


class Process:
    """A background process with a log file. With `answers` it reads JSON lines and answers each with one."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], log: Path, *, answers: bool = False
    ) -> None:
        self.log = log
        self._ready = False
        with log.open("ab") as file:
            if answers:
                self._process = subprocess.Popen(  # noqa: S603 - our own command
                    command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file
                )
            else:
                self._process = spawn(command, env=env, stdout=file, stderr=file)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self) -> None:
        """Wait for the first output line, which announces readiness."""
        if not self._ready:
            self._line()
            self._ready = True

    def ask(self, **order: Any) -> dict[str, Any]:
        self.ready()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return self._line()

    def stop(self) -> None:
        terminate([self._process], timedelta(seconds=10))
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Gone(f"{self.log.stem} ended: {self.log.read_text(errors='replace')[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process and its children, including those it has waited for."""
    children: dict[int, list[int]] = defaultdict(list)
    spent: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        number = int(stat.parent.name)
        children[int(fields[1])].append(number)
        spent[number] = sum(int(ticks) for ticks in fields[13 - NAME_END : 17 - NAME_END])
    return _sum(pid, children, spent) / TICKS


def _sum(pid: int, children: Mapping[int, list[int]], spent: Mapping[int, int]) -> int:
    below = sum(_sum(child, children, spent) for child in children.get(pid, ()))
    return spent.get(pid, 0) + below


def memory(pid: int) -> int:
    """Return the resident memory of the process in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise Gone(f"process {pid} has ended")
