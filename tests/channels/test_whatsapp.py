"""`WhatsAppChannel` against a fake Graph API that accepts only what Meta documents."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referrals.channels.errors import MessageRejected
from referrals.channels.message_content import WhatsAppMessage, WhatsAppParameter
from referrals.channels.whatsapp import open_whatsapp
from referrals.channels.whatsapp_request import build_request, callback_data
from referrals.settings import Settings
from tests.channels.fake_graph_api import NUMBER_ID, NewMessage
from tests.channels.whatsapp_samples import IN_US, MARKETING, TO, UTILITY, failure, message
from tests.providers.fake_vendor import TOKEN


async def test_a_message_goes_to_the_number_with_its_template_and_our_key(graph, channel):
    reference = await channel.send(message())

    (sent,) = graph.sent
    assert (sent.wamid, sent.key, sent.to) == (reference, "msg-1", TO)
    assert (sent.template.name, sent.template.language.code) == ("reward_granted", "de")
    assert graph.requests == [("POST", f"/v23.0/{NUMBER_ID}/messages")]
    assert channel.reports_outcome


WITH_ALL_PARTS = WhatsAppMessage(
    "all",
    "de",
    "utility",
    header=(WhatsAppParameter("Ada"),),
    body=(
        WhatsAppParameter("10\nfriends,\t really"),
        WhatsAppParameter("25,00 €", "currency", "EUR", "25.00"),
        WhatsAppParameter("0,0001 €", "currency", "EUR", "0.0001"),
        WhatsAppParameter("18. März 2026", "date_time"),
    ),
    buttons=("CODE123", "CODE123?x=1"),
)


async def test_every_part_of_a_template_stands_where_meta_wants_it(graph, channel):
    graph.approve("all", "de", category="utility", header=1, body=4, buttons=2)
    await channel.send(message(WITH_ALL_PARTS))

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


@pytest.mark.parametrize(
    ("amount", "thousandths"),
    [("2147483.647", 2**31 - 1), ("2147483.648", None), ("25000000", None)],
)
def test_an_amount_beyond_32_bits_is_sent_as_text(amount, thousandths):
    shown = WhatsAppParameter("many dong", "currency", "VND", amount)
    content = WhatsAppMessage("any", "vi", "utility", body=(shown,))

    (body,) = build_request("key", TO, content)["template"]["components"]

    (parameter,) = body["parameters"]
    assert (parameter["type"] == "text") == (thousandths is None)
    assert parameter.get("currency", {}).get("amount_1000") == thousandths
    NewMessage.model_validate(build_request("key", TO, content))


parameters = st.builds(
    WhatsAppParameter,
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

    request = NewMessage.model_validate(build_request(key, TO, content))

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
async def test_an_invalid_number_is_rejected(graph, channel, to, code):
    error = await failure(channel, message(to=to))

    assert (type(error), error.code) == (MessageRejected, code)
    assert graph.requests == []


async def test_a_number_is_sent_in_e164(graph, channel):
    await channel.send(message(to="+49 (1511) 2345-678"))

    assert graph.sent[0].to == TO


async def test_a_message_without_a_whatsapp_template_is_for_another_channel(graph, channel):
    error = await failure(channel, message(content=None))

    assert (type(error), error.code, graph.requests) == (MessageRejected, "no_template", [])


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
async def test_marketing_to_us_numbers_is_not_attempted(graph, channel, to, goes):
    if goes:
        await channel.send(message(MARKETING, to=to))
    else:
        error = await failure(channel, message(MARKETING, to=to))
        assert (type(error), error.code, graph.requests) == (MessageRejected, "marketing_us", [])

    await channel.send(message(UTILITY, to="+13105550123"))
    assert [sent.to for sent in graph.sent] == [to, "+13105550123"][-1 - goes :]


async def test_describe_names_the_number_for_the_operator(channel):
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
async def test_a_number_without_webhook_settings_is_an_error(missing, value):
    with pytest.raises(ValueError, match=f"needs REFERRALS_WHATSAPP_{missing.upper()}$"):
        async with open_whatsapp(set_up(**{missing: value})):
            pass


@pytest.mark.parametrize(
    "changes",
    [{"phone_number_id": "1/../2"}, {"url": "graph.facebook.com"}, {"token": f"{TOKEN}\n"}],
)
async def test_a_malformed_setting_is_an_error_that_hides_the_token(changes):
    with pytest.raises(ValueError, match=r"must (be|look like)") as error:
        async with open_whatsapp(set_up(**changes)):
            pass

    assert TOKEN not in str(error.value)
