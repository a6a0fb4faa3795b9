"""`referrals db …` and `key …`, on a database of their own."""

import pytest


@pytest.fixture
def database(run, monkeypatch, tmp_path):
    monkeypatch.setenv("REFERRALS_DATABASE_URL", f"sqlite:///{tmp_path}/referrals.db")
    assert run("db", "upgrade").code == 0


@pytest.mark.usefixtures("database")
def test_a_key_is_shown_once_and_can_be_ended(run):
    key = run("key", "create", "shop").out.strip()
    assert key

    assert key not in run("key", "list", "--json").out
    assert run("key", "revoke", "shop").code == 0
    [listed] = run("key", "list", "--json").json
    assert (listed["name"], bool(listed["revoked_at"])) == ("shop", True)


@pytest.mark.usefixtures("database")
def test_a_name_stands_for_one_valid_key(run):
    assert run("key", "create", "shop").code == 0

    again = run("key", "create", "shop")

    assert (again.code, again.out) == (1, "")
    assert "revoke it first" in again.err


@pytest.mark.usefixtures("database")
def test_a_key_that_is_not_there_cannot_be_ended(run):
    assert "There is no key 'nobody'" in run("key", "revoke", "nobody").err


@pytest.mark.parametrize("command", [("list",), ("create", "shop"), ("revoke", "shop")])
def test_a_database_that_is_not_there_is_not_made_by_a_look(run, monkeypatch, tmp_path, command):
    file = tmp_path / "none.db"
    monkeypatch.setenv("REFERRALS_DATABASE_URL", f"sqlite:///{file}")

    result = run("key", *command)

    assert (result.code, result.out) == (1, "")
    assert f"There is no database {file}" in result.err
    for remedy in ("`referrals db upgrade`", "REFERRALS_DATABASE_URL", "REFERRALS_DATA_DIR"):
        assert remedy in result.err
    assert not file.exists()


def test_a_database_without_tables_names_the_command_that_makes_them(run, monkeypatch, tmp_path):
    (tmp_path / "empty.db").touch()
    monkeypatch.setenv("REFERRALS_DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")

    result = run("key", "list")

    assert result.code == 1
    assert "`referrals db upgrade`" in result.err


@pytest.mark.usefixtures("database")
def test_times_are_written_as_the_api_writes_them(run):
    run("key", "create", "shop")

    [listed] = run("key", "list", "--json").json
    assert listed["created_at"].endswith("Z")


def test_a_password_in_the_databases_url_is_not_shown(run, monkeypatch):
    monkeypatch.setenv("REFERRALS_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/referrals")

    result = run("db", "upgrade")

    assert result.code == 1
    assert "127.0.0.1:1" in result.err
    assert "secret" not in result.err


def test_beside_dev_its_database_is_meant(run, monkeypatch, tmp_path):
    directory = tmp_path / "data"
    directory.mkdir()
    monkeypatch.setenv("REFERRALS_DATABASE_URL", f"sqlite:///{directory}/referrals.db")
    assert run("db", "upgrade").code == 0
    monkeypatch.delenv("REFERRALS_DATABASE_URL")

    assert run("key", "list", "--json").json == []
