"""Failures of the WhatsApp channel: Meta's errors, rate limits, and lost responses."""

import asyncio
import traceback
from datetime import timedelta

import pytest

from referrals.channels.errors import (
    AddressUnreachable,
    ChannelSuspended,
    ChannelUnavailable,
    MessageRejected,
    RecipientOptedOut,
    SendOutcomeUnknown,
    VendorNotCalled,
)
from referrals.http_client import open_client
from tests.channels.whatsapp_samples import TO, failure, message, whatsapp
from tests.providers.fake_vendor import TOKEN

WITHIN_MINUTES = (60, 3600)
FROM_SIX_SECONDS = (6, 60)
ANY_TIME = (0, 3600)
OUR_BACK_OFF = None
# Meta's codes: the error that is raised, with its scope or the bounds of the first delay in seconds.
EXPECTED = {
    (0, 190, 3, 10, 200, 205, 299, 131005): (ChannelSuspended, "channel"),
    (4, 80007, 131057): (ChannelUnavailable, WITHIN_MINUTES),
    (130429,): (ChannelUnavailable, ANY_TIME),
    (131056,): (ChannelUnavailable, FROM_SIX_SECONDS),
    (131048, 131064, 131031, 131037, 131042, 131045, 368): (ChannelSuspended, "channel"),
    (33, 133000, 133005, 133006, 133010): (ChannelSuspended, "channel"),
    (1, 2, 131000, 131016, 135000): (ChannelUnavailable, OUR_BACK_OFF),
    (131026,): (AddressUnreachable, None),
    (131047, 131049, 130472, 131021, 131030, 130497): (MessageRejected, None),
    (131050,): (RecipientOptedOut, None),
    (100, 131008, 131009, 131051): (MessageRejected, None),
    (132000, 132001, 132005, 132007, 132008, 132012): (ChannelSuspended, "template"),
    (132015,): (ChannelUnavailable, WITHIN_MINUTES),
    (132016, 131063): (MessageRejected, None),
    (4711, 131999): (MessageRejected, None),
}


@pytest.mark.parametrize(
    ("code", "kind", "more"),
    [(code, *expected) for codes, expected in EXPECTED.items() for code in codes],
)
async def test_each_error_code_of_meta_has_its_consequence(graph, channel, code, kind, more):
    graph.codes.append(code)

    error = await failure(channel)

    assert type(error) is kind
    assert f"WhatsApp responded with {code}: (#{code}) " in str(error)
    assert TO[1:] not in str(error)
    if kind is ChannelSuspended:
        assert error.scope == more
    elif kind is ChannelUnavailable and more is OUR_BACK_OFF:
        assert error.retry_after is None
    elif kind is ChannelUnavailable:
        assert more[0] <= error.retry_after.total_seconds() <= more[1]
    assert graph.sent == []


@pytest.mark.parametrize(
    ("code", "transient", "kind"),
    [
        (4711, True, ChannelUnavailable),
        (131999, True, ChannelUnavailable),
        (4711, False, MessageRejected),
        (131026, True, AddressUnreachable),
        (133010, True, ChannelSuspended),
    ],
)
async def test_unknown_codes_that_meta_calls_passing_are_retried(
    graph, channel, clock, code, transient, kind
):
    graph.codes.extend([code] * 3)
    graph.transient = transient

    error = await failure(channel)
    clock.pass_(10)
    later = await failure(channel, message(attempt=8))

    assert (type(error), type(later)) == (kind, kind)
    if kind is ChannelUnavailable:
        assert error.retry_after == timedelta(minutes=1)
        assert later.retry_after == timedelta(hours=1)


@pytest.mark.parametrize("code", [4, 130429, 131056, 131057])
async def test_retry_delays_grow_with_the_attempts_up_to_a_limit(graph, channel, clock, code):
    waits = []
    for attempt in (1, 2, 3, 4, 100):
        graph.codes.append(code)
        clock.pass_(10)
        waits.append((await failure(channel, message(attempt=attempt))).retry_after)

    assert waits[:4] == [waits[0] * 2**n for n in range(3)] + [waits[3]]
    assert waits[2] < waits[3] <= waits[4] == timedelta(hours=1)


async def test_the_retry_after_of_meta_is_respected(graph, channel):
    graph.codes.append(131056)
    graph.retry_after = 90

    assert (await failure(channel)).retry_after == timedelta(seconds=90)


async def test_messages_to_one_recipient_are_six_seconds_apart(graph, channel, clock):
    await channel.send(message())
    clock.pass_(2)
    error = await failure(channel, message(key="msg-2"))
    await channel.send(message(key="msg-3", to="+4915112345679"))

    assert (type(error), error.retry_after) == (VendorNotCalled, timedelta(seconds=4))
    assert len(graph.requests) == 2
    clock.pass_(4)
    await channel.send(message(key="msg-2"))
    assert [sent.key for sent in graph.sent] == ["msg-1", "msg-3", "msg-2"]


async def test_over_several_workers_meta_enforces_the_pair_limit(graph, clock):
    async with open_client() as client:
        workers = [whatsapp(client, graph, clock) for _ in range(5)]
        sends = (worker.send(message(key=f"msg-{number}")) for number, worker in enumerate(workers))
        results = await asyncio.gather(*sends, return_exceptions=True)

    assert len(graph.sent) == 1
    refused = [result for result in results if isinstance(result, Exception)]
    assert [type(error) for error in refused] == [ChannelUnavailable] * 4  # by Meta, not by us
    assert all(error.retry_after >= timedelta(seconds=6) for error in refused)


@pytest.mark.parametrize(
    ("fault", "kind", "sent"),
    [
        ("hang", SendOutcomeUnknown, 0),
        ("hang_done", SendOutcomeUnknown, 1),
        ("reset", SendOutcomeUnknown, 0),
        ("reset_done", SendOutcomeUnknown, 1),
        ("error", SendOutcomeUnknown, 0),
        ("error_done", SendOutcomeUnknown, 1),
        ("page", SendOutcomeUnknown, 0),
        ("garbage_done", SendOutcomeUnknown, 1),
        ("trickle_done", SendOutcomeUnknown, 1),
        ("huge_done", SendOutcomeUnknown, 1),
        ("limit", ChannelUnavailable, 0),
    ],
)
async def test_lost_requests_and_lost_responses_are_distinguished(
    graph, impatient_channel, fault, kind, sent
):
    graph.faults.append(fault)

    error = await failure(impatient_channel)

    assert type(error) is kind
    assert len(graph.sent) == sent
    text = "".join(traceback.format_exception(error))
    assert not any(secret in text for secret in (TOKEN, "fay@", "1234567", TO[1:]))


async def test_messages_reported_as_not_sent_were_not_sent_under_random_faults(
    graph, impatient_channel
):
    graph.fault_rate = 0.5
    codes = [code for group in EXPECTED for code in group]
    graph.codes.extend(graph.random.choice([None, *codes]) for _ in range(100))
    messages = [message(key=f"msg-{n}", to=f"+4915112345{n:03}") for n in range(200)]

    gate = asyncio.Semaphore(5)

    async def send(outgoing):
        async with gate:
            return await impatient_channel.send(outgoing)

    ends = await asyncio.gather(*map(send, messages), return_exceptions=True)
    await graph.wait_until_idle()

    sent = {found.key: found.wamid for found in graph.sent}
    assert len(sent) == len(graph.sent)
    for outgoing, end in zip(messages, ends, strict=True):
        if isinstance(end, str):
            assert sent[outgoing.key] == end
        elif not isinstance(end, SendOutcomeUnknown):
            assert isinstance(end, MessageRejected | ChannelUnavailable | ChannelSuspended), end
            assert outgoing.key not in sent
    assert sent
    assert any(isinstance(end, SendOutcomeUnknown) for end in ends)


async def test_an_unreachable_server_means_not_sent(graph, clock):
    graph.url = "http://127.0.0.1:1"
    async with open_client() as client:
        error = await failure(whatsapp(client, graph, clock))

    assert (type(error), error.retry_after) == (ChannelUnavailable, None)


async def test_a_wrong_token_suspends_the_channel_and_is_not_disclosed(graph, clock):
    async with open_client() as client:
        error = await failure(whatsapp(client, graph, clock, token="0ld-t0ken"))

    assert (type(error), error.scope, error.code) == (ChannelSuspended, "channel", "token")
    assert "0ld-t0ken" not in str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ChannelSuspended),
        (401, ChannelSuspended),
        (403, ChannelSuspended),
        (404, MessageRejected),
        (408, SendOutcomeUnknown),
        (429, ChannelUnavailable),
        (499, MessageRejected),
        (502, SendOutcomeUnknown),
        (599, SendOutcomeUnknown),
    ],
)
@pytest.mark.parametrize("body", [None, [], {"error": None}, {"error": {"code": "x"}}, "<h1>"])
async def test_without_an_error_code_the_http_status_decides(
    graph, channel, monkeypatch, status, kind, body
):
    """Respond like a proxy in between."""
    refused = graph.refuse(4711)
    refused.status_code, refused.body = status, body
    monkeypatch.setattr(graph, "refuse", lambda *_, **__: refused)
    graph.codes.append(4711)

    assert type(await failure(channel)) is kind


async def test_a_response_without_the_message_id_is_an_unknown_outcome(graph, channel, monkeypatch):
    refused = graph.refuse(4711)
    refused.status_code, refused.body = 200, {"messages": []}
    monkeypatch.setattr(graph, "refuse", lambda *_, **__: refused)
    graph.codes.append(4711)

    assert type(await failure(channel)) is SendOutcomeUnknown
