"""Check responses against the OpenAPI document: status, content type, problem type, and the schema of JSON."""

import json
import re
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
import jsonschema_rs

from entrypoints.api.main import create_app
from entrypoints.api.openapi import PROBLEM_TYPE

PROBLEM_PREFIX = "urn:referrals:problem:"
CHECKED = ("/v1/", "/health/")
OUTSIDE = ("unknown-route", "method-not-allowed", "internal")
"""Problems that belong to no operation."""


@cache
def document() -> dict[str, Any]:
    return create_app().openapi()


@cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """Return the paths of the document as patterns; those with fewer parameters come first."""
    paths = sorted(document()["paths"].items(), key=lambda item: item[0].count("{"))
    return [
        (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path_item)
        for path, path_item in paths
    ]


def find_operation(method: str, path: str) -> dict[str, Any] | None:
    for pattern, operations in _paths():
        if pattern.fullmatch(path):
            return operations.get(method.lower())
    return None


async def check_response(response: httpx.Response) -> None:
    """Fail on a response that the document does not have. Hook of a client."""
    await response.aread()
    request = response.request
    path = urlsplit(str(request.url)).path
    operation = find_operation(request.method, path) if path.startswith(CHECKED) else None
    kind = response.headers.get("content-type", "").partition(";")[0]
    body = response.json() if kind.endswith("json") and response.content else None
    problem = body["type"].removeprefix(PROBLEM_PREFIX) if body and kind == PROBLEM_TYPE else None
    if operation is None or problem in OUTSIDE:
        return
    text = f"{request.method} {request.url} answered {response.status_code} {kind} {response.text}"
    documented = operation["responses"].get(str(response.status_code))
    assert documented, text
    assert problem is None or problem in documented["x-problem-types"], text
    assert not response.content or kind in documented["content"], text
    if body is not None:
        schema = documented["content"][kind]["schema"]
        errors = [error.message for error in _validator(json.dumps(schema)).iter_errors(body)]
        assert errors == [], text


@cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    whole = {"components": document()["components"], "allOf": [json.loads(schema)]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
