"""The supervisor with small child processes, each of which connects to the test and sends its process id."""

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
from datetime import timedelta
from pathlib import Path
from entrypoints.cli.supervisor import SupervisedProcess, Supervisor

program, port, log, timeout = sys.argv[1:]
supervisor = Supervisor(lambda text: print(text, flush=True))
supervisor.stop_on(signal.SIGINT, signal.SIGTERM)
supervisor.start(SupervisedProcess("child", [sys.executable, "-c", program, port], Path(log), {}))
supervisor.supervise()
supervisor.stop("child", timeout=timedelta(seconds=float(timeout)))
"""
CONNECT = """
import os, signal, socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(b"%d" % os.getpid())
"""
WAIT = CONNECT + "signal.pause()"
IGNORE_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + WAIT
TIMEOUT = 30


class ChildListener:
    """Accepts connections of children. A connection sends the process id, and closes when the child dies."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TIMEOUT)
        self.port = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []

    def next_child(self) -> int:
        connection, _ = self._listener.accept()
        connection.settimeout(TIMEOUT)
        self._connections.append(connection)
        return int(connection.recv(20))

    def last_child_is_dead(self) -> bool:
        try:
            return self._connections[-1].recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        for open_socket in (self._listener, *self._connections):
            open_socket.close()


@pytest.fixture
def listener() -> Iterator[ChildListener]:
    listener = ChildListener()
    yield listener
    listener.close()


@pytest.fixture
def supervise(listener, tmp_path):
    """Start a supervisor in its own process."""
    started: list[subprocess.Popen[str]] = []

    def supervise(program: str, timeout: float = 10) -> subprocess.Popen[str]:
        log = tmp_path / "log"
        command = [sys.executable, "-c", PARENT, program, str(listener.port), log, str(timeout)]
        root = Path(__file__).parents[2]
        started.append(subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield supervise
    for process in started:
        process.kill()
        process.communicate()


def test_child_is_restarted_and_its_exit_reported(supervise, listener):
    supervisor = supervise(WAIT)
    first = listener.next_child()
    os.kill(first, signal.SIGKILL)

    assert first != listener.next_child()
    line = supervisor.stdout.readline()
    assert line.startswith("child exited (signal 9); it restarts in ")


def test_restart_delay_grows(supervise, listener):
    supervisor = supervise(CONNECT + "sys.exit(3)")

    delays = [
        float(supervisor.stdout.readline().split("restarts in ")[1].split()[0]) for _ in range(3)
    ]

    assert delays[0] * 3 < delays[1] * 2 < delays[2] * 1.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_children_with_exit_code_0(supervise, listener, number):
    supervisor = supervise(WAIT)
    listener.next_child()
    supervisor.send_signal(number)

    assert supervisor.wait(TIMEOUT) == 0
    assert listener.last_child_is_dead()


def test_child_that_ignores_sigterm_is_killed(supervise, listener):
    supervisor = supervise(IGNORE_SIGTERM, timeout=0.2)
    listener.next_child()
    supervisor.terminate()

    assert supervisor.wait(TIMEOUT) == 0
    assert listener.last_child_is_dead()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_children_die_with_their_parent(supervise, listener):
    supervisor = supervise(IGNORE_SIGTERM)
    listener.next_child()
    supervisor.kill()

    assert listener.last_child_is_dead()


def test_output_of_all_runs_is_appended_to_the_log(supervise, listener, tmp_path):
    supervise(CONNECT + "print('hello', flush=True); print('trouble', file=sys.stderr)")
    listener.next_child()
    listener.next_child()

    assert (tmp_path / "log").read_text().startswith("hello\ntrouble\n")
