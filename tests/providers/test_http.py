"""What is the HTTP provider's own: its request, its signature, its answers."""

from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr

from referrals.providers import AlreadySpentError, PermanentError, Receipt
from referrals.providers.http_endpoint import (
    HttpProvider,
    _remaining_balance,
    _StandardWebhooksAuth,
)
from tests.providers.conftest import WAYS, endpoint
from tests.providers.fake_endpoint import FakeEndpoint

GRANT = replace(WAYS["http"].grants(1)[0], amount=2550)


@pytest.fixture
async def vendor(start):
    return await start(FakeEndpoint(seed=1))


@pytest.fixture
def provider(client, vendor):
    return endpoint(client, vendor)


async def test_a_grant_and_its_roll_back_are_told_as_documented(vendor, provider):
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


async def test_points_are_a_whole_number_without_a_currency(vendor, provider):
    await provider.grant(replace(GRANT, type="points", amount=100, currency=None))

    assert (vendor.bodies[0].amount, vendor.bodies[0].currency) == ("100", None)


async def test_a_repeat_is_a_receipt_whether_it_is_answered_200_or_409(vendor, provider):
    receipts = {await provider.grant(GRANT) for _ in range(10)}

    assert receipts == {Receipt("r1")}
    assert len(vendor.books) == 1
    assert ("GET", "/rewards") in vendor.requests


async def test_a_409_for_a_key_that_is_not_there_is_a_refusal(vendor, provider):
    vendor.confused = True

    with pytest.raises(PermanentError) as refused:
        await provider.grant(GRANT)

    assert refused.value.code == "http_409"


async def test_a_refusal_has_the_endpoints_key_and_words(provider):
    with pytest.raises(PermanentError, match="The account is closed") as refused:
        await provider.grant(replace(GRANT, target={"closed": True}))

    assert refused.value.code == "account_closed"


async def test_what_takes_a_while_is_settled_later(vendor, provider):
    vendor.slow = 1

    receipts = [await provider.grant(GRANT), await provider.look_up(GRANT)]
    receipts.append(await provider.look_up(GRANT))

    assert receipts == [Receipt("r1", booked=False)] * 2 + [Receipt("r1")]


def test_the_signature_is_the_one_of_the_standards_example():
    secret = SecretStr("whsec_plJ3nmyCDGBKInavdOK15jsl")
    clock = datetime.fromtimestamp(1731705121, UTC)
    request = httpx.Request(
        "POST",
        "https://shop.example",
        headers={"webhook-id": "msg_loFOjxBNrRLzqYUf"},
        content=b'{"event_type":"ping","data":{"success":true}}',
    )

    next(_StandardWebhooksAuth(secret, lambda: clock).sync_auth_flow(request))

    assert request.headers["webhook-timestamp"] == "1731705121"
    signature = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
    assert request.headers["webhook-signature"] == signature


def test_a_secret_that_is_not_base64_is_refused_without_being_told(client):
    with pytest.raises(ValueError, match="must be base64") as refused:
        HttpProvider(client, "https://shop.example", SecretStr("whsec_not base64!"))

    assert "not base64!" not in str(refused.value)


async def test_a_roll_back_of_more_than_is_left_tells_what_is_left(vendor, provider):
    await provider.grant(GRANT)
    vendor.held = "10.00"

    with pytest.raises(AlreadySpentError) as refused:
        await provider.roll_back(GRANT, "r1")
    await provider.roll_back(replace(GRANT, amount=refused.value.remaining), "r1")

    assert refused.value.remaining == 1000
    assert sum(entry.amount for entry in vendor.books) == 1550


@pytest.mark.parametrize("told", [{}, {"held": None}, {"held": "1e3"}, {"held": [1]}])
async def test_an_endpoint_that_does_not_say_what_is_left_has_nothing_left(vendor, provider, told):
    assert _remaining_balance(told, "EUR") == _remaining_balance(told, None) == 0
