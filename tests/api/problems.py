from typing import Any

import httpx


def problem(response: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """Return the problem document after checking what all of them have in common."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["type"] == f"urn:referrals:problem:{kind}"
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    return found
