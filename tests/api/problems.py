from typing import Any

import httpx


def problem(response: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """The problem document, after a look at what all of them have."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["type"] == f"urn:referrals:problem:{kind}"
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    return found
