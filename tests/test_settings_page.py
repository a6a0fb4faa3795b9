"""docs/settings.md lists every setting with its default."""

import re
from datetime import timedelta

from referrals.settings import Settings
from tests.call_graph import ROOT

ROW = re.compile(r"^\| (`REFERRALS_[^|]*) \| ([^|]*) \|", re.MULTILINE)


def test_every_setting_is_documented_once():
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    documented = [name for names, _ in ROW.findall(text) for name in re.findall(r"`(\w+)`", names)]

    assert sorted(documented) == sorted(
        f"REFERRALS_{name.upper()}" for name in Settings.model_fields
    )


def test_documented_defaults_are_those_of_the_settings():
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    settings = Settings(_env_file=None)
    for names, defaults in ROW.findall(text):
        if "written by" in defaults:
            continue
        variables = re.findall(r"`REFERRALS_(\w+)`", names)
        values = re.findall(r"`([^`]*)`", defaults)
        for variable, value in zip(variables, values, strict=False):
            assert value == _text(getattr(settings, variable.lower())), variable


def _text(value: object) -> str:
    """Return the value as it is written in an environment variable."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        days, rest = divmod(value, timedelta(days=1))
        return f"P{days}D" if days and not rest else f"PT{value.total_seconds():g}S"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).replace("+aiosqlite", "")
