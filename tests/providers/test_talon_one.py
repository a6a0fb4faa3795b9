"""Talon.One provider."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from referrals.providers import PermanentError, RetryableError
from referrals.providers.talon_one import TalonOne
from tests.providers.booking import book_with_retries
from tests.providers.conftest import LOYALTY, PROVIDER_KINDS, talon_one
from tests.providers.fake_talon_one import EVENT, PAGE, FakeTalonOne
from tests.providers.fake_vendor import TOKEN, Entry

CREDIT, POINTS = (
    PROVIDER_KINDS[name].grants(1)[0] for name in ("talon_one_event", "talon_one_loyalty")
)


@pytest.fixture
async def vendor(start):
    return await start(FakeTalonOne(seed=1))


@pytest.fixture
def provider(client, vendor):
    return talon_one(client, vendor)


async def test_repeated_event_returns_the_receipt(vendor, provider):
    first = await provider.grant(CREDIT)

    assert await provider.grant(CREDIT) == first
    assert first.reference == CREDIT.key
    assert vendor.bookings == [Entry(CREDIT.key, CREDIT.amount)]


@pytest.mark.parametrize("grant", [CREDIT, POINTS])
async def test_concurrent_update_is_retryable(vendor, provider, grant):
    vendor.conflict_rate = 1

    with pytest.raises(RetryableError, match="Too many requests are updating this profile"):
        await provider.grant(grant)

    assert vendor.bookings == []


async def test_event_without_effect_is_a_permanent_failure(vendor, provider):
    vendor.rules = False

    for ask in (provider.grant, provider.grant, provider.look_up):
        with pytest.raises(PermanentError, match="no rule of it granted anything") as refused:
            await ask(CREDIT)
        assert refused.value.code == "no_effect"


async def test_undefined_event_is_rejected_with_the_vendors_message(provider):
    with pytest.raises(PermanentError, match="no event type unknown") as refused:
        await provider.grant(replace(CREDIT, target={"event": "unknown"}))

    assert refused.value.code == "http_400"


async def test_points_can_be_granted_by_event(vendor, provider):
    grant = replace(POINTS, target={"event": EVENT})

    await book_with_retries(provider, grant, vendor)

    assert vendor.bookings == [Entry(POINTS.key, POINTS.amount)]


async def test_loyalty_target_requires_the_management_key(client, vendor):
    provider = TalonOne(client, vendor.url, SecretStr(TOKEN))

    with pytest.raises(PermanentError, match="Management API") as refused:
        await provider.grant(POINTS)

    assert refused.value.code == "credentials"


async def test_profile_is_created_once(vendor, provider):
    await provider.grant(POINTS)
    await provider.grant(replace(POINTS, key="k2"))

    profiles = [path for _, path in vendor.requests if "customer_profiles" in path]
    assert len(profiles) == 1


@pytest.mark.parametrize("subledger", [None, "referrals"])
async def test_points_are_booked_on_the_subledger(vendor, provider, subledger):
    grant = replace(POINTS, target={"loyalty": {**LOYALTY["loyalty"], "subledger": subledger}})

    await book_with_retries(provider, grant, vendor)

    ((transaction,),) = vendor.transactions.values()
    assert transaction["subledgerId"] == (subledger or "")
    assert (await provider.look_up(grant)).reference == transaction["transactionUUID"]


async def test_unknown_programme_is_rejected(provider):
    with pytest.raises(PermanentError, match="loyalty program not found") as refused:
        await provider.grant(replace(POINTS, target={"loyalty": {"program": 7}}))

    assert refused.value.code == "http_404"


async def test_booking_is_found_on_later_pages(vendor, provider):
    for number in range(3 * PAGE):
        await provider.grant(replace(POINTS, key=f"k{number}"))

    assert await provider.look_up(replace(POINTS, key="k0"))
    assert await provider.look_up(replace(POINTS, key="k")) is None
