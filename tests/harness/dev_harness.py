"""`referrals dev` as a real process with a real Temporal server."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.harness.world import executable

REFERRALS = (sys.executable, "-m", "entrypoints.cli.main")
FREE_PORTS = ("--port=0", "--temporal-port=0", "--ui-port=0")
ROOT = Path(__file__).parents[2]


class DevHarness:
    """Runs `referrals dev` in a data directory, and other commands against it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.log = data_dir.with_name("dev.log")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("REFERRALS_")}
        self.env["REFERRALS_DATA_DIR"] = str(data_dir)
        self.dev: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Start `referrals dev` and return the first line that it prints."""
        command = (*REFERRALS, "dev", *FREE_PORTS)
        with self.log.open("w") as log:
            self.dev = subprocess.Popen(
                command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, stderr=log, text=True
            )
        return self.dev.stdout.readline()

    def stop(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal and return the exit code and the output after the first line."""
        self.dev.send_signal(number)
        output, _ = self.dev.communicate(timeout=120)
        return self.dev.returncode, output

    @property
    def key(self) -> str:
        return (self.data_dir / "api-key").read_text().strip()

    def run(self, *arguments: str, stdin: str = "") -> str:
        command = (*REFERRALS, *arguments)
        return subprocess.check_output(command, cwd=ROOT, env=self.env, input=stdin, text=True)

    def kill(self) -> None:
        if self.dev and self.dev.poll() is None:
            self.dev.kill()
            self.dev.communicate()

    def is_scheduled(self, schedule: str) -> bool:
        address = (self.data_dir / "temporal-address").read_text()
        command = (executable("temporal"), "schedule", "describe", "--schedule-id", schedule)
        result = subprocess.run((*command, "--address", address), capture_output=True, check=False)
        return result.returncode == 0

    def points(self, customer: str) -> str:
        wallet = json.loads(self.run("customer", "show", customer, "--json"))["wallet"]
        return wallet["balances"][0]["balance"]

    def send(self, number: int, **data: object) -> dict[str, object]:
        event = {"specversion": "1.0", "id": str(number), "source": "test", "data": data}
        event["type"] = "referral_converted"
        return json.loads(self.run("event", "send", "--json", stdin=json.dumps(event)))
