"""The settings of the running engine, and checks of its templates and campaigns."""

from pathlib import Path

from referrals.version import VERSION
from tests.api.conftest import Api
from tests.harness.campaigns import campaign

JOURNEY = {
    "name": "vip",
    "on": "referral_converted",
    "steps": [{"webhook": {"url": "https://crm.example/hooks"}}],
}


async def test_the_engine_says_what_it_uses_and_what_its_campaigns_lack(api: Api):
    await api.harness.apply(campaign(journeys=[JOURNEY]))
    found = (await api.get("/v1/installation")).json()

    assert (found["version"], found["public_url"]) == (VERSION, "https://go.example")
    assert found["database"].startswith("sqlite:///")
    assert found["versions_in_use"] == 1
    (problem,) = found["campaign_problems"]
    assert problem.startswith("spring, version 2: journeys[0].steps[0].webhook: needs the setting")


async def test_the_templates_of_the_engine_are_checked(api: Api, tmp_path: Path):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "hello.jinja").write_text("{% block subject %}{{ frend }}{% endblock %}")

    found = (await api.http.post("/v1/templates/check")).json()

    assert any("hello.jinja" in problem["file"] for problem in found["problems"])
