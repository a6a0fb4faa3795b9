"""What a customer allows: what they said themselves counts before any list."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referrals.store import schema
from referrals.store.customers import consents
from tests.store.messaging.sending_harness import PROMOTION, REWARD, Office


async def history(office: Office, customer: str) -> list[tuple[str, str, str]]:
    async with office.store.read() as tx:
        found = await consents.history(tx, customer)
    return [(entry.channel, entry.state, entry.source) for entry in found]


async def click(office: Office, message: str) -> bool:
    row = await office.message(message)
    async with office.store.begin() as tx:
        return await consents.unsubscribe(tx, row.unsubscribe_token, office.now)


async def test_a_list_gives_what_it_names_and_withdraws_what_it_leaves_out(office: Office):
    ada = await office.customer(consent=["email"])
    assert await office.allowed(ada) == ["email"]

    office.pass_time(hours=1)
    await office.customer(consent=["email", "whatsapp"])
    assert await office.allowed(ada) == ["email", "whatsapp"]

    office.pass_time(hours=1)
    await office.customer(consent=[])
    assert await office.allowed(ada) == []
    assert await history(office, ada) == [
        ("email", "given", "list"),
        ("whatsapp", "given", "list"),
        ("email", "withdrawn", "list"),
        ("whatsapp", "withdrawn", "list"),
    ]


async def test_no_list_is_an_empty_one(office: Office):
    ada = await office.customer(consent=["email"])

    await office.customer(consent=None)

    assert await office.allowed(ada) == []


async def test_a_list_that_is_repeated_or_left_out_changes_nothing(office: Office):
    ada = await office.customer(consent=["email"])
    for _ in range(3):
        await office.customer(consent=["email"])
    await office.customer(name="ada")

    assert await history(office, ada) == [("email", "given", "list")]


@pytest.mark.parametrize("purpose", ["marketing", "service"])
async def test_a_list_never_undoes_what_the_customer_withdrew(office: Office, purpose: str):
    ada = await office.customer(consent=["email"])
    await office.wish(ada, "withdrawn", "marketing", "email")
    await office.wish(ada, "withdrawn", purpose, "email")

    for listed in (["email"], [], ["email"]):
        office.pass_time(hours=1)
        await office.customer(consent=listed)

    assert await office.allowed(ada) == []
    await office.wish(ada, "given", "marketing", "email")
    assert await office.allowed(ada) == ["email"]


async def test_a_list_never_withdraws_what_the_customer_gave(office: Office):
    ada = await office.customer()
    await office.wish(ada, "given", "marketing", "email")

    await office.customer(consent=[])

    assert await office.allowed(ada) == ["email"]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    said=st.dictionaries(st.integers(0, 20), st.sampled_from(["given", "withdrawn"]), max_size=6),
    lists=st.lists(st.booleans(), max_size=4),
)
async def test_the_customers_latest_word_counts_in_whatever_order_it_comes(
    office: Office, said: dict[int, str], lists: list[bool]
):
    number = len(await office.all(schema.customers))
    ada = await office.customer(f"ada{number}")
    start = office.now
    for minutes, state in said.items():
        office.now = start + timedelta(minutes=minutes)
        await office.wish(ada, state, "marketing", "email")
        for listed in lists:
            await office.tell(ada, *(["email"] if listed else []))

    office.now = start
    if said:
        assert (await office.allowed(ada) == ["email"]) == (said[max(said)] == "given")


async def test_one_click_ends_such_messages_by_that_channel(office: Office):
    ada = await office.customer(consent=["email", "whatsapp"])
    promotion = await office.write(ada, PROMOTION, "email")
    await office.send(promotion)

    assert await click(office, promotion)

    assert await office.allowed(ada) == ["whatsapp"]
    reward, other = await office.write(ada), await office.write(ada, PROMOTION)
    await office.send(reward)
    await office.send(other)
    assert await office.outcome(reward) == ("sent", "email", None)
    assert await office.outcome(other) == ("failed", None, "opted_out")


async def test_who_wants_no_news_of_rewards_wants_no_marketing_either(office: Office):
    ada = await office.customer(consent=["email", "whatsapp"])
    reward = await office.write(ada, REWARD, "email")
    await office.send(reward)

    assert await click(office, reward)

    again = await office.write(ada, REWARD, "email", "whatsapp")
    await office.send(again)
    assert await office.outcome(again) == ("sent", "whatsapp", None)
    assert await office.allowed(ada) == ["whatsapp"]


async def test_clicked_often_it_is_one_withdrawal(office: Office):
    ada = await office.customer(consent=["email"])
    promotion = await office.write(ada, PROMOTION)
    await office.send(promotion)

    await asyncio.gather(*(click(office, promotion) for _ in range(5)))
    office.pass_time(days=1)
    await click(office, promotion)

    assert await history(office, ada) == [
        ("email", "given", "list"),
        ("email", "withdrawn", "link"),
    ]


async def test_the_link_goes_with_the_message_and_holds_nothing_of_the_customer(office: Office):
    first, second = [await office.write(await office.customer()) for _ in range(2)]
    await office.send(first)
    await office.send(second)

    links: list[Any] = [message.unsubscribe_url for message in office.email.taken]
    assert len(set(links)) == 2
    for link in links:
        prefix, _, token = link.rpartition("/")
        assert prefix == "https://go.example/u"
        assert len(token) == 32
