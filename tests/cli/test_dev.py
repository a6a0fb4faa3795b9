"""Errors that `referrals dev` reports before it starts anything."""

import fcntl
import os
import socket
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from entrypoints.cli.dev_instance import load_or_create_secrets
from referrals.settings import Settings
from tests.call_graph import ROOT


def test_port_in_use_is_reported_with_its_option(run, tmp_path, monkeypatch):
    monkeypatch.setattr("entrypoints.cli.dev_instance.PORT_RELEASE_TIMEOUT", timedelta(0))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        others = ("--port", "0", "--temporal-port", "0")
        result = run("dev", "--data-dir", str(tmp_path), "--ui-port", str(port), *others)

    assert (result.code, result.out) == (1, "")
    assert f"Port {port} is in use: choose another with --ui-port." in result.err


def test_second_dev_in_the_same_directory_is_rejected(run, tmp_path):
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = run("dev", "--data-dir", str(tmp_path))

    assert (result.code, result.out) == (1, "")
    assert f"Another `referrals dev` is running in {tmp_path}" in result.err


def test_help_shows_the_defaults(run):
    shown = " ".join(
        run("dev", "--help").out.replace("\N{BOX DRAWINGS LIGHT VERTICAL}", " ").split()
    )

    for default in ("REFERRALS_DATA_DIR", ".referrals", "8080", "7233", "8233"):
        assert default in shown


def test_secrets_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path):
    settings = Settings(reward_key_secret=None, identity_secrets=None)
    first = load_or_create_secrets(settings, tmp_path)

    assert load_or_create_secrets(settings, tmp_path) == first
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    given = {name.removeprefix("REFERRALS_").lower(): value for name, value in first.items()}
    assert Settings.model_validate(given).identity.current_key_id == "dev"
    assert first["REFERRALS_WEBHOOK_SECRET"].startswith("whsec_")


@pytest.mark.parametrize("command", ["api", "worker"])
def test_production_refuses_to_start_without_secrets(command: str):
    result = subprocess.run(
        [sys.executable, "-m", "entrypoints.cli.main", command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert "REFERRALS_REWARD_KEY_SECRET is not set" in result.stderr
