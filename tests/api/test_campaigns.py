"""`/v1/campaigns`."""

import json
from pathlib import Path

import pytest

from inbox.process import EventResponse
from tests.api.conftest import Api
from tests.api.problems import problem
from tests.harness.campaigns import THANKS, campaign

SUMMER = """\
campaign: summer
name: Summer
landing_url: https://shop.example/summer
rewards:
  friend: {type: points, amount: 50}
  tiers:
    - {name: each, each: true, reward: {type: points, amount: 100}}
"""
YAML = {"content-type": "application/yaml"}


async def test_a_campaign_is_applied_from_json(api: Api):
    answer = (await api.http.put("/v1/campaigns/winter", json=campaign("winter"))).json()

    assert (answer["campaign"], answer["version"], answer["state"]) == ("winter", 1, "running")
    assert answer["definition"]["rewards"]["friend"]["amount"] == 50
    applied = {name: answer.pop(name) for name in ("changes", "effects", "dry_run")}
    assert applied == {"changes": [], "effects": [], "dry_run": False}
    assert (await api.get("/v1/campaigns/winter")).json() == answer


@pytest.mark.parametrize("kind", ["application/yaml", "text/yaml", "application/x-yaml"])
async def test_a_campaign_is_applied_from_yaml(api: Api, kind: str):
    response = await api.http.put(
        "/v1/campaigns/summer", content=SUMMER, headers={"content-type": kind}
    )

    assert response.status_code == 200
    assert response.json()["definition"]["name"] == "Summer"


async def test_applying_an_unchanged_campaign_creates_no_version(api: Api):
    first = (await api.put_campaign()).json()
    changed = (await api.put_campaign(conversion={"hold": "P14D"})).json()
    repeated = (await api.put_campaign(conversion={"hold": "P14D"})).json()

    assert [answer["version"] for answer in (first, changed, repeated)] == [1, 2, 2]


async def test_the_definition_of_a_campaign_can_be_applied_again(api: Api):
    conversion = {"hold": "P14D", "rules": [{"name": "r", "when": "true", "message": "No."}]}
    limits = {"cooldown": {"period": "P1D", "on_hit": "defer"}}
    applied = (await api.put_campaign(conversion=conversion, limits=limits)).json()
    response = await api.http.put("/v1/campaigns/spring", json=applied["definition"])

    changed = applied | {"changes": []}
    assert response.json() == changed


async def test_a_dry_run_answers_the_same_and_changes_nothing(api: Api):
    edited = campaign(conversion={"hold": "P14D"})
    dry = (await api.http.put("/v1/campaigns/spring?dry_run=true", json=edited)).json()
    unchanged = (await api.get("/v1/campaigns/spring")).json()
    applied = (await api.http.put("/v1/campaigns/spring", json=edited)).json()

    assert (unchanged["version"], dry["dry_run"]) == (1, True)
    assert dry | {"dry_run": False} == applied
    assert applied["changes"] == [
        {
            "field": "conversion.hold",
            "before": None,
            "after": "P14D",
            "message": "conversion.hold is set to P14D",
        }
    ]


async def test_an_earlier_version_is_listed_shown_and_restored(api: Api):
    await api.put_campaign(conversion={"hold": "P14D"})
    path = "/v1/campaigns/spring/versions"
    first = (await api.get(f"{path}/1")).json()
    restored = (await api.http.post(f"{path}/1/restore")).json()
    listed = (await api.get(path)).json()["data"]

    assert (restored["version"], restored["definition"]) == (3, first)
    assert [(row["version"], row["in_force"]) for row in listed] == [
        (3, True),
        (2, False),
        (1, False),
    ]
    assert listed[0]["applied_by"] == "shop"
    problem(await api.get(f"{path}/4"), 404, "unknown-version")
    problem(await api.http.post(f"{path}/4/restore"), 404, "unknown-version")


async def test_an_edit_that_is_refused_names_each_key(api: Api):
    await api.harness.publish("spring", "ada")
    response = await api.put_campaign(code={"join_once": False})

    (error,) = problem(response, 409, "campaign-edit-refused")["errors"]
    assert error["field"] == "code.join_once"
    assert "1 code" in error["message"]


async def test_an_error_in_yaml_names_its_line(api: Api):
    text = SUMMER.replace("amount: 50", "amount: -50")
    response = await api.http.put("/v1/campaigns/summer", content=text, headers=YAML)

    (error,) = problem(response, 422, "invalid-campaign")["errors"]
    assert (error["field"], error["line"]) == ("rewards.friend.amount", 5)
    problem(await api.get("/v1/campaigns/summer"), 404, "unknown-campaign")


async def test_an_error_in_json_names_its_field(api: Api):
    response = await api.put_campaign(nane="Spring")

    (error,) = problem(response, 422, "invalid-campaign")["errors"]
    assert error["field"] == "nane"
    assert "name" in error["message"]


async def test_the_campaign_in_the_body_must_be_that_of_the_path(api: Api):
    response = await api.http.put("/v1/campaigns/summer", json=campaign("winter"))

    (error,) = problem(response, 422, "invalid-campaign")["errors"]
    assert error["field"] == "campaign"


@pytest.mark.parametrize("template", ["no_such_template", "../../etc/passwd"])
async def test_a_missing_template_is_named(api: Api, template: str):
    journeys = json.loads(json.dumps(THANKS))
    journeys[0]["steps"][1]["send"]["template"] = template
    response = await api.put_campaign(journeys=journeys)

    errors = problem(response, 422, "invalid-campaign")["errors"]
    assert [error["field"] for error in errors] == ["journeys[0].steps[1].send.template"]
    assert (await api.get("/v1/campaigns/spring")).json()["version"] == 1


async def test_a_campaign_is_checked_with_its_own_templates(api: Api, tmp_path: Path):
    (tmp_path / "spring" / "en").mkdir(parents=True)
    (tmp_path / "spring" / "en" / "thank_friend.jinja").write_text(
        "{% block subject %}{{ frend }}{% endblock %}"
    )

    (error,) = problem(await api.put_campaign(journeys=THANKS), 422, "invalid-campaign")["errors"]
    other = campaign("autumn", journeys=THANKS)

    assert error["message"].startswith("en/thank_friend.jinja, line 1: there is no variable")
    assert (await api.http.put("/v1/campaigns/autumn", json=other)).status_code == 200


async def test_yaml_must_be_utf8(api: Api):
    response = await api.http.put("/v1/campaigns/summer", content=b"\xff\xfe", headers=YAML)

    problem(response, 400, "malformed-body")


async def test_a_campaign_must_be_json_or_yaml(api: Api):
    response = await api.http.put(
        "/v1/campaigns/summer", content=SUMMER, headers={"content-type": "text/plain"}
    )

    assert "yaml" in problem(response, 415, "unsupported-media-type")["detail"]


async def test_a_campaign_is_paused_activated_and_archived(api: Api):
    states = [
        (await api.http.post("/v1/campaigns/spring/pause")).json()["state"],
        (await api.http.post("/v1/campaigns/spring/activate")).json()["state"],
        (await api.http.post("/v1/campaigns/spring/archive")).json()["state"],
        (await api.get("/v1/campaigns/spring")).json()["state"],
    ]

    assert states == ["paused", "running", "archived", "archived"]


async def test_edits_and_states_of_a_campaign_are_events_once(api: Api):
    for _ in range(2):
        await api.put_campaign(conversion={"hold": "P1D"})
    await api.http.put("/v1/campaigns/spring?dry_run=true", json=campaign())
    for path in ("pause", "pause", "activate"):
        await api.http.post(f"/v1/campaigns/spring/{path}")
    for _ in range(2):
        await api.http.post("/v1/campaigns/spring/archive")
    await api.put_campaign(conversion={"hold": "P1D"})

    logged = (await api.get("/v1/campaigns/spring/activity")).json()["data"]
    assert [(entry["type"], entry["actor"], entry["data"]) for entry in reversed(logged)] == [
        ("campaign_applied", "shop", {"version": 2}),
        ("campaign_paused", "shop", {}),
        ("campaign_activated", "shop", {}),
        ("campaign_archived", "shop", {}),
        ("campaign_applied", "shop", {"version": 3}),
    ]


async def test_a_mistaken_campaign_is_deleted(api: Api):
    assert (await api.put_campaign()).status_code == 200
    assert (await api.http.delete("/v1/campaigns/spring")).status_code == 204

    problem(await api.get("/v1/campaigns/spring"), 404, "unknown-campaign")
    assert (await api.put_campaign()).json()["version"] == 1


async def test_a_campaign_with_records_is_not_deleted(api: Api):
    code = await api.harness.publish("spring", "ada")
    refused = problem(await api.http.delete("/v1/campaigns/spring"), 409, "campaign-in-use")

    assert "Archive it" in refused["detail"]
    assert (await api.harness.convert(code, "fay"))["decision"] == "accepted"


async def test_what_the_deployment_lacks_is_named_with_its_line(api: Api):
    journey = """
journeys:
  - name: vip
    on: referral_converted
    steps:
      - webhook: {url: https://crm.example/hooks}
"""
    response = await api.http.put(
        "/v1/campaigns/summer", content=SUMMER.rstrip() + journey, headers=YAML
    )

    (error,) = problem(response, 422, "invalid-campaign")["errors"]
    assert error["line"] == len(SUMMER.rstrip().splitlines()) + 5


async def test_applying_counts_the_journeys_that_continue_under_an_older_version(api: Api):
    journey = {"name": "nudge", "on": "referral_signed_up", "steps": [{"wait": "P2D"}]}
    assert (await api.put_campaign(journeys=[journey])).json()["journeys_under_older_versions"] == 0
    await api.harness.sign_up(await api.harness.publish("spring", "ada"), "fay")

    answer = (await api.put_campaign()).json()

    assert answer["journeys_under_older_versions"] == 1


@pytest.mark.parametrize("way", ["then", "else"])
async def test_a_template_in_a_branch_must_exist(api: Api, way: str):
    send = {"send": {"template": "unheard_of", "to": "friend", "channels": ["log"]}}
    steps = [{"branch": {"when": "true", way: [send]}}]
    journey = {"name": "nudge", "on": "referral_signed_up", "steps": steps}

    response = await api.put_campaign(journeys=[journey])

    (error,) = problem(response, 422, "invalid-campaign")["errors"]
    assert error["field"] == f"journeys[0].steps[0].branch.{way}[0].send.template"


async def test_an_archived_campaign_cannot_be_activated_but_can_be_applied_again(api: Api):
    await api.http.post("/v1/campaigns/spring/archive")

    problem(await api.http.post("/v1/campaigns/spring/activate"), 409, "campaign-archived")
    assert (await api.put_campaign()).json()["state"] == "running"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/pause"),
        ("POST", "/activate"),
        ("GET", "/summary"),
        ("GET", "/versions"),
        ("GET", "/versions/1"),
        ("GET", "/codes"),
        ("GET", "/advocates"),
        ("GET", "/advocates/ada"),
        ("GET", "/referrals"),
        ("GET", "/rewards"),
        ("GET", "/messages"),
        ("GET", "/activity"),
    ],
)
async def test_an_unknown_campaign_is_answered_404(api: Api, method: str, path: str):
    response = await api.http.request(method, f"/v1/campaigns/autumn{path}")

    assert "autumn" in problem(response, 404, "unknown-campaign")["detail"]


async def test_the_summary_counts_what_happened(api: Api):
    code = await api.harness.publish("spring", "ada")
    await api.harness.convert(code, "fay")
    summary = (await api.get("/v1/campaigns/spring/summary")).json()

    assert summary["conversions"] == {"rewarded": 1}
    assert summary["revenue"] == [{"currency": "EUR", "amount": "100.00"}]


async def test_a_check_is_passed_to_the_inbox(api: Api):
    body = {"code": "SPRING-1", "friend": {"id": "fay"}, "anything": {"else": 1}}
    response = await api.http.post("/v1/campaigns/spring/check", json=body)

    assert response.json()["decision"] == "accepted"
    ((_, campaign_id, data, actor),) = api.inbox.calls
    assert (campaign_id, data, actor) == ("spring", body, "shop")


async def test_a_publication_is_answered_with_the_code(api: Api):
    response = await api.http.post(
        "/v1/campaigns/spring/publications", json={"customer": {"id": "ada"}}
    )

    assert response.json()["code"] == "SPRING-1"
    assert api.inbox.calls == [("publish", "spring", "ada", "shop")]


async def test_a_publication_can_be_queued(api: Api):
    api.inbox.answers = [EventResponse(202, {"event": "e", "state": "queued", "warnings": []})]
    response = await api.http.post(
        "/v1/campaigns/spring/publications", json={"customer": {"id": "ada"}}
    )

    assert response.status_code == 202


async def test_the_provider_of_a_tracked_event_must_be_configured(api: Api):
    track = {"provider": "voucherify", "event": "bought", "to": "friend"}
    journeys = [{"name": "earn", "on": "referral_converted", "steps": [{"track": track}]}]

    response = await api.put_campaign(journeys=journeys)

    (error,) = problem(response, 422, "invalid-campaign")["errors"]
    assert error["field"] == "journeys[0].steps[0].track.provider"
    assert error["message"] == "the provider voucherify is not configured on this deployment"


async def test_the_provider_of_a_reward_in_a_journey_must_be_configured(api: Api):
    reward = {"type": "points", "amount": 20, "provider": "http"}
    steps = [{"branch": {"when": "true", "then": [{"grant": {"to": "friend", "reward": reward}}]}}]
    journeys = [{"name": "bonus", "on": "referral_converted", "steps": steps}]

    response = await api.put_campaign(journeys=journeys)

    (error,) = problem(response, 422, "invalid-campaign")["errors"]
    assert error["field"] == "journeys[0].steps[0].branch.then[0].grant.reward.provider"
    assert error["message"] == "the provider http is not configured on this deployment"
