"""Behaviour that all providers share."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pydantic import SecretStr, ValidationError

from referrals.providers import OutcomeUnknownError, PermanentError, RetryableError, RetryAfterError
from referrals.providers.http_endpoint import HttpProvider
from referrals.providers.talon_one import TalonOne
from referrals.providers.voucherify import Voucherify
from tests.providers.booking import CUSTOMERS, book_with_retries
from tests.providers.conftest import PROVIDER_KINDS
from tests.providers.fake_endpoint import SECRET
from tests.providers.fake_vendor import FAULTS, SILENT_FAULTS, TOKEN, Entry
from tests.providers.fake_voucherify import APP_ID

SEVERAL_CALLS = [name for name in PROVIDER_KINDS if name not in {"talon_one_event", "http"}]
"""Providers whose first grant to a customer takes more than one request."""
QUICK_FAULTS = [fault for fault in FAULTS if fault not in SILENT_FAULTS]
UNREACHABLE = SimpleNamespace(url="http://127.0.0.1:1")


async def test_grant_is_booked_once_found_and_rolled_back(case):
    grant = case.grant
    assert await case.provider.look_up(grant) is None

    given = await book_with_retries(case.provider, grant, case.vendor)
    assert await case.provider.look_up(grant, reversal=True) is None
    await book_with_retries(
        case.provider, grant, case.vendor, reversal=True, reference=given.reference
    )

    assert (await case.provider.look_up(grant)).booked
    assert (await case.provider.look_up(grant, reversal=True)).booked
    assert case.vendor.bookings == [
        Entry(grant.key, grant.amount),
        Entry(f"{grant.key}:roll_back", -grant.amount),
    ]
    assert case.vendor.undocumented_requests == []


async def test_customer_ids_with_any_characters_work(case):
    grants = [
        replace(case.grant, key=f"k{number}", customer=customer)
        for number, customer in enumerate(CUSTOMERS)
    ]
    await asyncio.gather(
        *(book_with_retries(case.provider, grant, case.vendor) for grant in grants)
    )

    found = await asyncio.gather(*(case.provider.look_up(grant) for grant in grants))
    assert all(found)
    assert case.vendor.undocumented_requests == []


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_in_the_booking_request_is_classified_correctly(case, fault):
    await case.provider.grant(case.grant)
    before = len(case.vendor.requests)
    case.vendor.faults.extend([None] * (before - 1) + [fault])

    with pytest.raises((RetryableError, OutcomeUnknownError)) as raised:
        await case.impatient.grant(replace(case.grant, key="k2", customer="cus_new"))

    await case.vendor.wait_until_idle()
    assert type(raised.value) is (RetryAfterError if fault == "limit" else OutcomeUnknownError)
    assert len(case.vendor.requests) == 2 * before
    assert ("k2" in {entry.key for entry in case.vendor.bookings}) == fault.endswith("_done")
    assert not any(secret in str(raised.value) for secret in (TOKEN, "fay@", "1234567"))


@pytest.mark.parametrize("case", SEVERAL_CALLS, indirect=True)
@pytest.mark.parametrize("fault", QUICK_FAULTS)
async def test_fault_in_the_first_of_several_calls_books_nothing(case, fault):
    await case.provider.grant(case.grant)
    assert len(case.vendor.requests) > 1
    case.vendor.faults.append(fault)

    with pytest.raises((RetryableError, OutcomeUnknownError)):
        await case.provider.grant(replace(case.grant, key="k2", customer="cus_new"))
    await book_with_retries(
        case.provider, replace(case.grant, key="k2", customer="cus_new"), case.vendor
    )

    assert [entry.key for entry in case.vendor.bookings].count("k2") == 1


@pytest.mark.parametrize("fault", QUICK_FAULTS)
async def test_failed_look_up_is_never_reported_as_not_booked(case, fault):
    await book_with_retries(case.provider, case.grant, case.vendor)
    case.vendor.faults.append(fault)

    with pytest.raises(RetryableError):
        await case.provider.look_up(case.grant)

    assert await case.provider.look_up(case.grant)


@pytest.mark.parametrize("name", PROVIDER_KINDS)
async def test_wrong_credentials_are_a_permanent_failure(name, client, start):
    kind = PROVIDER_KINDS[name]
    vendor = await start(kind.vendor())
    wrong = {
        "voucherify": lambda: Voucherify(client, vendor.url, APP_ID, SecretStr("wrong-token")),
        "talon_one": lambda: TalonOne(client, vendor.url, *[SecretStr("wrong-token")] * 2),
        "http": lambda: HttpProvider(client, f"{vendor.url}/rewards", SecretStr("whsec_d3Jvbmc=")),
    }
    provider = wrong[name.split("_points")[0].split("_gift")[0].split("_ev")[0].split("_loy")[0]]()

    with pytest.raises(PermanentError) as refused:
        await provider.grant(kind.grants(1)[0])

    assert refused.value.code == "credentials"
    assert "wrong" not in str(refused.value)
    assert vendor.bookings == []


async def test_unreachable_vendor_is_retryable(case, client):
    provider = case.kind.provider(client, UNREACHABLE)

    with pytest.raises(RetryableError, match="could not be reached: ConnectError"):
        await provider.grant(case.grant)


async def test_description_contains_the_address_and_no_secret(case):
    description = case.provider.describe()

    assert case.vendor.url.removeprefix("http://") in description
    assert not any(secret in description for secret in (TOKEN, SECRET, APP_ID))


async def test_valid_target_is_accepted(case):
    case.provider.check_target(case.kind.target, case.grant.type)


@pytest.mark.parametrize(
    ("name", "target", "type", "message"),
    [
        ("voucherify", {}, "points", "must have program"),
        ("voucherify", {"gift_campaign": "Gifts"}, "points", "must have program"),
        ("voucherify", {"program": "lprg_1"}, "gift_credit", "must have gift_campaign"),
        ("voucherify", {"program": "camp_1"}, "points", "pattern"),
        ("voucherify", {"program": "lprg_1", "loyalty_campaign": "x"}, "points", "either"),
        ("voucherify", {"loyalty_campaign": "x", "card_definition": "lcdef_1"}, "points", "part"),
        ("voucherify", {"program": "lprg_1", "app_token": "x"}, "points", "not permitted"),
        ("talon_one", {}, "points", "either event or loyalty"),
        ("talon_one", {"event": "e", "loyalty": {"program": 1}}, "points", "either"),
        ("talon_one", {"loyalty": {"program": 1}}, "gift_credit", "only points"),
        ("talon_one", {"loyalty": {"program": "1"}}, "points", "integer"),
        ("talon_one", {"event": ""}, "points", "at least 1"),
    ],
)
async def test_invalid_target_is_rejected(client, name, target, type, message):
    kind = next(kind for key, kind in PROVIDER_KINDS.items() if key.startswith(name))
    provider = kind.provider(client, UNREACHABLE)

    with pytest.raises(ValidationError, match=message):
        provider.check_target(target, type)
    with pytest.raises(PermanentError, match="target cannot be used for rewards") as refused:
        await provider.grant(replace(kind.grants(1)[0], type=type, target=target))

    assert refused.value.code == "target"
