"""`referrals key` and `db`, with a database of the test."""

import pytest


@pytest.fixture
def database(run, monkeypatch, tmp_path):
    monkeypatch.setenv("REFERRALS_DATABASE_URL", f"sqlite:///{tmp_path}/referrals.db")
    assert run("db", "upgrade").code == 0


@pytest.mark.usefixtures("database")
def test_key_is_printed_once_and_can_be_revoked(run):
    key = run("key", "create", "shop").out.strip()
    assert key

    assert key not in run("key", "list", "--json").out
    assert run("key", "revoke", "shop").code == 0
    [listed] = run("key", "list", "--json").json
    assert (listed["name"], bool(listed["revoked_at"])) == ("shop", True)


@pytest.mark.usefixtures("database")
def test_name_of_an_active_key_cannot_be_reused(run):
    assert run("key", "create", "shop").code == 0

    second = run("key", "create", "shop")

    assert (second.code, second.out) == (1, "")
    assert "Revoke it first" in second.err


@pytest.mark.usefixtures("database")
def test_unknown_key_cannot_be_revoked(run):
    assert "There is no active key 'nobody'" in run("key", "revoke", "nobody").err


@pytest.mark.parametrize("command", [("list",), ("create", "shop"), ("revoke", "shop")])
def test_missing_database_is_reported_and_not_created(run, monkeypatch, tmp_path, command):
    file = tmp_path / "none.db"
    monkeypatch.setenv("REFERRALS_DATABASE_URL", f"sqlite:///{file}")

    result = run("key", *command)

    assert (result.code, result.out) == (1, "")
    assert f"The database {file} does not exist" in result.err
    for remedy in ("`referrals db upgrade`", "REFERRALS_DATABASE_URL", "REFERRALS_DATA_DIR"):
        assert remedy in result.err
    assert not file.exists()


def test_database_without_tables_suggests_an_upgrade(run, monkeypatch, tmp_path):
    (tmp_path / "empty.db").touch()
    monkeypatch.setenv("REFERRALS_DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")

    result = run("key", "list")

    assert result.code == 1
    assert "`referrals db upgrade`" in result.err


@pytest.mark.usefixtures("database")
def test_times_have_the_format_of_the_api(run):
    run("key", "create", "shop")

    [listed] = run("key", "list", "--json").json
    assert listed["created_at"].endswith("Z")


def test_password_of_the_database_is_not_printed(run, monkeypatch):
    monkeypatch.setenv("REFERRALS_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/referrals")

    result = run("db", "upgrade")

    assert result.code == 1
    assert "127.0.0.1:1" in result.err
    assert "secret" not in result.err


def test_database_of_dev_is_used_by_default(run, monkeypatch, tmp_path):
    directory = tmp_path / "data"
    directory.mkdir()
    monkeypatch.setenv("REFERRALS_DATABASE_URL", f"sqlite:///{directory}/referrals.db")
    assert run("db", "upgrade").code == 0
    monkeypatch.delenv("REFERRALS_DATABASE_URL")

    assert run("key", "list", "--json").json == []
