"""Voucherify provider."""

import asyncio
from dataclasses import replace

import pytest

from referrals.providers import PermanentError, RetryableError
from tests.providers.booking import book_with_retries
from tests.providers.conftest import PROVIDER_KINDS, voucherify
from tests.providers.fake_vendor import Entry
from tests.providers.fake_voucherify import DEFINITION, PAGE, FakeVoucherify
from tests.providers.voucherify_bodies import NewMember, NewMemberOfGuide

POINTS, LEGACY, GIFT = (PROVIDER_KINDS[name].grants(1)[0] for name in list(PROVIDER_KINDS)[:3])


@pytest.fixture
async def vendor(start):
    return await start(FakeVoucherify(seed=1))


@pytest.fixture
def provider(client, vendor):
    return voucherify(client, vendor)


@pytest.mark.parametrize(("shape", "requests"), [(NewMember, 1), (NewMemberOfGuide, 2)])
async def test_customer_is_enrolled_once_by_either_documented_form(
    vendor, provider, shape, requests
):
    vendor.member_shape = shape
    await provider.grant(POINTS)
    await provider.grant(replace(POINTS, key="k2"))

    enrolments = [path for method, path in vendor.requests if path.endswith("/members")]
    assert len(enrolments) == requests
    assert list(vendor.members) == [POINTS.customer]
    assert vendor.undocumented_requests == []


async def test_enrolment_rejected_in_both_forms_is_a_permanent_failure(vendor, provider):
    vendor.refusals.extend([None, None, *[(400, "invalid_payload")] * 2])

    with pytest.raises(PermanentError, match="invalid_payload") as refused:
        await provider.grant(POINTS)

    assert (refused.value.code, vendor.bookings) == ("invalid_payload", [])


async def test_concurrent_first_grants_enrol_the_customer_once(vendor, provider):
    grants = [replace(POINTS, key=f"k{number}") for number in range(5)]

    await asyncio.gather(*map(provider.grant, grants))

    assert len(vendor.members) == 1
    assert len(vendor.bookings) == 5
    assert vendor.undocumented_requests == []


async def test_points_are_booked_when_approved(vendor, provider):
    receipt = await provider.grant(POINTS)
    looks = [await provider.look_up(POINTS) for _ in range(3)]

    assert [receipt.booked, *(look.booked for look in looks)] == [False, False, True, True]
    assert {look.reference for look in looks} == {receipt.reference}


async def test_points_rejected_later_are_reported_and_can_be_granted_again(vendor, provider):
    vendor.rejecting = True
    await provider.grant(POINTS)
    await provider.look_up(POINTS)

    for _ in range(2):
        with pytest.raises(
            PermanentError, match=r"limit_exceeded: Too many points for \[removed\]"
        ) as no:
            await provider.look_up(POINTS)
        assert no.value.code == "rejected"

    vendor.rejecting = False
    again = await provider.grant(POINTS)
    assert (await provider.look_up(POINTS)).reference == again.reference
    assert vendor.bookings == [Entry(POINTS.key, POINTS.amount)]


async def test_inactive_programme_is_retryable(vendor, provider):
    vendor.program_status = "INACTIVE"

    with pytest.raises(RetryableError, match="non_active_program"):
        await provider.grant(POINTS)


async def test_unknown_programme_is_rejected(vendor, provider):
    with pytest.raises(PermanentError) as refused:
        await provider.grant(replace(POINTS, target={"program": "lprg_0"}))

    assert refused.value.code == "not_found"


async def test_target_selects_one_of_several_cards(vendor, provider):
    vendor.definitions = ["lcdef_0", DEFINITION]
    named = replace(POINTS, target={**POINTS.target, "card_definition": DEFINITION})
    wrong = replace(POINTS, target={**POINTS.target, "card_definition": "lcdef_7"})

    await book_with_retries(provider, named, vendor)
    for grant, count in ((POINTS, 2), (wrong, 0)):
        with pytest.raises(PermanentError, match=f"has {count} matching cards") as refused:
            await provider.grant(grant)
        assert refused.value.code == "target"

    second = vendor.members[POINTS.customer][1]["card"]["id"]
    assert vendor.bookings == [Entry(POINTS.key, POINTS.amount)]
    assert len(vendor.transactions[second]) == 1


async def test_missing_card_is_retryable(vendor, provider):
    await provider.grant(POINTS)
    vendor.members[POINTS.customer][0]["card"] = None

    with pytest.raises(RetryableError, match="has not created the member's card yet"):
        await provider.look_up(POINTS)


@pytest.mark.parametrize("grant", [POINTS, LEGACY, GIFT])
async def test_booking_is_found_on_later_pages(vendor, provider, grant):
    for number in range(3 * PAGE):
        await book_with_retries(provider, replace(grant, key=f"k{number}"), vendor)

    assert (await provider.look_up(replace(grant, key="k0"))).booked
    assert await provider.look_up(replace(grant, key="k")) is None


async def test_api_v1_points_are_booked_when_listed(vendor, provider):
    receipt = await provider.grant(LEGACY)
    await vendor.wait_until_idle()
    found = await provider.look_up(LEGACY)

    assert (receipt.booked, found.booked) == (False, True)


@pytest.mark.parametrize(
    ("amount", "currency", "hundredths"), [(2550, "EUR", 2550), (500, "JPY", 50000)]
)
async def test_credit_is_sent_in_hundredths_of_any_currency(
    vendor, provider, amount, currency, hundredths
):
    grant = replace(GIFT, amount=amount, currency=currency)

    await provider.grant(grant)
    await provider.roll_back(grant, None)

    assert [entry.amount for entry in vendor.bookings] == [hundredths, -hundredths]


async def test_amount_below_a_hundredth_is_rejected(vendor, provider):
    with pytest.raises(PermanentError, match="KWD in hundredths") as refused:
        await provider.grant(replace(GIFT, amount=1_234, currency="KWD"))

    assert refused.value.code == "amount"
    assert vendor.requests == []


@pytest.mark.parametrize("target", [{"loyalty_campaign": "Empty"}, {"gift_campaign": "Empty"}])
async def test_exhausted_campaign_is_rejected_with_the_vendors_key(provider, target):
    grant = replace(LEGACY if "loyalty_campaign" in target else GIFT, target=target)

    with pytest.raises(PermanentError) as refused:
        await provider.grant(grant)

    assert refused.value.code == "no_voucher_suitable_for_publication"


@pytest.mark.parametrize("repeat", ["", "duplicate_source_id", "voucher_already_published"])
async def test_repeated_publication_returns_the_same_card(vendor, provider, repeat):
    vendor.repeats = [repeat]

    await provider.grant(GIFT)
    await provider.roll_back(GIFT, None)

    assert len(vendor.publications) == 1
    assert len(vendor.bookings) == 2


async def test_failed_publications_before_the_successful_one_are_skipped(vendor, provider):
    await provider.grant(GIFT)
    vendor.repeats, vendor.failed_publications = ["duplicate_source_id"], 3

    assert (await provider.look_up(GIFT)).booked
    assert await provider.look_up(replace(GIFT, key="k")) is None
    assert vendor.undocumented_requests == []


async def test_unlisted_publication_is_retryable(vendor, provider):
    vendor.repeats, vendor.listing = ["duplicate_source_id"], False
    vendor.failed_publications = 1
    await provider.grant(GIFT)

    with pytest.raises(RetryableError, match="does not list it yet"):
        await provider.look_up(GIFT)
