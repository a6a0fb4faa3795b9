"""What is Talon.One's own."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from referrals.providers import PermanentError, RetryableError
from referrals.providers.talon_one import TalonOne
from tests.providers.conftest import LOYALTY, WAYS, talon_one
from tests.providers.delivering import deliver
from tests.providers.fake_talon_one import EVENT, PAGE, FakeTalonOne
from tests.providers.vendors import TOKEN, Entry

CREDIT, POINTS = (WAYS[name].grants(1)[0] for name in ("talon_one_event", "talon_one_loyalty"))


@pytest.fixture
async def vendor(start):
    return await start(FakeTalonOne(seed=1))


@pytest.fixture
def provider(client, vendor):
    return talon_one(client, vendor)


async def test_a_repeated_event_is_answered_409_which_is_a_receipt(vendor, provider):
    first = await provider.grant(CREDIT)

    assert await provider.grant(CREDIT) == first
    assert first.reference == CREDIT.key
    assert vendor.books == [Entry(CREDIT.key, CREDIT.amount)]


@pytest.mark.parametrize("grant", [CREDIT, POINTS])
async def test_parallel_updates_are_answered_409_too_and_can_be_tried_again(
    vendor, provider, grant
):
    vendor.parallel = 1

    with pytest.raises(RetryableError, match="Too many requests are updating this profile"):
        await provider.grant(grant)

    assert vendor.books == []


async def test_an_event_that_no_rule_answers_is_no_grant(vendor, provider):
    vendor.rules = False

    for ask in (provider.grant, provider.grant, provider.look_up):
        with pytest.raises(PermanentError, match="no rule of it granted anything") as refused:
            await ask(CREDIT)
        assert refused.value.code == "no_effect"


async def test_an_event_that_is_not_defined_is_refused_with_the_vendors_words(provider):
    with pytest.raises(PermanentError, match="no event type unknown") as refused:
        await provider.grant(replace(CREDIT, target={"event": "unknown"}))

    assert refused.value.code == "http_400"


async def test_points_go_by_event_too(vendor, provider):
    grant = replace(POINTS, target={"event": EVENT})

    await deliver(provider, grant, vendor)

    assert vendor.books == [Entry(POINTS.key, POINTS.amount)]


async def test_points_of_a_programme_need_the_management_key(client, vendor):
    provider = TalonOne(client, vendor.url, SecretStr(TOKEN))

    with pytest.raises(PermanentError, match="Management API") as refused:
        await provider.grant(POINTS)

    assert refused.value.code == "credentials"


async def test_a_profile_is_made_once(vendor, provider):
    await provider.grant(POINTS)
    await provider.grant(replace(POINTS, key="k2"))

    profiles = [path for _, path in vendor.requests if "customer_profiles" in path]
    assert len(profiles) == 1


@pytest.mark.parametrize("subledger", [None, "referrals"])
async def test_points_go_to_the_subledger_of_the_campaign(vendor, provider, subledger):
    grant = replace(POINTS, target={"loyalty": {**LOYALTY["loyalty"], "subledger": subledger}})

    await deliver(provider, grant, vendor)

    ((transaction,),) = vendor.transactions.values()
    assert transaction["subledgerId"] == (subledger or "")
    assert (await provider.look_up(grant)).reference == transaction["transactionUUID"]


async def test_a_programme_that_is_not_there_is_refused(provider):
    with pytest.raises(PermanentError, match="loyalty program not found") as refused:
        await provider.grant(replace(POINTS, target={"loyalty": {"program": 7}}))

    assert refused.value.code == "http_404"


async def test_a_booking_is_found_behind_many_newer_ones(vendor, provider):
    for number in range(3 * PAGE):
        await provider.grant(replace(POINTS, key=f"k{number}"))

    assert await provider.look_up(replace(POINTS, key="k0"))
    assert await provider.look_up(replace(POINTS, key="k")) is None
