"""What `referrals dev` refuses before it starts anything."""

import fcntl
import socket


def test_a_taken_port_is_named_with_the_option_that_chooses_another(run, tmp_path, monkeypatch):
    monkeypatch.setattr("entrypoints.cli.dev.PORT_FREE_WITHIN", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        others = ("--port", "0", "--temporal-port", "0")
        result = run("dev", "--data-dir", str(tmp_path), "--ui-port", str(port), *others)

    assert (result.code, result.out) == (1, "")
    assert f"Port {port} is taken: choose another with --ui-port." in result.err


def test_two_of_them_do_not_share_a_directory(run, tmp_path):
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = run("dev", "--data-dir", str(tmp_path))

    assert (result.code, result.out) == (1, "")
    assert f"Another `referrals dev` is running in {tmp_path}" in result.err


def test_help_says_what_is_done_without_options(run):
    shown = " ".join(
        run("dev", "--help").out.replace("\N{BOX DRAWINGS LIGHT VERTICAL}", " ").split()
    )

    for default in ("REFERRALS_DATA_DIR", ".referrals", "8080", "7233", "8233"):
        assert default in shown
