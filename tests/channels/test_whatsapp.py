"""`WhatsAppChannel` against a Graph API that takes nothing but what Meta's documents have."""

import asyncio
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from referrals.channels import (
    Blocked,
    OptedOut,
    Outgoing,
    Refused,
    Unavailable,
    Unclear,
    Unreachable,
)
from referrals.channels.rendered import Parameter, Rendered, WhatsAppMessage
from referrals.channels.whatsapp import WhatsAppChannel, open_whatsapp
from referrals.channels.whatsapp_message import callback_data, compose
from referrals.http_client import open_client
from referrals.settings import Settings
from tests.channels.fake_graph import NUMBER_ID, FakeGraph, NewMessage
from tests.providers.vendors import TOKEN, serve

TO = "+4915112345678"
IN_US = "+12125550123"
UTILITY = WhatsAppMessage("reward_granted", "de", "utility", body=(Parameter("Ada"),))
MARKETING = replace(UTILITY, template="invite", language="en_US", category="marketing")


class Clock:
    def __init__(self):
        self.now = datetime(2026, 3, 4, 10, tzinfo=UTC)

    def __call__(self):
        return self.now

    def pass_(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def graph(clock):
    fake = FakeGraph(seed=1, clock=clock)
    fake.approve("reward_granted", "de", "en_US", category="utility", body=1)
    fake.approve("invite", "en_US", category="marketing", body=1)
    stop = await serve(fake)
    yield fake
    await stop()


def whatsapp(client, graph, clock, token=TOKEN, number=NUMBER_ID):
    return WhatsAppChannel(client, f"{graph.url}/v23.0", number, SecretStr(token), clock)


@pytest.fixture
async def channel(graph, clock):
    async with open_client() as client:
        yield whatsapp(client, graph, clock)


@pytest.fixture
async def hasty(graph, clock):
    """The same, but it gives up soon."""
    async with open_client(connect=1, read=0.2) as client:
        yield whatsapp(client, graph, clock)


def message(content=UTILITY, *, key="msg-1", to=TO, attempt=1):
    rendered = Rendered("Hello", "Hello Fay", "<p>Hello Fay</p>", whatsapp=content)
    return Outgoing(key=key, to=to, name="Fay", rendered=rendered, attempt=attempt)


async def failure(channel, outgoing=None):
    with pytest.raises((Refused, Unavailable, Blocked, Unclear)) as raised:
        await channel.send(outgoing or message())
    return raised.value


async def test_a_message_goes_to_the_number_with_its_template_and_our_key(graph, channel):
    reference = await channel.send(message())

    (sent,) = graph.sent
    assert (sent.wamid, sent.key, sent.to) == (reference, "msg-1", TO)
    assert (sent.template.name, sent.template.language.code) == ("reward_granted", "de")
    assert graph.requests == [("POST", f"/v23.0/{NUMBER_ID}/messages")]
    assert channel.reconciles


async def test_every_part_of_a_template_stands_where_meta_wants_it(graph, channel):
    graph.approve("all", "de", category="utility", header=1, body=4, buttons=2)
    content = WhatsAppMessage(
        "all",
        "de",
        "utility",
        header=(Parameter("Ada"),),
        body=(
            Parameter("10\nfriends,\t really"),
            Parameter("25,00 €", "currency", "EUR", "25.00"),
            Parameter("0,0001 €", "currency", "EUR", "0.0001"),
            Parameter("18. März 2026", "date_time"),
        ),
        buttons=("CODE123", "CODE123?x=1"),
    )

    await channel.send(message(content))

    (sent,) = graph.sent
    assert sent.template.model_dump()["components"] == [
        {"type": "header", "parameters": [{"type": "text", "text": "Ada"}]},
        {
            "type": "body",
            "parameters": [
                {"type": "text", "text": "10 friends, really"},
                {
                    "type": "currency",
                    "currency": {"fallback_value": "25,00 €", "code": "EUR", "amount_1000": 25000},
                },
                {"type": "text", "text": "0,0001 €"},
                {"type": "date_time", "date_time": {"fallback_value": "18. März 2026"}},
            ],
        },
        *(
            {
                "type": "button",
                "sub_type": "url",
                "index": index,
                "parameters": [{"type": "text", "text": text}],
            }
            for index, text in (("0", "CODE123"), ("1", "CODE123?x=1"))
        ),
    ]


parameters = st.builds(
    Parameter,
    text=st.text(min_size=1).filter(lambda text: text.strip().isprintable() and text.strip()),
    type=st.sampled_from(["text", "currency", "date_time"]),
    currency=st.sampled_from([None, "EUR", "JPY"]),
    amount=st.none() | st.decimals(0, 10**9, places=4).map(str),
)


@settings(max_examples=200, deadline=None)
@given(
    header=st.lists(parameters, max_size=1).map(tuple),
    body=st.lists(parameters, max_size=5).map(tuple),
    buttons=st.lists(st.text("abcXYZ-?=%", min_size=1), max_size=3).map(tuple),
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=600),
)
def test_whatever_a_template_says_has_metas_shape(header, body, buttons, key):
    content = WhatsAppMessage("any", "de", "utility", header, body, buttons)

    request = NewMessage.model_validate(compose(key, TO, content))

    assert request.template.counts() == (len(header), len(body), len(buttons))


def test_a_key_comes_back_as_it_is_or_where_it_is_too_long_as_its_hash():
    longest, longer, umlauts = "k" * 512, "k" * 513, "ü" * 257

    assert callback_data(longest) == longest
    assert callback_data(longer) == callback_data(longer) != callback_data(umlauts)
    assert all(len(callback_data(key)) == 71 for key in (longer, umlauts))


@pytest.mark.parametrize(
    ("to", "code"),
    [
        (None, "no_address"),
        ("", "no_address"),
        ("fay@example.com", "invalid_address"),
        ("015112345678", "invalid_address"),
        ("+49", "invalid_address"),
        ("+491511234567890123", "invalid_address"),
    ],
)
async def test_what_is_no_number_is_not_sent_to(graph, channel, to, code):
    error = await failure(channel, message(to=to))

    assert (type(error), error.code) == (Refused, code)
    assert graph.requests == []


async def test_a_number_is_sent_in_e164(graph, channel):
    await channel.send(message(to="+49 (1511) 2345-678"))

    assert graph.sent[0].to == TO


async def test_a_message_without_a_whatsapp_template_is_for_another_channel(graph, channel):
    error = await failure(channel, message(content=None))

    assert (type(error), error.code, graph.requests) == (Refused, "no_template", [])


@pytest.mark.parametrize(
    ("to", "goes"),
    [
        (IN_US, False),
        ("+18005551234", False),
        ("+14165550123", True),
        ("+17875551234", True),
        ("+12423591234", True),
        (TO, True),
    ],
)
async def test_marketing_is_not_even_tried_in_the_united_states(graph, channel, to, goes):
    if goes:
        await channel.send(message(MARKETING, to=to))
    else:
        error = await failure(channel, message(MARKETING, to=to))
        assert (type(error), error.code, graph.requests) == (Refused, "marketing_us", [])

    await channel.send(message(UTILITY, to="+13105550123"))
    assert [sent.to for sent in graph.sent] == [to, "+13105550123"][-1 - goes :]


WITHIN_MINUTES = (60, 3600)
FROM_SIX_SECONDS = (6, 60)
ANY_TIME = (0, 3600)
OUR_BACK_OFF = None
# By the table of Meta's codes: what is raised, and what goes with it (the scope, or bounds of the first wait in seconds).
EXPECTED = {
    (0, 190, 3, 10, 200, 205, 299, 131005): (Blocked, "channel"),
    (4, 80007, 131057): (Unavailable, WITHIN_MINUTES),
    (130429,): (Unavailable, ANY_TIME),
    (131056,): (Unavailable, FROM_SIX_SECONDS),
    (131048, 131064, 131031, 131037, 131042, 131045, 368): (Blocked, "channel"),
    (1, 2, 131000, 131016, 135000): (Unavailable, OUR_BACK_OFF),
    (131026, 130472): (Unreachable, None),
    (131047, 131049, 131021, 131030, 130497): (Refused, None),
    (131050,): (OptedOut, None),
    (100, 131008, 131009, 131051): (Refused, None),
    (132000, 132001, 132005, 132007, 132008, 132012): (Blocked, "template"),
    (132015,): (Unavailable, WITHIN_MINUTES),
    (132016, 131063): (Refused, None),
    (4711, 131999): (Refused, None),
}


@pytest.mark.parametrize(
    ("code", "kind", "more"),
    [(code, *expected) for codes, expected in EXPECTED.items() for code in codes],
)
async def test_each_of_metas_codes_is_acted_on(graph, channel, code, kind, more):
    graph.codes.append(code)

    error = await failure(channel)

    assert type(error) is kind
    assert f"WhatsApp answered {code}: (#{code}) " in str(error)
    assert TO[1:] not in str(error)
    if kind is Blocked:
        assert error.scope == more
    elif kind is Unavailable and more is OUR_BACK_OFF:
        assert error.retry_after is None
    elif kind is Unavailable:
        assert more[0] <= error.retry_after.total_seconds() <= more[1]
    assert graph.sent == []


@pytest.mark.parametrize("code", [4, 130429, 131056, 131057])
async def test_waits_grow_with_the_attempts_to_an_end(graph, channel, clock, code):
    waits = []
    for attempt in (1, 2, 3, 4, 100):
        graph.codes.append(code)
        clock.pass_(10)
        waits.append((await failure(channel, message(attempt=attempt))).retry_after)

    assert waits[:4] == [waits[0] * 2**n for n in range(3)] + [waits[3]]
    assert waits[2] < waits[3] <= waits[4] == timedelta(hours=1)


async def test_a_pause_that_meta_asks_for_is_kept(graph, channel):
    graph.codes.append(131056)
    graph.retry_after = 90

    assert (await failure(channel)).retry_after == timedelta(seconds=90)


async def test_of_one_recipient_messages_are_six_seconds_apart(graph, channel, clock):
    await channel.send(message())
    clock.pass_(2)
    error = await failure(channel, message(key="msg-2"))
    await channel.send(message(key="msg-3", to="+4915112345679"))

    assert (type(error), error.retry_after) == (Unavailable, timedelta(seconds=4))
    assert len(graph.requests) == 2
    clock.pass_(4)
    await channel.send(message(key="msg-2"))
    assert [sent.key for sent in graph.sent] == ["msg-1", "msg-3", "msg-2"]


async def test_of_many_workers_meta_itself_keeps_the_messages_of_a_pair_apart(graph, clock):
    async with open_client() as client:
        workers = [whatsapp(client, graph, clock) for _ in range(5)]
        sends = (worker.send(message(key=f"msg-{number}")) for number, worker in enumerate(workers))
        results = await asyncio.gather(*sends, return_exceptions=True)

    assert len(graph.sent) == 1
    refused = [result for result in results if isinstance(result, Exception)]
    assert [type(error) for error in refused] == [Unavailable] * 4
    assert all(error.retry_after >= timedelta(seconds=6) for error in refused)


@pytest.mark.parametrize(
    ("fault", "kind", "sent"),
    [
        ("hang", Unclear, 0),
        ("hang_done", Unclear, 1),
        ("reset", Unclear, 0),
        ("reset_done", Unclear, 1),
        ("error", Unclear, 0),
        ("error_done", Unclear, 1),
        ("page", Unclear, 0),
        ("garbage_done", Unclear, 1),
        ("trickle_done", Unclear, 1),
        ("huge_done", Unclear, 1),
        ("limit", Unavailable, 0),
    ],
)
async def test_what_may_have_been_sent_is_told_from_what_was_not(graph, hasty, fault, kind, sent):
    graph.faults.append(fault)

    error = await failure(hasty)

    assert type(error) is kind
    assert len(graph.sent) == sent
    text = "".join(traceback.format_exception(error))
    assert not any(secret in text for secret in (TOKEN, "fay@", "1234567", TO[1:]))


async def test_of_many_under_all_faults_what_is_said_not_to_be_sent_was_not(graph, hasty):
    graph.risk = 0.5
    codes = [code for group in EXPECTED for code in group]
    graph.codes.extend(graph.random.choice([None, *codes]) for _ in range(100))
    messages = [message(key=f"msg-{n}", to=f"+4915112345{n:03}") for n in range(200)]

    gate = asyncio.Semaphore(5)

    async def send(outgoing):
        async with gate:
            return await hasty.send(outgoing)

    ends = await asyncio.gather(*map(send, messages), return_exceptions=True)
    await graph.quiet()

    sent = {found.key: found.wamid for found in graph.sent}
    assert len(sent) == len(graph.sent)
    for outgoing, end in zip(messages, ends, strict=True):
        if isinstance(end, str):
            assert sent[outgoing.key] == end
        elif not isinstance(end, Unclear):
            assert isinstance(end, Refused | Unavailable | Blocked), end
            assert outgoing.key not in sent
    assert sent
    assert any(isinstance(end, Unclear) for end in ends)


async def test_where_nobody_listens_nothing_was_sent(graph, clock):
    graph.url = "http://127.0.0.1:1"
    async with open_client() as client:
        error = await failure(whatsapp(client, graph, clock))

    assert (type(error), error.retry_after) == (Unavailable, None)


async def test_a_token_that_is_not_good_holds_the_channel_and_is_not_told(graph, clock):
    async with open_client() as client:
        error = await failure(whatsapp(client, graph, clock, token="0ld-t0ken"))

    assert (type(error), error.scope, error.code) == (Blocked, "channel", "token")
    assert "0ld-t0ken" not in str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, Blocked),
        (401, Blocked),
        (403, Blocked),
        (404, Refused),
        (408, Unclear),
        (429, Unavailable),
        (499, Refused),
        (502, Unclear),
        (599, Unclear),
    ],
)
@pytest.mark.parametrize("body", [None, [], {"error": None}, {"error": {"code": "x"}}, "<h1>"])
async def test_without_one_of_metas_codes_the_status_says_what_it_is(
    graph, channel, monkeypatch, status, kind, body
):
    """As from a proxy between."""
    refused = graph.refuse(4711)
    refused.status_code, refused.body = status, body
    monkeypatch.setattr(graph, "refuse", lambda *_, **__: refused)
    graph.codes.append(4711)

    assert type(await failure(channel)) is kind


async def test_an_answer_without_the_message_is_unclear(graph, channel, monkeypatch):
    refused = graph.refuse(4711)
    refused.status_code, refused.body = 200, {"messages": []}
    monkeypatch.setattr(graph, "refuse", lambda *_, **__: refused)
    graph.codes.append(4711)

    assert type(await failure(channel)) is Unclear


async def test_the_operator_is_told_which_number_it_is(channel):
    assert await channel.describe() == f"Shop at {channel._api.host}, quality GREEN"


def set_up(**changes):
    values = {"token": TOKEN, "app_secret": "secret", "verify_token": "verify"} | changes
    values = {"phone_number_id": NUMBER_ID} | values
    return Settings(**{f"whatsapp_{name}": value for name, value in values.items()})


async def test_it_is_set_up_by_the_settings_of_a_number(graph):
    async with open_whatsapp(set_up(url=graph.url)) as channels:
        assert list(channels) == ["whatsapp"]
        await channels["whatsapp"].send(message())
    async with open_whatsapp(set_up(phone_number_id=None)) as channels:
        assert channels == {}

    assert len(graph.sent) == 1


@pytest.mark.parametrize("missing", ["token", "app_secret", "verify_token"])
@pytest.mark.parametrize("value", [None, ""])
async def test_a_number_without_its_webhook_is_not_set_up(missing, value):
    with pytest.raises(ValueError, match=f"needs REFERRALS_WHATSAPP_{missing.upper()}$"):
        async with open_whatsapp(set_up(**{missing: value})):
            pass


@pytest.mark.parametrize(
    "changes",
    [{"phone_number_id": "1/../2"}, {"url": "graph.facebook.com"}, {"token": f"{TOKEN}\n"}],
)
async def test_what_is_malformed_is_an_error_that_keeps_the_token(changes):
    with pytest.raises(ValueError, match="must be") as error:
        async with open_whatsapp(set_up(**changes)):
            pass

    assert TOKEN not in str(error.value)
