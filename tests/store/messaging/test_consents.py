"""Consents: explicit statements of the customer take precedence over lists."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referrals.store import schema
from referrals.store.customers import consents
from tests.store.messaging.sending_harness import PROMOTION, REWARD, SendingHarness


async def history(harness: SendingHarness, customer: str) -> list[tuple[str, str, str]]:
    async with harness.store.read() as tx:
        found = await consents.history(tx, customer)
    return [(entry.channel, entry.state, entry.source) for entry in found]


async def click(harness: SendingHarness, message: str) -> bool:
    row = await harness.message(message)
    async with harness.store.begin() as tx:
        return await consents.unsubscribe(tx, row.unsubscribe_token, harness.now)


async def test_a_list_allows_its_channels_and_withdraws_the_others(harness: SendingHarness):
    ada = await harness.customer(consent=["email"])
    assert await harness.marketing_channels(ada) == ["email"]

    harness.pass_time(hours=1)
    await harness.customer(consent=["email", "whatsapp"])
    assert await harness.marketing_channels(ada) == ["email", "whatsapp"]

    harness.pass_time(hours=1)
    await harness.customer(consent=[])
    assert await harness.marketing_channels(ada) == []
    assert await history(harness, ada) == [
        ("email", "given", "list"),
        ("whatsapp", "given", "list"),
        ("email", "withdrawn", "list"),
        ("whatsapp", "withdrawn", "list"),
    ]


async def test_a_missing_consent_list_changes_nothing(harness: SendingHarness):
    ada = await harness.customer(consent=["email"])

    await harness.customer(consent=None)

    assert await harness.marketing_channels(ada) == []


async def test_a_repeated_or_missing_list_changes_nothing(harness: SendingHarness):
    ada = await harness.customer(consent=["email"])
    for _ in range(3):
        await harness.customer(consent=["email"])
    await harness.customer(name="ada")

    assert await history(harness, ada) == [("email", "given", "list")]


@pytest.mark.parametrize("purpose", ["marketing", "service"])
async def test_a_list_never_overrides_an_explicit_withdrawal(harness: SendingHarness, purpose: str):
    ada = await harness.customer(consent=["email"])
    await harness.record_consent(ada, "withdrawn", "marketing", "email")
    await harness.record_consent(ada, "withdrawn", purpose, "email")

    for listed in (["email"], [], ["email"]):
        harness.pass_time(hours=1)
        await harness.customer(consent=listed)

    assert await harness.marketing_channels(ada) == []
    await harness.record_consent(ada, "given", "marketing", "email")
    assert await harness.marketing_channels(ada) == ["email"]


async def test_a_list_never_withdraws_an_explicit_consent(harness: SendingHarness):
    ada = await harness.customer()
    await harness.record_consent(ada, "given", "marketing", "email")

    await harness.customer(consent=[])

    assert await harness.marketing_channels(ada) == ["email"]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    said=st.dictionaries(st.integers(0, 20), st.sampled_from(["given", "withdrawn"]), max_size=6),
    lists=st.lists(st.booleans(), max_size=4),
)
async def test_the_latest_statement_of_the_customer_counts_in_any_order(
    harness: SendingHarness, said: dict[int, str], lists: list[bool]
):
    number = len(await harness.all(schema.customers))
    ada = await harness.customer(f"ada{number}")
    start = harness.now
    for minutes, state in said.items():
        harness.now = start + timedelta(minutes=minutes)
        await harness.record_consent(ada, state, "marketing", "email")
        for listed in lists:
            await harness.apply_consent_list(ada, *(["email"] if listed else []))

    harness.now = start
    if said:
        assert (await harness.marketing_channels(ada) == ["email"]) == (said[max(said)] == "given")


async def test_one_click_ends_messages_of_the_purpose_on_that_channel(harness: SendingHarness):
    ada = await harness.customer(consent=["email", "whatsapp"])
    promotion = await harness.create_message(ada, PROMOTION, "email")
    await harness.send(promotion)

    assert await click(harness, promotion)

    assert await harness.marketing_channels(ada) == ["whatsapp"]
    reward, other = await harness.create_message(ada), await harness.create_message(ada, PROMOTION)
    await harness.send(reward)
    await harness.send(other)
    assert await harness.outcome(reward) == ("sent", "email", None)
    assert await harness.outcome(other) == ("failed", None, "opted_out")


async def test_unsubscribing_from_service_messages_also_ends_marketing(harness: SendingHarness):
    ada = await harness.customer(consent=["email", "whatsapp"])
    reward = await harness.create_message(ada, REWARD, "email")
    await harness.send(reward)

    assert await click(harness, reward)

    again = await harness.create_message(ada, REWARD, "email", "whatsapp")
    await harness.send(again)
    assert await harness.outcome(again) == ("sent", "whatsapp", None)
    assert await harness.marketing_channels(ada) == ["whatsapp"]


async def test_repeated_clicks_record_one_withdrawal(harness: SendingHarness):
    ada = await harness.customer(consent=["email"])
    promotion = await harness.create_message(ada, PROMOTION)
    await harness.send(promotion)

    await asyncio.gather(*(click(harness, promotion) for _ in range(5)))
    harness.pass_time(days=1)
    await click(harness, promotion)

    assert await history(harness, ada) == [
        ("email", "given", "list"),
        ("email", "withdrawn", "link"),
    ]


async def test_the_unsubscribe_link_contains_no_customer_data(
    harness: SendingHarness,
):
    first, second = [await harness.create_message(await harness.customer()) for _ in range(2)]
    await harness.send(first)
    await harness.send(second)

    links: list[Any] = [message.unsubscribe_url for message in harness.email.received]
    assert len(set(links)) == 2
    for link in links:
        prefix, _, token = link.rpartition("/")
        assert prefix == "https://go.example/u"
        assert len(token) == 32
