"""`referrals dev` and `demo` with real processes and a real Temporal server."""

import json
import os
import signal
import stat
import subprocess
import time

import pytest

from tests.harness.dev_harness import REFERRALS, ROOT, DevHarness

CAMPAIGN = """\
campaign: spring
name: Spring
landing_url: https://shop.example/welcome
rewards:
  friend: {type: points, amount: 50}
"""


@pytest.fixture
def harness(tmp_path):
    harness = DevHarness(tmp_path / "data")
    yield harness
    harness.kill()


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
