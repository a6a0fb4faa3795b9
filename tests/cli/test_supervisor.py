"""The supervisor, with children of a few lines: each calls the test, says its process id, and then waits."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PARENT = """
import signal, sys
from pathlib import Path
from entrypoints.cli.supervisor import Child, Supervisor

program, port, log, within = sys.argv[1:]
supervisor = Supervisor(lambda text: print(text, flush=True))
supervisor.stop_on(signal.SIGINT, signal.SIGTERM)
supervisor.start(Child("child", [sys.executable, "-c", program, port], Path(log), {}))
supervisor.tend()
supervisor.stop("child", within=float(within))
"""
HELLO = """
import os, signal, socket, sys
line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
line.sendall(b"%d" % os.getpid())
"""
WAITS = HELLO + "signal.pause()"
LINGERS = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + WAITS
PATIENCE = 30


class Nursery:
    """Where the children call: a call tells who it is, and its end that this child has died."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self.port = self._listener.getsockname()[1]
        self._calls: list[socket.socket] = []

    def next_child(self) -> int:
        call, _ = self._listener.accept()
        call.settimeout(PATIENCE)
        self._calls.append(call)
        return int(call.recv(20))

    def last_child_is_dead(self) -> bool:
        try:
            return self._calls[-1].recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        for opened in (self._listener, *self._calls):
            opened.close()


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def supervise(nursery, tmp_path):
    """Start a supervisor in a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def supervise(program: str, within: float = 10) -> subprocess.Popen[str]:
        log = tmp_path / "log"
        command = [sys.executable, "-c", PARENT, program, str(nursery.port), log, str(within)]
        root = Path(__file__).parents[2]
        started.append(subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield supervise
    for process in started:
        process.kill()
        process.communicate()


def test_a_child_that_dies_is_started_again_and_the_reason_told(supervise, nursery):
    supervisor = supervise(WAITS)
    first = nursery.next_child()
    os.kill(first, signal.SIGKILL)

    assert first != nursery.next_child()
    line = supervisor.stdout.readline()
    assert line.startswith("child ended (signal 9); it starts again in ")


def test_the_pause_before_a_restart_grows(supervise, nursery):
    supervisor = supervise(HELLO + "sys.exit(3)")

    pauses = [
        float(supervisor.stdout.readline().split("again in ")[1].split()[0]) for _ in range(3)
    ]

    assert pauses[0] * 3 < pauses[1] * 2 < pauses[2] * 1.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_children_and_ends_with_exit_code_0(supervise, nursery, number):
    supervisor = supervise(WAITS)
    nursery.next_child()
    supervisor.send_signal(number)

    assert supervisor.wait(PATIENCE) == 0
    assert nursery.last_child_is_dead()


def test_a_child_that_lingers_is_killed(supervise, nursery):
    supervisor = supervise(LINGERS, within=0.2)
    nursery.next_child()
    supervisor.terminate()

    assert supervisor.wait(PATIENCE) == 0
    assert nursery.last_child_is_dead()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_no_child_survives_a_kill_of_its_parent(supervise, nursery):
    supervisor = supervise(LINGERS)
    nursery.next_child()
    supervisor.kill()

    assert nursery.last_child_is_dead()


def test_what_a_child_prints_goes_to_its_log_over_all_its_runs(supervise, nursery, tmp_path):
    supervise(HELLO + "print('hello', flush=True); print('trouble', file=sys.stderr)")
    nursery.next_child()
    nursery.next_child()

    assert (tmp_path / "log").read_text().startswith("hello\ntrouble\n")
