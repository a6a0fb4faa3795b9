"""`referrals dev` and `demo` with real processes and a real Temporal server."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness.world import executable

REFERRALS = (sys.executable, "-m", "entrypoints.cli.main")
FREE_PORTS = ("--port=0", "--temporal-port=0", "--ui-port=0")
ROOT = Path(__file__).parents[2]

CAMPAIGN = """\
campaign: spring
name: Spring
landing_url: https://shop.example/welcome
rewards:
  friend: {type: points, amount: 50}
"""


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

    def run(self, *arguments: str, stdin: str = "") -> str:
        command = (*REFERRALS, *arguments)
        return subprocess.check_output(command, cwd=ROOT, env=self.env, input=stdin, text=True)

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


@pytest.fixture
def harness(tmp_path):
    harness = DevHarness(tmp_path / "data")
    yield harness
    if harness.dev and harness.dev.poll() is None:
        harness.dev.kill()
        harness.dev.communicate()


def test_dev_resumes_after_a_kill_and_stops_cleanly(harness, tmp_path):
    assert harness.start().startswith("ready http://127.0.0.1:")
    assert f"REFERRALS_DATA_DIR={harness.data_dir}" in harness.log.read_text()
    key_file = harness.data_dir / "api-key"
    key = key_file.read_text()
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600

    file = tmp_path / "spring.yaml"
    file.write_text(CAMPAIGN)
    harness.run("campaign", "apply", str(file))
    # The output of `show` can be applied and makes no new version.
    shown = harness.run("campaign", "show", "spring")
    assert "version 1" in harness.run("campaign", "apply", "-", stdin=shown)
    code = json.loads(harness.run("publish", "spring", "ada", "--json"))["code"]
    order = {"id": "1", "amount": "10.00", "currency": "EUR"}
    first = harness.send(1, code=code, friend={"id": "fay"}, order=order)
    assert first["decision"] == "accepted"
    checks = json.loads(harness.run("doctor", "--json"))
    assert [check["name"] for check in checks if not check["ok"]] == []

    assert harness.stop(signal.SIGKILL) == (-signal.SIGKILL, "")
    assert harness.start().startswith("ready http://127.0.0.1:")

    assert key_file.read_text() == key
    assert harness.is_scheduled("expiry")
    assert harness.points("fay") == "50"
    assert harness.send(1, code=code, friend={"id": "fay"}, order=order) == first
    stopped_at = time.monotonic()
    assert harness.stop(signal.SIGINT) == (0, "")
    assert time.monotonic() - stopped_at < 60
    assert not (harness.data_dir / "api-url").exists()


def test_demo_succeeds_and_removes_its_files(tmp_path):
    env = os.environ | {"TMPDIR": str(tmp_path), "REFERRALS_API_KEY": "of another system"}
    out = subprocess.check_output((*REFERRALS, "demo", "--json"), cwd=ROOT, env=env, text=True)

    steps = [json.loads(line) for line in out.splitlines()]
    assert [step["step"] for step in steps] == list(range(1, 14))
    assert list(tmp_path.iterdir()) == []
