"""Whether, when and by which channel a message goes out, and what is known of it afterwards."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from referrals.channels import Blocked, OptedOut, Refused, Unavailable, Unclear, Unreachable
from referrals.store import Store, blocks, schema, sending, suppressions
from tests.sending.office import NOON, PROMOTION, REWARD, Office

BOTH = ("whatsapp", "email")
LOST = Unclear("The answer was lost.")
DOWN = Unavailable("The server does not answer.")
NO_MAILBOX = Unreachable("no_mailbox", "There is no such mailbox.")
NO_TOKEN = Blocked("token_invalid", "The token has expired.", "channel")


class Crash(BaseException):
    """The worker dies here."""


# Which channel


async def test_a_message_goes_by_the_first_of_its_channels(office: Office):
    message = await office.write(await office.customer(), REWARD, *BOTH)

    assert (await office.send(message)).state == "sent"

    assert await office.outcome(message) == ("sent", "whatsapp", None)
    assert office.email.taken == []


async def test_what_one_channel_refuses_goes_by_the_next_at_once(office: Office):
    office.whatsapp.answers = [Refused("no_template", "There is no such template.")]
    message = await office.write(await office.customer(), REWARD, *BOTH)

    await office.send(message)

    assert await office.outcome(message) == ("sent", "email", None)
    assert await office.logged() == ["message_sent"]


async def test_a_message_that_all_channels_refuse_says_why(office: Office):
    office.whatsapp.answers = [Refused("no_template", "There is no such template.")]
    office.email.answers = [Refused("message_refused", "Too large.")]
    message = await office.write(await office.customer(), REWARD, *BOTH)

    await office.send(message)

    row = await office.message(message)
    assert (row.state, row.reason_code, row.reason) == ("failed", "message_refused", "Too large.")


async def test_a_channel_without_an_address_is_passed_over(office: Office):
    message = await office.write(await office.customer(phone=None), REWARD, *BOTH)

    await office.send(message)

    assert await office.outcome(message) == ("sent", "email", None)


async def test_when_attempts_by_one_channel_are_spent_the_next_has_its_turn(office: Office):
    office.whatsapp.answers = [DOWN]
    message = await office.write(await office.customer(), REWARD, *BOTH)

    assert await office.try_to_send(message) == "Unavailable"
    given_up = await office.activities.give_up_message(message, str(DOWN))
    assert given_up.again_at is not None
    assert (await office.send(message)).state == "sent"

    assert await office.outcome(message) == ("sent", "email", None)
    office.email.answers = [DOWN]
    alone = await office.write(await office.customer(), REWARD)
    await office.try_to_send(alone)
    assert (await office.activities.give_up_message(alone, str(DOWN))).state == "failed"
    assert await office.outcome(alone) == ("failed", None, "attempts_spent")


# Consent and suppression


async def test_marketing_needs_a_consent_and_service_does_not(office: Office):
    customer = await office.customer()
    promotion = await office.write(customer, PROMOTION)
    reward = await office.write(customer, REWARD)

    await office.send(promotion)
    await office.send(reward)

    assert await office.outcome(promotion) == ("failed", None, "no_consent")
    assert await office.outcome(reward) == ("sent", "email", None)


async def test_marketing_goes_by_the_channel_that_is_allowed(office: Office):
    message = await office.write(await office.customer(consent=["email"]), PROMOTION, *BOTH)

    await office.send(message)

    assert await office.outcome(message) == ("sent", "email", None)


@pytest.mark.parametrize("template", [PROMOTION, REWARD])
async def test_an_opt_out_that_comes_while_a_message_waits_is_respected(
    office: Office, template: str
):
    customer = await office.customer(consent=["email"])
    message = await office.write(customer, template)
    office.email.answers = [DOWN, "ref"]
    assert await office.try_to_send(message) == "Unavailable"

    await office.wish(customer, "withdrawn", "service", "email")
    await office.wish(customer, "withdrawn", "marketing", "email")
    await office.send(message)

    assert await office.outcome(message) == ("failed", None, "opted_out")
    assert len(office.email.taken) == 1


async def test_what_the_vendor_knows_of_an_opt_out_is_noted(office: Office):
    office.whatsapp.answers = [OptedOut("opted_out", "The customer wants no marketing.")]
    customer = await office.customer(consent=["whatsapp", "email"])
    message = await office.write(customer, PROMOTION, *BOTH)

    await office.send(message)

    assert await office.outcome(message) == ("sent", "email", None)
    assert await office.allowed(customer) == ["email"]


async def test_an_address_that_nothing_reaches_is_not_written_to_again(office: Office):
    office.email.answers = [NO_MAILBOX, "ref"]
    customer = await office.customer()
    first, second = [await office.write(customer) for _ in range(2)]

    await office.send(first)
    await office.send(second)

    assert await office.outcome(first) == ("failed", None, "no_mailbox")
    assert await office.outcome(second) == ("failed", None, "suppressed")
    assert len(office.email.taken) == 1
    (row,) = await office.all(schema.suppressions)
    assert "ada@" not in str(row)


async def test_another_address_and_a_lifted_suppression_are_new_chances(office: Office):
    office.email.answers = [NO_MAILBOX, "ref"]
    customer = await office.customer()
    await office.send(await office.write(customer))

    await office.customer(email="ada@example.org")
    changed = await office.write(customer)
    await office.send(changed)
    assert await office.outcome(changed) == ("sent", "email", None)

    await office.customer()
    async with office.store.begin() as tx:
        assert await suppressions.lift(tx, customer, "email")
        assert not await suppressions.lift(tx, customer, "email")
    lifted = await office.write(customer)
    await office.send(lifted)
    assert await office.outcome(lifted) == ("sent", "email", None)


# Quiet hours and the cap


async def test_in_the_customers_night_a_message_waits_for_their_morning(store: Store):
    office = await Office(store, quiet_hours="21:00-08:00").open()
    customer = await office.customer(timezone="Asia/Kathmandu")  # 17:45 over there
    office.pass_time(hours=4)
    message = await office.write(customer)

    waits = await office.send(message)

    morning = datetime(2026, 3, 5, 2, 15, tzinfo=UTC)
    assert (waits.state, waits.again_at) == ("pending", morning)
    row = await office.message(message)
    assert (row.not_before, row.reason_code) == (morning, "quiet_hours")
    assert office.email.taken == []

    office.now = morning
    assert (await office.send(message)).state == "sent"
    row = await office.message(message)
    assert (row.not_before, row.reason_code) == (None, None)


async def test_a_campaigns_quiet_hours_and_zone_count_before_the_deployments(store: Store):
    office = await Office(store, quiet_hours="21:00-08:00").open(
        timezone="Asia/Tokyo", messages={"quiet_hours": "20:00-22:00"}
    )
    message = await office.write(await office.customer())  # 21:00 over there

    assert (await office.send(message)).again_at == NOON + timedelta(hours=1)


async def test_the_log_channel_knows_no_consent_no_night_and_no_cap(store: Store):
    office = await Office(store, quiet_hours="00:00-23:59", cap="1/P1D").open()
    customer = await office.customer()
    messages = [await office.write(customer, PROMOTION, "log") for _ in range(3)]

    for message in messages:
        await office.send(message)
        assert await office.outcome(message) == ("sent", "log", None)
        assert (await office.message(message)).text == "text"


async def test_above_the_cap_a_message_waits_for_its_place(store: Store):
    office = await Office(store, cap="2/P1D").open()
    customer = await office.customer()
    first, second, third = [await office.write(customer) for _ in range(3)]
    await office.send(first)
    office.pass_time(hours=2)
    await office.send(second)

    waits = await office.send(third)

    assert waits.again_at == NOON + timedelta(days=1)
    assert (await office.message(third)).reason_code == "message_cap"
    other = await office.write(await office.customer("ben"))
    assert (await office.send(other)).state == "sent"
    office.now = NOON + timedelta(days=1)
    assert (await office.send(third)).state == "sent"


async def test_what_was_not_sent_takes_no_place_under_the_cap(store: Store):
    office = await Office(store, cap="1/P1D").open()
    customer = await office.customer()
    office.email.answers = [Refused("message_refused", "No."), DOWN, "ref"]
    refused, later, third = [await office.write(customer) for _ in range(3)]

    await office.send(refused)
    await office.try_to_send(later)

    assert (await office.send(third)).state == "sent"
    assert (await office.send(later)).state == "pending"


@pytest.mark.parametrize("later", [[DOWN], [Refused("message_refused", "No.")], [LOST, DOWN]])
async def test_what_may_have_been_sent_keeps_its_place_whatever_comes_of_it_later(
    store: Store, later: list[Exception]
):
    office = await Office(store, cap="1/P1D").open()
    customer = await office.customer()
    office.email.answers = [LOST, *later, "ref"]
    unclear, other = [await office.write(customer) for _ in range(2)]
    for _ in range(len(later)):
        assert await office.try_to_send(unclear) == "Unclear"
        lost = office.now
        office.pass_time(minutes=2)
    await office.try_to_send(unclear)
    assert len(office.email.taken) == len(later) + 1

    waits = await office.send(other)

    assert (waits.state, waits.again_at) == ("pending", lost + timedelta(days=1))
    assert (await office.message(other)).reason_code == "message_cap"


async def test_fifty_at_once_do_not_break_the_cap(store: Store):
    office = await Office(store, cap="3/P1D").open()
    customer = await office.customer()
    messages = [await office.write(customer) for _ in range(50)]

    outcomes = await asyncio.gather(*map(office.send, messages))

    assert Counter(outcome.state for outcome in outcomes) == {"sent": 3, "pending": 47}
    assert len(office.email.taken) == 3


async def test_marketing_that_would_come_a_week_late_does_not_come(store: Store):
    office = await Office(store, cap="1/P30D").open()
    customer = await office.customer(consent=["email"])
    await office.send(await office.write(customer, REWARD))
    promotion, reward = await office.write(customer, PROMOTION), await office.write(customer)

    assert (await office.send(promotion)).state == "failed"
    assert (await office.send(reward)).again_at == NOON + timedelta(days=30)

    row = await office.message(promotion)
    assert row.reason_code == "too_late"
    assert "as many messages as they may get" in row.reason


async def test_marketing_whose_answer_was_lost_just_in_time_is_unclear_and_not_too_late(
    office: Office,
):
    office.whatsapp.answers = [LOST]
    customer = await office.customer(consent=["whatsapp"])
    message = await office.write(customer, PROMOTION, "whatsapp")
    office.pass_time(days=6, hours=23, minutes=59)
    assert await office.try_to_send(message) == "Unclear"

    waits = await office.send(message)
    assert (waits.state, (await office.message(message)).reason_code) == ("pending", "unclear")
    office.now = waits.again_at
    await office.send(message)

    assert await office.outcome(message) == ("failed", None, "unclear")
    assert len(office.whatsapp.taken) == 1


# At most once, at least once


async def test_marketing_whose_answer_was_lost_does_not_go_by_a_channel_that_is_allowed_meanwhile(
    office: Office,
):
    office.email.answers = [LOST]
    customer = await office.customer(consent=["email"])
    message = await office.write(customer, PROMOTION, *BOTH)
    assert await office.try_to_send(message) == "Unclear"

    await office.wish(customer, "given", "marketing", "whatsapp")
    await office.send(message)

    assert await office.outcome(message) == ("failed", None, "unclear")
    assert office.whatsapp.taken == []


async def test_of_two_workers_one_calls(office: Office):
    message = await office.write(await office.customer())
    meanwhile = []

    async def second_worker(_: object) -> None:
        meanwhile.append(await office.send(message))

    office.email.during = second_worker
    await office.send(message)

    (other,) = meanwhile
    assert (other.state, other.again_at) == ("pending", NOON + sending.LEASE)
    assert len(office.email.taken) == 1
    assert await office.outcome(message) == ("sent", "email", None)


@pytest.mark.parametrize("end", [LOST, Crash(), TimeoutError()])
async def test_marketing_whose_answer_is_lost_is_never_sent_again_by_any_channel(
    office: Office, end: BaseException
):
    office.email.answers = [end, "ref"]
    customer = await office.customer(consent=["email", "whatsapp"])
    message = await office.write(customer, PROMOTION, "email", "whatsapp")

    await _fall(office, message)
    office.pass_time(minutes=2)
    await office.send(message)

    assert await office.outcome(message) == ("failed", None, "unclear")
    assert (len(office.email.taken), len(office.whatsapp.taken)) == (1, 0)


@pytest.mark.parametrize("end", [LOST, Crash(), TimeoutError()])
async def test_a_reward_notice_whose_answer_is_lost_is_sent_again_under_the_same_key(
    office: Office, end: BaseException
):
    office.email.answers = [end, "ref"]
    message = await office.write(await office.customer(), REWARD)

    await _fall(office, message)
    office.pass_time(minutes=2)
    await office.send(message)

    assert await office.outcome(message) == ("sent", "email", None)
    assert len(office.email.keys) == 2
    assert len(set(office.email.keys)) == 1
    assert [taken.attempt for taken in office.email.taken] == [1, 2]


async def _fall(office: Office, message: str) -> None:
    try:
        assert await office.try_to_send(message) == "Unclear"
    except Crash:
        return


@pytest.mark.parametrize("template", [PROMOTION, REWARD])
async def test_a_vendor_that_reconciles_is_given_time_to_tell(office: Office, template: str):
    office.whatsapp.answers = [LOST, "ref"]
    customer = await office.customer(consent=["whatsapp"])
    message = await office.write(customer, template, "whatsapp")
    await _fall(office, message)

    assert (await office.send(message)).again_at == NOON + sending.RECONCILE
    office.pass_time(minutes=5)
    key = (await office.message(message)).key
    assert await office.hear("delivered", key=key, reference="wamid-1")

    row = await office.message(message)
    assert (row.state, row.channel, row.reference) == ("delivered", "whatsapp", "wamid-1")
    assert (await office.send(message)).state == "delivered"
    assert len(office.whatsapp.taken) == 1
    assert await office.logged() == ["message_sent", "message_delivered"]


@pytest.mark.parametrize(("template", "calls"), [(PROMOTION, 1), (REWARD, 2)])
async def test_after_that_time_marketing_is_given_up_and_a_reward_notice_sent_again(
    office: Office, template: str, calls: int
):
    office.whatsapp.answers = [LOST, "ref"]
    customer = await office.customer(consent=["whatsapp", "email"])
    message = await office.write(customer, template, "whatsapp", "email")
    await _fall(office, message)
    office.pass_time(minutes=10)

    await office.send(message)

    assert len(office.whatsapp.taken) == calls
    assert office.email.taken == []
    state, _, code = await office.outcome(message)
    assert (state, code) == (("failed", "unclear") if calls == 1 else ("sent", None))


async def test_what_a_vendor_tells_days_late_of_an_unclear_message_counts(office: Office):
    office.whatsapp.answers = [LOST]
    message = await office.write(await office.customer(consent=["whatsapp"]), PROMOTION, "whatsapp")
    await _fall(office, message)
    office.pass_time(minutes=10)
    assert (await office.send(message)).state == "failed"

    office.pass_time(days=6)
    key = (await office.message(message)).key
    await office.hear("read", key=key, reference="wamid-1")

    row = await office.message(message)
    assert (row.state, row.channel, row.reason_code) == ("read", "whatsapp", None)
    assert row.read_at is not None


async def test_a_late_end_of_a_call_that_was_taken_over_changes_nothing(office: Office):
    message = await office.write(await office.customer())

    async def taken_over(_: object) -> None:
        office.email.during = None
        office.pass_time(minutes=2)
        await office.send(message)

    office.email.during = taken_over
    office.email.answers = ["ref", Refused("message_refused", "No.")]
    await office.send(message)

    assert await office.outcome(message) == ("sent", "email", None)
    assert (await office.message(message)).reference == "ref-2"


# Blocks


@pytest.mark.parametrize("overtaken_by", ["attempt", "status"])
async def test_an_opt_out_that_ends_a_call_is_noted_whatever_came_before_it(
    office: Office, overtaken_by: str
):
    end = OptedOut("marketing_stopped", "The customer wants no more.")
    office.whatsapp.answers = ["ref", end] if overtaken_by == "attempt" else [end]
    customer = await office.customer(consent=["whatsapp"])
    message = await office.write(customer, REWARD, "whatsapp")

    async def meanwhile(outgoing: object) -> None:
        office.whatsapp.during = None
        if overtaken_by == "attempt":
            office.pass_time(minutes=11)
            await office.send(message)
        else:
            await office.hear("delivered", key=f"spring/{message}", reference="wamid-1")

    office.whatsapp.during = meanwhile
    await office.send(message)

    assert await office.allowed(customer) == []


async def test_what_is_blocked_holds_all_that_goes_the_same_way(office: Office):
    office.whatsapp.answers = [NO_TOKEN]
    messages = [
        await office.write(await office.customer(f"customer{number}"), REWARD, *BOTH)
        for number in range(5)
    ]

    waits = [await office.send(message) for message in messages]

    assert len(office.whatsapp.taken) == 1
    assert office.email.taken == []
    assert all(wait.held and wait.state == "pending" for wait in waits)
    assert {wait.again_at for wait in waits} == {NOON + blocks.PROBE}
    row = await office.message(messages[-1])
    assert (row.reason_code, row.reason) == ("token_invalid", "The token has expired.")


async def test_one_message_tries_and_when_it_gets_through_all_do(office: Office):
    office.whatsapp.answers = [NO_TOKEN, NO_TOKEN, "ref"]
    customers = [await office.customer(f"customer{number}") for number in range(4)]
    messages = [await office.write(customer, REWARD, "whatsapp") for customer in customers]
    for probes in (1, 2):
        for message in messages:
            await office.send(message)
        assert len(office.whatsapp.taken) == probes
        office.pass_time(minutes=30)

    outcomes = [await office.send(message) for message in messages]

    assert [outcome.state for outcome in outcomes] == ["sent"] * 4
    assert await office.all(schema.blocks) == []


async def test_a_block_of_a_template_holds_no_other(office: Office):
    office.whatsapp.answers = [Blocked("template_paused", "It is paused.", "template"), "ref"]
    customer = await office.customer(consent=["whatsapp"])
    held = await office.write(customer, REWARD, "whatsapp")
    other = await office.write(customer, PROMOTION, "whatsapp")

    assert (await office.send(held)).held
    assert (await office.send(other)).state == "sent"

    (block,) = await office.all(schema.blocks)
    assert (block.channel, block.template) == ("whatsapp", REWARD)


async def test_a_lifted_block_holds_nothing(office: Office):
    office.email.answers = [NO_TOKEN, "ref"]
    message = await office.write(await office.customer())
    await office.send(message)
    (block,) = await office.all(schema.blocks)

    async with office.store.begin() as tx:
        assert await blocks.lift(tx, block.id)

    assert (await office.send(message)).state == "sent"


async def test_after_days_a_held_message_goes_by_its_next_channel_or_is_parked(office: Office):
    office.whatsapp.answers = [NO_TOKEN]
    customer = await office.customer()
    both = await office.write(customer, REWARD, *BOTH)
    alone = await office.write(customer, REWARD, "whatsapp")
    await office.send(both)
    office.now = NOON + blocks.GIVE_UP

    await office.send(both)
    await office.send(alone)

    assert await office.outcome(both) == ("sent", "email", None)
    assert await office.outcome(alone) == ("failed", None, "token_invalid")
