"""Limits and formats of request bodies."""

from collections.abc import AsyncIterator

import pytest

from entrypoints.api.request_bodies import MAX_BODY_BYTES
from tests.api.conftest import Api
from tests.api.problems import problem

JSON = {"content-type": "application/json"}

MALFORMED = {
    "an empty object cut off": (b'{"id": 1,\n "x": }', "line 2, column 7"),
    "text that is not JSON": (b"order 7781", "line 1, column 1"),
    "something after the end": (b"{} {}", "line 1, column 4"),
    "a byte that is not UTF-8": (b'{"id": "\xff"}', "not UTF-8 at byte 9"),
    "UTF-16": ('{"id": 1}'.encode("utf-16"), "not UTF-8 at byte 1"),
    "a raw control character": (b'{"id": "a\x00b"}', "line 1, column 10"),
    "NaN": (b'{"amount": NaN}', "NaN is not a JSON number"),
    "infinity": (b'{"amount": -Infinity}', "-Infinity is not a JSON number"),
    "a number beyond floats": (b'{"amount": 1e999}', "a number is too large"),
    "a number of 101 digits": (b'{"amount": ' + b"9" * 101 + b"}", "more than 100 digits"),
    "a duplicate key": (b'{"id": 1, "id": 2}', "the key 'id' is duplicated"),
    "deep nesting": (b"[" * 100_000, "nested too deeply"),
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("path", ["/v1/events", "/v1/campaigns/spring"])
async def test_malformed_json_names_the_position(api: Api, case: str, path: str):
    body, where = MALFORMED[case]
    method = "POST" if path == "/v1/events" else "PUT"
    response = await api.http.request(method, path, content=body, headers=JSON)

    assert where in problem(response, 400, "malformed-body")["detail"]
    assert api.inbox.calls == []


async def test_an_empty_body_is_invalid(api: Api):
    response = await api.http.post("/v1/events", headers=JSON)

    problem(response, 422, "invalid-request")


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data", None])
async def test_an_unsupported_content_type_is_refused(api: Api, kind: str | None):
    headers = {"content-type": kind} if kind else {}
    response = await api.http.post("/v1/events", content=b"{}", headers=headers)

    assert "application/json" in problem(response, 415, "unsupported-media-type")["detail"]


async def test_a_body_with_a_too_large_content_length_is_not_read(api: Api):
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append(1)
        yield b" " * 1024

    headers = JSON | {"content-length": str(10 * 1024 * 1024)}
    response = await api.http.post("/v1/events", content=body(), headers=headers)

    problem(response, 413, "body-too-large")
    assert read == []


@pytest.mark.parametrize("path", ["/v1/events", "/v1/campaigns/spring"])
async def test_a_body_that_exceeds_the_limit_is_not_read_to_its_end(api: Api, path: str):
    read = []

    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            read.append(1)
            yield b" " * 1024 * 1024

    method = "POST" if path == "/v1/events" else "PUT"
    response = await api.http.request(method, path, content=body(), headers=JSON)

    problem(response, 413, "body-too-large")
    assert len(read) <= MAX_BODY_BYTES // (1024 * 1024) + 1


async def test_a_body_of_exactly_the_limit_is_read(api: Api):
    body = b"{}" + b" " * (MAX_BODY_BYTES - 2)
    response = await api.http.post("/v1/events", content=body, headers=JSON)

    problem(response, 422, "invalid-event")


async def test_without_a_key_no_body_is_read(api: Api):
    response = await api.http.post(
        "/v1/events", content=b"{", headers=JSON | {"authorization": "Bearer no"}
    )

    problem(response, 401, "unauthorised")
