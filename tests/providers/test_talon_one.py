"""Talon.One provider."""

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from referrals.domain.failure_causes import FailureCause
from referrals.providers import NotBookedError, PermanentError, RetryableError
from referrals.providers.talon_one import TalonOne
from referrals.providers.talon_one_events import CUSTOM, GIVING, TAKING, EventResult, event_id
from tests.providers.booking import book_with_retries
from tests.providers.conftest import LOYALTY, PROVIDER_KINDS, talon_one
from tests.providers.fake_talon_one import EVENT, FAILURE_EFFECTS, PAGE, FakeTalonOne, key_of
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
    assert first.reference == event_id(CREDIT.key)
    assert vendor.bookings == [Entry(CREDIT.key, CREDIT.amount)]


@pytest.mark.parametrize("grant", [CREDIT, POINTS])
async def test_concurrent_update_is_retryable(vendor, provider, grant):
    vendor.conflict_rate = 1

    with pytest.raises(RetryableError, match="Too many requests are updating this profile"):
        await provider.grant(grant)

    assert vendor.bookings == []


@pytest.mark.parametrize("reversal", [False, True])
@pytest.mark.parametrize("failing", [[], *([kind] for kind in FAILURE_EFFECTS), [*FAILURE_EFFECTS]])
async def test_failure_effects_alone_book_nothing(vendor, provider, failing, reversal):
    vendor.rules, vendor.failing = False, failing
    book = provider.roll_back if reversal else provider.grant

    with pytest.raises(NotBookedError) as refused:
        await (book(CREDIT, None) if reversal else book(CREDIT))

    assert (refused.value.code, refused.value.cause) == ("refused", FailureCause.RULE)
    assert "Attribute comparison failed for [removed]" in str(refused.value)
    assert all(f"{kind}: " in str(refused.value) for kind in failing)
    assert vendor.bookings == []
    with pytest.raises(PermanentError):
        await provider.look_up(CREDIT, reversal=reversal)


@pytest.mark.parametrize("kind", sorted(GIVING))
async def test_giving_effect_counts_beside_the_failures_of_other_rules(vendor, provider, kind):
    vendor.giving, vendor.failing = kind, [*FAILURE_EFFECTS]

    receipt = await provider.grant(CREDIT)

    assert receipt.booked
    assert vendor.bookings == [Entry(CREDIT.key, CREDIT.amount)]
    if kind != CUSTOM:
        assert await provider.look_up(CREDIT) == receipt


@pytest.mark.parametrize("kind", sorted(TAKING))
async def test_roll_back_needs_an_effect_that_takes(vendor, provider, kind):
    await provider.grant(CREDIT)
    vendor.taking, vendor.failing = kind, ["error"]

    assert (await provider.roll_back(CREDIT, None)).booked


@pytest.mark.parametrize(
    "kind",
    [
        "acceptReferral",
        "referralCreated",
        "setDiscount",
        "changeLoyaltyTierLevel",
        "updateAttribute",
    ],
)
async def test_other_effects_neither_give_nor_take(vendor, provider, kind):
    vendor.giving = vendor.taking = kind

    for book in (provider.grant(CREDIT), provider.roll_back(CREDIT, None)):
        with pytest.raises(NotBookedError):
            await book


async def test_effect_of_the_wrong_direction_does_not_count(vendor, provider):
    vendor.giving, vendor.taking = vendor.taking, vendor.giving

    for book in (provider.grant(CREDIT), provider.roll_back(CREDIT, None)):
        with pytest.raises(NotBookedError):
            await book


async def test_custom_effect_that_is_read_back_is_left_to_an_operator(vendor, provider):
    """The event as read back does not say whether the rule of the custom effect failed."""
    vendor.giving = CUSTOM
    await provider.grant(CREDIT)

    with pytest.raises(PermanentError, match="only a custom effect") as unsure:
        await provider.look_up(CREDIT)

    assert (type(unsure.value), unsure.value.code) == (PermanentError, "unconfirmed")


async def test_refused_event_is_sent_again_as_the_next_event_once_the_rule_is_corrected(
    vendor, provider
):
    vendor.rules = False
    for _ in range(3):
        with pytest.raises(NotBookedError):
            await provider.grant(CREDIT)
    vendor.rules = True

    receipts = [await provider.grant(CREDIT), await provider.look_up(CREDIT)]
    receipts.append(await provider.grant(CREDIT))

    assert {receipt.reference for receipt in receipts} == {event_id(CREDIT.key, 3)}
    assert vendor.bookings == [Entry(CREDIT.key, CREDIT.amount)]


async def test_number_of_refused_events_has_a_limit(vendor, provider):
    vendor.rules = False
    for _ in range(10):
        with pytest.raises(NotBookedError, match="Attribute comparison"):
            await provider.grant(CREDIT)

    with pytest.raises(NotBookedError, match="refused 10 events"):
        await provider.grant(CREDIT)

    assert len(vendor.events) == 10


def test_effects_are_read_in_every_form():
    forms = [[{"effectType": "addLoyaltyPoints"}], [["addLoyaltyPoints", "Gold", 10]]]
    forms += [[[{"effectType": "addLoyaltyPoints", "props": {}}]]]

    assert all(EventResult(effects=form).applied(GIVING) for form in forms)
    for nothing in ([], [[]], [[[]]], ["addLoyaltyPoints"], [None, 1, [2]], [{}]):
        assert EventResult(effects=nothing).applied(GIVING) is False


@given(st.text(min_size=1), st.text(min_size=1), st.integers(0, 9), st.integers(0, 9))
def test_event_ids_differ_like_the_keys_and_need_no_escaping(key, other, number, other_number):
    ids = [event_id(key, number), event_id(other, other_number)]

    assert (ids[0] == ids[1]) == ((key, number) == (other, other_number))
    assert quote(ids[0], safe="") == ids[0]
    assert key_of(ids[0]) == key


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
