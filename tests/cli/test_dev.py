"""Errors that `referrals dev` reports before it starts anything."""

import fcntl
import socket
from datetime import timedelta


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
