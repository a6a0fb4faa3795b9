"""What processes cost, by Linux's /proc, and processes that answer line by line."""

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
"""Fields of /proc/PID/stat before the state, which stands behind the name in parentheses."""


class Gone(RuntimeError):
    """A process ended although it was to answer; its log says why."""


class Process:
    """A program in the background, with its log; with `answers` it takes JSON lines and answers each with one."""

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
        """Wait for its first line, which says so."""
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
    """User and system time of a process and all that it started, as long as they live or it has waited for them."""
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
    """Bytes of memory that the process holds now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise Gone(f"process {pid} has ended")
