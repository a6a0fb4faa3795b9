"""The OpenAPI document: what a client can be generated from."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from entrypoints.api.openapi import EXAMPLES, Answer, FailedEvent, ProblemDocument
from referrals.domain.event_names import INBOUND
from referrals.domain.events import parse_event
from tests.api.conftest import Api

BATCH = "application/cloudevents-batch+json"


async def contract(api: Api) -> Any:
    return (await api.get("/openapi.json", headers={"authorization": ""})).json()


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from references(inner)


async def test_every_reference_leads_to_a_schema(api: Api):
    document = await contract(api)
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert set(references(document)) <= schemas


async def test_an_event_has_the_data_of_its_type(api: Api):
    document = await contract(api)
    schemas = document["components"]["schemas"]
    kinds = schemas["Event"]["discriminator"]["mapping"]
    data = {
        kind: schemas[reference.rpartition("/")[2]]["properties"]["data"]["$ref"].rpartition("/")[2]
        for kind, reference in kinds.items()
    }

    assert data == {
        "customer_registered": "Registered",
        "referral_link_shared": "Shared",
        "referral_link_clicked": "Clicked",
        "referral_signed_up": "SignedUp",
        "referral_converted": "Converted",
        "order_refunded": "OrderReversed",
        "order_cancelled": "OrderReversed",
    }


async def test_a_type_stands_in_one_of_the_events_only(api: Api):
    """A custom event is shaped like a conversion, and like nothing else."""
    schemas = (await contract(api))["components"]["schemas"]
    types = [
        schemas[reference.rpartition("/")[2]]["properties"]["type"]
        for reference in references(schemas["Event"])
    ]
    named = [kind for allowed in types for kind in allowed.get("enum", [])]
    (of_conversions,) = [allowed["not"]["enum"] for allowed in types if "not" in allowed]

    assert sorted(named) == sorted(of_conversions) == sorted(INBOUND - {"referral_converted"})


@pytest.mark.parametrize("kind", sorted(INBOUND))
async def test_every_type_of_event_has_an_example_that_is_taken(api: Api, kind: str):
    body = (await contract(api))["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    examples = body["application/cloudevents+json"]["examples"]

    assert parse_event(examples[kind]["value"]).type == kind
    assert (await api.http.post("/v1/events", json=EXAMPLES[kind])).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/v1/events", "200", "Answer"),
        ("/v1/events", "200", "FailedEvent"),
        ("/v1/events", "202", "Queued"),
        ("/v1/events", "4XX", "ProblemDocument"),
        ("/v1/campaigns/{campaign}/check", "200", "Answer"),
        ("/v1/campaigns/{campaign}/publications", "200", "Publication"),
        ("/v1/campaigns/{campaign}/publications", "202", "Queued"),
        ("/v1/referrals/{referral}/approve", "202", "Queued"),
        ("/v1/referrals/{referral}/reject", "202", "Queued"),
        ("/v1/referrals/{referral}/roll-back", "202", "Queued"),
        ("/health/ready", "503", "ProblemDocument"),
    ],
)
async def test_an_answer_has_its_schema(api: Api, path: str, status: str, kind: str):
    (operation,) = (await contract(api))["paths"][path].values()

    assert f"#/components/schemas/{kind}" in references(operation["responses"][status])


async def test_an_answer_is_as_the_schema_has_it(api: Api):
    code = await api.books.publish("spring", "ada")
    order = {"id": "1", "amount": "10.00", "currency": "EUR"}
    converted = {"code": code, "friend": {"id": "fay"}, "order": order}
    for data in (converted, {**converted, "code": "NONE-1", "friend": {"id": "gil"}}):
        answer = await api.books.event("referral_converted", **data)
        TypeAdapter(Answer).validate_python(answer)


async def test_a_problem_is_as_the_schema_has_it(api: Api):
    ProblemDocument.model_validate((await api.http.post("/v1/events", json={})).json())
    (failed,) = (await api.http.post("/v1/events", json=[{"id": "1"}])).json()
    assert FailedEvent.model_validate(failed).event == "1"
