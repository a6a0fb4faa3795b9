"""Deliveries and workflow starts of journeys over HTTP, and the secret that `apply` requires."""

from typing import Any

import pytest

from referrals.store import schema
from referrals.store.journeys import one_off_webhooks, workflow_starts
from tests.api.conftest import Api
from tests.api.problems import problem
from tests.harness.campaigns import campaign

STEPS = [
    {"webhook": {"url": "https://crm.example/hooks"}},
    {"start_workflow": {"type": "VipOnboarding", "task_queue": "crm"}},
]


def journeys(*steps: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": "vip", "on": "referral_converted", "steps": list(steps)}]


async def fail_delivery(api: Api) -> str:
    activity_id = await api.harness.log_activity("referral_converted")
    async with api.harness.store.begin() as tx:
        await one_off_webhooks.add(
            tx,
            campaign_id="spring",
            url="https://crm.example/hooks",
            key="k",
            activity_id=activity_id,
            type="referral_converted",
            now=api.harness.time,
        )
        failed = {"state": "failed", "due_at": None, "error": "answered 500"}
        await tx.execute(schema.webhook_deliveries.update().values(failed))
    (row,) = await api.harness.all(schema.webhook_deliveries)
    return str(row.id)


async def fail_start(api: Api) -> str:
    await api.harness.apply(campaign(journeys=journeys(STEPS[1])))
    await api.harness.convert(await api.harness.publish("spring", "ada"), "fay")
    (row,) = await api.harness.all(schema.workflow_starts)
    async with api.harness.store.begin() as tx:
        await workflow_starts.complete(tx, row.id, "failed", api.harness.time, "No namespace.")
    return str(row.id)


FAILURES = {"deliveries": fail_delivery, "workflow-starts": fail_start}


@pytest.mark.parametrize("kind", FAILURES)
async def test_failed_work_is_listed_retried_and_dropped(api: Api, kind: str):
    row_id = await FAILURES[kind](api)
    path = f"/v1/{kind}"
    (listed,) = (await api.get(f"{path}?state=failed&campaign=spring")).json()["data"]
    assert listed == (await api.get(f"{path}/{row_id}")).json()
    assert (listed["id"], listed["state"]) == (row_id, "failed")

    retried = await api.http.post(f"{path}/{row_id}/retry")
    assert (retried.status_code, retried.json()["state"]) == (200, "pending")
    refused = await api.http.post(f"{path}/{row_id}/drop")
    assert problem(refused, 409, "not-possible")

    summary = (await api.get("/v1/campaigns/spring/summary")).json()["attention"]
    assert set(summary.values()) == {0}


@pytest.mark.parametrize("kind", FAILURES)
async def test_failed_work_is_given_up(api: Api, kind: str):
    row_id = await FAILURES[kind](api)
    dropped = await api.http.post(f"/v1/{kind}/{row_id}/drop")

    assert dropped.json()["state"] == "dropped"
    assert (await api.get(f"/v1/{kind}?state=failed")).json()["data"] == []


@pytest.mark.parametrize(
    ("path", "type_"),
    [("deliveries/7", "unknown-delivery"), ("workflow-starts/wfs_7", "unknown-workflow-start")],
)
async def test_unknown_work_is_not_found(api: Api, path: str, type_: str):
    for response in (await api.get(f"/v1/{path}"), await api.http.post(f"/v1/{path}/retry")):
        assert problem(response, 404, type_)


async def test_a_webhook_step_needs_the_secret_that_signs_it(api: Api):
    branch = {"branch": {"when": "awaited.happened", "then": [STEPS[0]]}}
    refused = await api.put_campaign(journeys=journeys(STEPS[1], {"wait": "P1D"}, branch))

    (error,) = problem(refused, 422, "invalid-campaign")["errors"]
    assert error["field"] == "journeys[0].steps[2].branch.then[0].webhook"
    assert "REFERRALS_WEBHOOK_SECRET" in error["message"]
    assert (await api.put_campaign(journeys=journeys(STEPS[1]))).status_code == 200
