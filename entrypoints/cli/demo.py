"""`referrals demo`: run a whole referral lifecycle on a temporary system."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from entrypoints.cli.client import ApiClient
from entrypoints.cli.demo_scenario import Scenario
from entrypoints.cli.errors import CommandError
from entrypoints.cli.options import JsonOutput
from entrypoints.cli.output import print_line
from entrypoints.cli.supervisor import spawn, terminate

SHUTDOWN_TIMEOUT = timedelta(seconds=10)
LOG_LINES_SHOWN = 5


def demo(as_json: JsonOutput = False) -> None:
    """Run a whole referral lifecycle on a temporary system and print each step.

    Exit code 1 if a result is wrong.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if not as_json:
        print_line("Starting Temporal, a worker and the API in a temporary directory …", "dim")
    with _temporary_system() as client, client:
        scenario = Scenario(client, as_json)
        scenario.run()
    if not as_json:
        print_line(f"All {scenario.steps} steps succeeded.", "bold green")


@contextmanager
def _temporary_system() -> Iterator[ApiClient]:
    """Run `referrals dev` on free ports in a temporary directory, and remove both afterwards."""
    with TemporaryDirectory(prefix="referrals-demo-") as name:
        directory = Path(name)
        process = _start_dev(directory)
        try:
            yield ApiClient(_wait_for_url(process), (directory / "api-key").read_text())
        except CommandError as error:
            raise CommandError(str(error), [*error.details, *_log_tails(directory)]) from error
        finally:
            terminate([process], SHUTDOWN_TIMEOUT)


def _start_dev(directory: Path) -> subprocess.Popen[bytes]:
    ports = ("--port=0", "--temporal-port=0", "--ui-port=0")
    command = ["-P", "-m", "entrypoints.cli.main", "dev", f"--data-dir={directory}", *ports]
    env = {key: value for key, value in os.environ.items() if not key.startswith("REFERRALS_")}
    with (directory / "dev.log").open("wb") as log:
        return spawn([sys.executable, *command], env=env, stdout=subprocess.PIPE, stderr=log)


def _wait_for_url(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    with process.stdout:
        word, _, url = process.stdout.readline().decode().strip().partition(" ")
    if word != "ready":
        raise CommandError("The system failed to start.")
    return url


def _log_tails(directory: Path) -> Sequence[str]:
    """Return the last lines of each log, because the directory is about to be removed."""
    return [
        f"{log.name}: {line}"
        for log in sorted(directory.glob("*.log"))
        for line in log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    ]
