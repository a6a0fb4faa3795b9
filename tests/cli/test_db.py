"""`referrals db`."""

import json
from pathlib import Path

import pytest

from tests.harness.identity import IDENTITY_SETTINGS


def test_contacts_are_rebuilt_only_with_the_secrets(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("REFERRALS_DATABASE_URL", f"sqlite:///{tmp_path}/referrals.db")
    run("db", "upgrade")
    without = run("db", "rebuild-contacts")
    for name in ("reward_key_secret", "identity_secrets"):
        secret = IDENTITY_SETTINGS[name].get_secret_value()
        monkeypatch.setenv(f"REFERRALS_{name.upper()}", secret)
    done = run("db", "rebuild-contacts", "--json")

    assert (without.code, "REFERRALS_REWARD_KEY_SECRET is not set" in without.err) == (1, True)
    assert (done.code, json.loads(done.out)) == (0, {"changed": 0})
