"""HTTP provider: request, signature and responses."""

from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr

from referrals.http_client import StandardWebhooksAuth
from referrals.providers import AlreadySpentError, PermanentError, Receipt
from referrals.providers.http_endpoint import (
    HttpProvider,
    _remaining_balance,
)
from tests.providers.conftest import PROVIDER_KINDS, endpoint
from tests.providers.fake_endpoint import FakeEndpoint

GRANT = replace(PROVIDER_KINDS["http"].grants(1)[0], amount=2550)


@pytest.fixture
async def vendor(start):
    return await start(FakeEndpoint(seed=1))


@pytest.fixture
def provider(client, vendor):
    return endpoint(client, vendor)


async def test_grant_and_roll_back_are_sent_as_documented(vendor, provider):
    receipt = await provider.grant(GRANT)
    await provider.roll_back(GRANT, receipt.reference)

    grant, roll_back = (body.model_dump() for body in vendor.bodies)
    assert receipt == Receipt("r1")
    assert grant == {
        "key": GRANT.key,
        "action": "grant",
        "customer": GRANT.customer,
        "type": "gift_credit",
        "amount": "25.50",
        "currency": "EUR",
        "reason": GRANT.reason,
        "reference": None,
        "target": {"account": "main"},
    }
    assert roll_back == grant | {
        "key": f"{GRANT.key}:roll_back",
        "action": "roll_back",
        "reference": "r1",
    }


async def test_points_are_sent_as_a_whole_number_without_currency(vendor, provider):
    await provider.grant(replace(GRANT, type="points", amount=100, currency=None))

    assert (vendor.bodies[0].amount, vendor.bodies[0].currency) == ("100", None)


async def test_repeated_request_returns_the_receipt_after_200_and_409(vendor, provider):
    receipts = {await provider.grant(GRANT) for _ in range(10)}

    assert receipts == {Receipt("r1")}
    assert len(vendor.bookings) == 1
    assert ("GET", "/rewards") in vendor.requests


async def test_409_for_an_unknown_key_is_a_rejection(vendor, provider):
    vendor.always_conflicts = True

    with pytest.raises(PermanentError) as refused:
        await provider.grant(GRANT)

    assert refused.value.code == "http_409"


async def test_rejection_contains_the_key_and_message_of_the_endpoint(provider):
    with pytest.raises(PermanentError, match="The account is closed") as refused:
        await provider.grant(replace(GRANT, target={"closed": True}))

    assert refused.value.code == "account_closed"


async def test_accepted_request_is_booked_later(vendor, provider):
    vendor.accept_first_rate = 1

    receipts = [await provider.grant(GRANT), await provider.look_up(GRANT)]
    receipts.append(await provider.look_up(GRANT))

    assert receipts == [Receipt("r1", booked=False)] * 2 + [Receipt("r1")]


def test_signature_equals_the_example_of_the_standard():
    secret = SecretStr("whsec_plJ3nmyCDGBKInavdOK15jsl")
    clock = datetime.fromtimestamp(1731705121, UTC)
    request = httpx.Request(
        "POST",
        "https://shop.example",
        headers={"webhook-id": "msg_loFOjxBNrRLzqYUf"},
        content=b'{"event_type":"ping","data":{"success":true}}',
    )

    next(StandardWebhooksAuth(secret, lambda: clock).sync_auth_flow(request))

    assert request.headers["webhook-timestamp"] == "1731705121"
    signature = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
    assert request.headers["webhook-signature"] == signature


def test_invalid_secret_is_rejected_without_showing_it(client):
    with pytest.raises(ValueError, match="must be base64") as refused:
        HttpProvider(client, "https://shop.example", SecretStr("whsec_not base64!"))

    assert "not base64!" not in str(refused.value)


async def test_rejected_roll_back_returns_the_remaining_balance(vendor, provider):
    await provider.grant(GRANT)
    vendor.remaining_balance = "10.00"

    with pytest.raises(AlreadySpentError) as refused:
        await provider.roll_back(GRANT, "r1")
    await provider.roll_back(replace(GRANT, amount=refused.value.remaining), "r1")

    assert refused.value.remaining == 1000
    assert sum(entry.amount for entry in vendor.bookings) == 1550


@pytest.mark.parametrize("body", [{}, {"held": None}, {"held": "1e3"}, {"held": [1]}])
async def test_missing_or_invalid_balance_counts_as_zero(vendor, provider, body):
    assert _remaining_balance(body, "EUR") == _remaining_balance(body, None) == 0
