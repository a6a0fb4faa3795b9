"""Behaviour that all providers share."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pydantic import SecretStr, ValidationError

from referrals.domain.failure_causes import FailureCause
from referrals.providers import (
    OutcomeUnknownError,
    PermanentError,
    RetryableError,
    RetryAfterError,
    UnavailableError,
)
from referrals.providers.http_endpoint import HttpProvider
from referrals.providers.talon_one import TalonOne
from referrals.providers.voucherify import Voucherify
from tests.providers.booking import CUSTOMERS, book_with_retries, look_up_with_retries
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

    found = await asyncio.gather(*(look_up_with_retries(case.provider, grant) for grant in grants))
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


DOCUMENTED_REFUSALS = {
    "voucherify": [
        (400, "invalid_payload", PermanentError, FailureCause.OTHER),
        (400, "no_voucher_suitable_for_publication", PermanentError, FailureCause.STOCK),
        (400, "customer_rules_violated", PermanentError, FailureCause.CUSTOMER),
        (400, "multiple_requests", RetryableError, FailureCause.CUSTOMER),
        (401, "unauthorized", PermanentError, FailureCause.CREDENTIALS),
        (402, "payment_required", PermanentError, FailureCause.PLAN),
        (404, "not_found", PermanentError, FailureCause.SETUP),
        (405, "method_not_allowed", PermanentError, FailureCause.SETUP),
        (406, "not_acceptable", PermanentError, FailureCause.OTHER),
        (409, "duplicate_found", PermanentError, FailureCause.OTHER),
        (415, "unsupported_media_type", PermanentError, FailureCause.OTHER),
        (423, "non_active_program", RetryableError, FailureCause.SETUP),
        (423, "program_outside_validity_window", RetryableError, FailureCause.SETUP),
        (423, "non_active_member", RetryableError, FailureCause.CUSTOMER),
        (423, "zero_card_balance", RetryableError, FailureCause.CUSTOMER),
        (429, "too_many_requests", RetryAfterError, FailureCause.PLAN),
        (500, "internal_error", OutcomeUnknownError, FailureCause.OUTAGE),
    ],
    "talon_one": [
        (400, "Invalid type", PermanentError, FailureCause.SETUP),
        (401, "Unauthorized", PermanentError, FailureCause.CREDENTIALS),
        (403, "Forbidden", PermanentError, FailureCause.CREDENTIALS),
        (409, "Too many requests are updating this profile", RetryableError, None),
        (429, "Too many requests", RetryAfterError, FailureCause.PLAN),
        (500, "Internal server error", OutcomeUnknownError, FailureCause.OUTAGE),
    ],
    "http": [
        (402, "unpaid", PermanentError, FailureCause.PLAN),
        (404, "unknown_customer", PermanentError, FailureCause.SETUP),
        (422, "account_closed", PermanentError, FailureCause.OTHER),
        (503, "down", OutcomeUnknownError, FailureCause.OUTAGE),
    ],
}
"""Statuses and keys that the documents list for requests that change a balance."""


@pytest.mark.parametrize("name", PROVIDER_KINDS)
async def test_documented_refusals_are_classified_and_have_a_cause(name, client, start):
    kind = PROVIDER_KINDS[name]
    vendor = await start(kind.vendor(seed=1))
    provider, grant = kind.provider(client, vendor), kind.grants(1)[0]
    await provider.grant(grant)
    before = len(vendor.requests)
    vendor_name = next(vendor for vendor in DOCUMENTED_REFUSALS if name.startswith(vendor))
    for number, (status, key, error, cause) in enumerate(DOCUMENTED_REFUSALS[vendor_name]):
        new = replace(grant, key=f"k{number}", customer=f"cus_new_{number}")
        vendor.refusals.extend([None] * (before - 1) + [(status, key)])

        with pytest.raises((RetryableError, PermanentError, OutcomeUnknownError)) as raised:
            await provider.grant(new)

        assert isinstance(raised.value, error), (status, key)
        assert not isinstance(raised.value, UnavailableError)
        assert raised.value.cause == (cause or raised.value.cause)
        assert f"k{number}" not in {entry.key for entry in vendor.bookings}
        await vendor.wait_until_idle()
        assert not vendor.refusals


async def test_unreachable_vendor_is_retryable(case, client):
    provider = case.kind.provider(client, UNREACHABLE)

    with pytest.raises(UnavailableError, match="could not be reached"):
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
