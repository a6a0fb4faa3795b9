"""The running engine in `referrals doctor`, and a shell with other settings."""

from pathlib import Path
from typing import Any

import pytest

from entrypoints.cli import doctor_engine
from entrypoints.cli.doctor_database import CheckFailedError, NeedsAttentionError
from referrals.settings import Settings

INSTALLATION: dict[str, Any] = {
    "version": "0.1.0",
    "database": "sqlite:////srv/referrals.db",
    "templates": None,
    "public_url": "https://go.example",
    "namespace": "default",
    "versions_in_use": 2,
    "campaign_problems": [],
}


def settings(api: Any, **values: Any) -> Settings:
    given = {"database_url": "sqlite:////srv/referrals.db", "api_url": api.url} | values
    return Settings.model_validate(given)


async def test_the_running_engine_is_named_and_asked_about_its_campaigns(api):
    api.answer("GET /v1/installation", INSTALLATION)
    engine = doctor_engine.ask(settings(api))

    assert "database sqlite:////srv/referrals.db, built-in templates only" in await engine.report()
    assert await engine.check_campaigns(settings(api)) == (
        "2 versions in use are valid with the settings of the running engine"
    )


async def test_a_shell_with_other_settings_is_a_warning(api, tmp_path: Path):
    api.answer("GET /v1/installation", INSTALLATION | {"campaign_problems": ["spring: x"]})
    mine = settings(api, database_url="sqlite:///mine.db", templates_dir=tmp_path)
    engine = doctor_engine.ask(mine)

    with pytest.raises(
        NeedsAttentionError, match=r"This shell has database sqlite:///mine\.db, templ"
    ):
        await engine.report()
    with pytest.raises(NeedsAttentionError, match="spring: x"):
        await engine.check_campaigns(mine)
    assert doctor_engine.describe_shell(mine).startswith("database sqlite:///mine.db, templates /")


async def test_an_engine_that_does_not_respond_fails_the_check(api):
    engine = doctor_engine.ask(settings(api, api_url="http://127.0.0.1:1"))

    with pytest.raises(CheckFailedError, match="Cannot connect to the API"):
        await engine.report()
