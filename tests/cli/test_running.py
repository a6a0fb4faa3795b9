"""`referrals dev` and `demo` as they are used: real processes, a real Temporal server."""

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


class Site:
    """A data directory, `referrals dev` in it, and the commands beside it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.notes = data_dir.with_name("notes")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("REFERRALS_")}
        self.env["REFERRALS_DATA_DIR"] = str(data_dir)
        self.dev: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """The line with which it says that it is ready."""
        command = (*REFERRALS, "dev", *FREE_PORTS)
        with self.notes.open("w") as notes:
            self.dev = subprocess.Popen(
                command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, stderr=notes, text=True
            )
        return self.dev.stdout.readline()

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """The exit code, and what was printed after the first line."""
        self.dev.send_signal(number)
        rest, _ = self.dev.communicate(timeout=30)
        return self.dev.returncode, rest

    def run(self, *arguments: str, stdin: str = "") -> str:
        command = (*REFERRALS, *arguments)
        return subprocess.check_output(command, cwd=ROOT, env=self.env, input=stdin, text=True)

    def is_scheduled(self, schedule: str) -> bool:
        address = (self.data_dir / "temporal-address").read_text()
        command = (executable("temporal"), "schedule", "describe", "--schedule-id", schedule)
        asked = subprocess.run((*command, "--address", address), capture_output=True, check=False)
        return asked.returncode == 0

    def points(self, customer: str) -> str:
        wallet = json.loads(self.run("customer", "show", customer, "--json"))["wallet"]
        return wallet["balances"][0]["balance"]

    def send(self, number: int, **data: object) -> dict[str, object]:
        event = {"specversion": "1.0", "id": str(number), "source": "test", "data": data}
        event["type"] = "referral_converted"
        return json.loads(self.run("event", "send", "--json", stdin=json.dumps(event)))


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "data")
    yield site
    if site.dev and site.dev.poll() is None:
        site.dev.kill()
        site.dev.communicate()


def test_dev_goes_on_where_it_was_killed_and_stops_cleanly(site, tmp_path):
    assert site.start().startswith("ready http://127.0.0.1:")
    assert f"REFERRALS_DATA_DIR={site.data_dir}" in site.notes.read_text()
    key_file = site.data_dir / "api-key"
    key = key_file.read_text()
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600

    file = tmp_path / "spring.yaml"
    file.write_text(CAMPAIGN)
    site.run("campaign", "apply", str(file))
    # What is shown can be applied, and is the same campaign.
    shown = site.run("campaign", "show", "spring")
    assert "version 1" in site.run("campaign", "apply", "-", stdin=shown)
    code = json.loads(site.run("publish", "spring", "ada", "--json"))["code"]
    order = {"id": "1", "amount": "10.00", "currency": "EUR"}
    first = site.send(1, code=code, friend={"id": "fay"}, order=order)
    assert first["decision"] == "accepted"
    checks = json.loads(site.run("doctor", "--json"))
    assert [check["name"] for check in checks if not check["ok"]] == []

    assert site.end(signal.SIGKILL) == (-signal.SIGKILL, "")
    assert site.start().startswith("ready http://127.0.0.1:")

    assert key_file.read_text() == key
    assert site.is_scheduled("expiry")
    assert site.points("fay") == "50"
    assert site.send(1, code=code, friend={"id": "fay"}, order=order) == first
    asked = time.monotonic()
    assert site.end(signal.SIGINT) == (0, "")
    assert time.monotonic() - asked < 10
    assert not (site.data_dir / "api-url").exists()


def test_the_demo_comes_out_as_it_should_and_leaves_nothing_behind(tmp_path):
    env = os.environ | {"TMPDIR": str(tmp_path), "REFERRALS_API_KEY": "of another system"}
    out = subprocess.check_output((*REFERRALS, "demo", "--json"), cwd=ROOT, env=env, text=True)

    steps = [json.loads(line) for line in out.splitlines()]
    assert [step["step"] for step in steps] == list(range(1, 14))
    assert list(tmp_path.iterdir()) == []
