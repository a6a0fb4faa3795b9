"""Requests with anything in any position are answered, or refused with a 4xx: none is an error of ours."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.conftest import Api
from tests.harness.campaigns import THANKS, campaign
from tests.harness.fuzzing import FUZZED, mutations, texts, values
from tests.harness.library_texts import library_text

CUSTOMER = {
    "name": "Fay",
    "email": "fay@example.com",
    "phone": "+4915112345678",
    "locale": "de",
    "timezone": "Europe/Berlin",
    "consent": ["email"],
}
BODIES: dict[tuple[str, str], Any] = {
    ("PUT", "/v1/customers/fay"): CUSTOMER,
    ("POST", "/v1/campaigns/spring/publications"): {
        "customer": {"id": "fay", **CUSTOMER},
        "code": "F",
    },
    ("POST", "/v1/campaigns/spring/coupons/pool"): {"codes": ["W-1", "W-2"]},
    ("POST", "/v1/customers/ada/wallet/redeem"): {"key": "o-1", "type": "points", "amount": "1"},
    ("POST", "/v1/webhooks"): {"url": "https://shop.example", "events": ["reward_granted"]},
    ("PUT", "/v1/campaigns/spring"): campaign(
        conversion={"rules": [{"name": "big", "when": "order.amount > 3.0", "message": "Big."}]},
        journeys=THANKS,
    ),
    ("POST", "/v1/events"): [{"specversion": "1.0", "id": "1", "source": "shop", "type": "x"}],
}


@FUZZED
@given(data=st.data())
async def test_no_request_is_an_error(api: Api, data: st.DataObject):
    (method, path), example = data.draw(st.sampled_from(list(BODIES.items())))
    body = json.dumps(data.draw(mutations([example]) | values))

    response = await api.http.request(
        method, path, content=body, headers={"content-type": "application/json"}
    )

    assert response.status_code < 500, response.text
    assert library_text(response.text) is None, response.text


@FUZZED
@given(text=texts.filter(lambda text: "\ud800" not in text))
async def test_no_link_is_an_error(api: Api, text: str):
    response = await api.get(f"/r/{quote(text, safe='', errors='ignore')}")

    assert response.status_code < 500


@pytest.mark.parametrize("depth", [900, 100_000])
async def test_deep_nesting_is_refused(api: Api, depth: int):
    body = "[" * depth + "]" * depth
    response = await api.http.post(
        "/v1/events", content=body, headers={"content-type": "application/json"}
    )

    assert response.status_code in (200, 400, 422)
