"""The OpenAPI document, from which clients are generated."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from pydantic import TypeAdapter

from entrypoints.api.openapi import EXAMPLES, REF, EventProblem, EventResult, ProblemDocument
from referrals.campaign_schema import campaign_components
from referrals.domain.event_names import INBOUND
from referrals.domain.events import parse_event
from referrals.domain.states import RewardState
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


def operations(document: Any) -> list[tuple[str, Any]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


async def test_operations_and_schemas_have_good_names_in_the_code_of_others(api: Api):
    document = await contract(api)
    schemas = document["components"]["schemas"]
    names = [operation["operationId"] for _, operation in operations(document)]

    assert {"listReferrals", "rollBackReferral", "publishCode", "sendEvents"} <= set(names)
    assert {"ReferralPage", "RollBackRequest", "CampaignSummary", "ProblemDocument"} <= set(schemas)
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name)] == []
    assert [name for name in schemas if not re.fullmatch(r"([A-Z][a-z]+)+", name)] == []
    assert {name: schema["title"] for name, schema in schemas.items()} == {
        name: name for name in schemas
    }


async def test_every_operation_lists_its_problems_by_name(api: Api):
    problems = {
        operation["operationId"]: {
            kind
            for response in operation["responses"].values()
            for kind in response.get("x-problem-types", [])
        }
        for name, operation in operations(await contract(api))
        if "/v1/" in name
    }
    common = {"unauthorised", "invalid-request", "stopping"}

    assert {name for name, kinds in problems.items() if not common <= kinds} == set()
    assert problems["listReferrals"] - common == {"unknown-campaign"}
    assert problems["rollBackReferral"] - common == {
        "unknown-referral",
        "not-possible",
        "malformed-body",
        "body-too-large",
        "unsupported-media-type",
    }


async def test_everything_is_described(api: Api):
    """Fields and parameters, operations and schemas; lists of values and plain JSON explain themselves."""
    document = await contract(api)
    undescribed = [
        name
        for name, schema in document["components"]["schemas"].items()
        if "properties" in schema and not schema.get("description")
    ]
    for name, schema in document["components"]["schemas"].items():
        fields = schema.get("properties", {})
        undescribed += [
            f"{name}.{field}" for field in fields if not fields[field].get("description")
        ]
    for name, operation in operations(document):
        for part in (operation, *operation.get("parameters", [])):
            if not part.get("description"):
                undescribed.append(f"{name} {part.get('name', '')}")

    assert undescribed == []


async def test_states_amounts_and_times_are_typed(api: Api):
    schemas = (await contract(api))["components"]["schemas"]
    reward = schemas["Reward"]["properties"]

    assert reward["state"]["$ref"] == "#/components/schemas/RewardState"
    assert schemas["RewardState"]["enum"] == sorted(RewardState)
    assert reward["amount"]["pattern"]
    assert schemas["Balance"]["properties"]["currency"]["anyOf"][0]["pattern"] == "^[A-Z]{3}$"
    assert schemas["Order"]["properties"]["amount"]["pattern"].startswith("^[0-9]")
    assert re.search(schemas["SecretRotation"]["properties"]["keep_old"]["pattern"], "P1D")
    untyped = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, found in schema.get("properties", {}).items()
        if field in ("state", "side", "provider", "cause", "decision")
        and found.get("type") == "string"
        and not found.keys() & {"enum", "const"}
    ]
    assert untyped == []


async def test_every_tag_is_described(api: Api):
    document = await contract(api)
    used = {tag for _, operation in operations(document) for tag in operation["tags"]}

    assert used == {tag["name"] for tag in document["tags"]}


async def test_every_reference_points_to_a_schema(api: Api):
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
        "customer_registered": "CustomerRegistered",
        "customer_merged": "CustomerMerged",
        "referral_link_shared": "LinkShared",
        "referral_link_clicked": "LinkClicked",
        "referral_signed_up": "FriendSignedUp",
        "referral_converted": "FriendConverted",
        "order_refunded": "OrderRefunded",
        "order_reinstated": "OrderChanged",
        "order_updated": "OrderUpdated",
        "order_cancelled": "OrderChanged",
    }


async def test_each_event_type_belongs_to_one_schema(api: Api):
    """A custom event matches the schema of a conversion and no other."""
    schemas = (await contract(api))["components"]["schemas"]
    types = [
        schemas[reference.rpartition("/")[2]]["properties"]["type"]
        for reference in references(schemas["Event"])
    ]
    named = [kind for allowed in types for kind in allowed.get("enum", [])]
    (of_conversions,) = [allowed["not"]["enum"] for allowed in types if "not" in allowed]

    assert sorted(named) == sorted(of_conversions) == sorted(INBOUND - {"referral_converted"})


@pytest.mark.parametrize("kind", sorted(INBOUND))
async def test_every_event_type_has_a_valid_example(api: Api, kind: str):
    body = (await contract(api))["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    examples = body["application/json"]["examples"]

    assert parse_event(examples[kind]["value"]).type == kind
    assert (await api.http.post("/v1/events", json=EXAMPLES[kind])).status_code == 200


async def test_every_example_matches_its_schema_and_mixes_no_people(api: Api):
    document = await contract(api)
    for name, operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            examples = [example["value"] for example in media.get("examples", {}).values()]
            examples += [media["example"]] if "example" in media else []
            whole = {"components": document["components"], "allOf": [media["schema"]]}
            for example in examples:
                errors = list(Draft202012Validator(whole).iter_errors(example))
                assert errors == [], (name, example)
    people = re.findall(r"\{'id': '(ada|fay)'[^}]*", str(list(EXAMPLES.values())))
    contacts = re.findall(r"'id': '(\w+)', 'name': '(\w+)', 'email': '(\w+)@", str(EXAMPLES))
    assert people
    assert all(own_id == name.lower() == email for own_id, name, email in contacts)


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/v1/events", "200", "EventResult"),
        ("/v1/events", "200", "EventProblem"),
        ("/v1/events", "202", "QueuedEvent"),
        ("/v1/events", "422", "ProblemDocument"),
        ("/v1/campaigns/{campaign}/check", "200", "EventResult"),
        ("/v1/campaigns/{campaign}/publications", "200", "PublicationResult"),
        ("/v1/campaigns/{campaign}/publications", "202", "QueuedEvent"),
        ("/v1/referrals/{referral}/approve", "202", "QueuedEvent"),
        ("/v1/referrals/{referral}/reject", "202", "QueuedEvent"),
        ("/v1/referrals/{referral}/roll-back", "202", "QueuedEvent"),
        ("/health/ready", "503", "ProblemDocument"),
    ],
)
async def test_every_response_has_a_schema(api: Api, path: str, status: str, kind: str):
    (operation,) = (await contract(api))["paths"][path].values()

    assert f"#/components/schemas/{kind}" in references(operation["responses"][status])


async def test_the_body_of_a_campaign_has_the_schema_of_its_file(api: Api):
    document = await contract(api)
    body = document["paths"]["/v1/campaigns/{campaign}"]["put"]["requestBody"]["content"]
    components = campaign_components(REF)

    assert set(references(body)) == {REF.format(model="CampaignDefinition")}
    assert components.items() <= document["components"]["schemas"].items()


async def test_a_result_matches_its_schema(api: Api):
    code = await api.harness.publish("spring", "ada")
    order = {"id": "1", "amount": "10.00", "currency": "EUR"}
    converted = {"code": code, "friend": {"id": "fay"}, "order": order}
    for data in (converted, {**converted, "code": "NONE-1", "friend": {"id": "gil"}}):
        answer = await api.harness.event("referral_converted", dict(**data))
        TypeAdapter(EventResult).validate_python(answer)


async def test_a_problem_matches_its_schema(api: Api):
    ProblemDocument.model_validate((await api.http.post("/v1/events", json={})).json())
    (failed,) = (await api.http.post("/v1/events", json=[{"id": "1"}])).json()
    assert EventProblem.model_validate(failed).event == "1"
