"""`EmailChannel` against a real SMTP server."""

import asyncio
import socket
from dataclasses import replace
from email.headerregistry import Address
from html import unescape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referrals.channels import email as email_channel
from referrals.channels.email import EmailChannel
from referrals.channels.errors import (
    AddressUnreachable,
    ChannelUnavailable,
    MessageRejected,
    SendOutcomeUnknown,
)
from referrals.channels.message_content import MessageContent
from referrals.channels.template_context import EXAMPLE_CONTEXT
from referrals.channels.templates import Templates
from tests.channels.email_messages import ADDRESS, SENDER, channel, message

HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"}
HEADERS |= {"MIME-Version", "Content-Type"}


async def test_a_mail_arrives_with_a_text_and_an_html_part(mailbox):
    rendered = Templates().render("code_published", "en", EXAMPLE_CONTEXT)

    await channel(mailbox).send(message(rendered))

    mail = mailbox.only_mail()
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), text.get_content_charset()) == ("text/plain", "utf-8")
    assert (html.get_content_type(), html.get_content_charset()) == ("text/html", "utf-8")
    assert text.get_content().splitlines() == rendered.text.splitlines()
    assert html.get_content().splitlines() == rendered.html.splitlines()
    link = EXAMPLE_CONTEXT["advocate"]["link"]
    assert link in text.get_content()
    assert f'href="{link}"' in html.get_content()


@pytest.mark.parametrize("locale", ["en", "de"])
async def test_every_message_arrives_as_it_was_written(serve, locale):
    names = {
        path.split("/")[1].removesuffix(".jinja") for path in Templates().for_campaign(None).files()
    }
    for name in sorted(names):
        rendered = Templates().render(name, locale, EXAMPLE_CONTEXT)
        mailbox = await serve()

        await channel(mailbox).send(message(rendered))

        mail = mailbox.only_mail()
        text, html = mail.iter_parts()
        assert mail["Subject"] == rendered.subject
        assert text.get_content().splitlines() == rendered.text.splitlines()
        assert html.get_content().splitlines() == rendered.html.splitlines()
        assert len(bytes(mail)) < 100_000
        assert not mail.defects


async def test_the_headers_say_who_to_whom_what_and_when(mailbox):
    await channel(mailbox).send(message())

    mail = mailbox.only_mail()
    (envelope,) = mailbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("hello@shop.example", [ADDRESS])
    assert mail["From"].addresses == (Address("Shop", "hello", "shop.example"),)
    assert mail["To"].addresses == (Address("Fay", "fay", "example.com"),)
    assert mail["Subject"] == "Hello"
    assert mail["Date"].datetime.tzinfo is not None
    assert mail["Auto-Submitted"] == "auto-generated"


async def test_the_message_id_is_the_reference_and_follows_from_the_key(serve):
    first, second, other = await serve(), await serve(), await serve()

    reference = await channel(first).send(message())
    await channel(second).send(message())
    await channel(other).send(message(key="msg-2"))

    assert first.only_mail()["Message-ID"] == second.only_mail()["Message-ID"] == reference
    assert other.only_mail()["Message-ID"] != reference
    assert reference.endswith("@shop.example>")


async def test_any_script_survives_in_header_and_body(mailbox):
    words = "Zoë 王小明 שלום 🎉"
    rendered = MessageContent(subject=words, text=words * 200, html=f"<p>{words * 200}</p>")

    await channel(mailbox).send(message(rendered, name=words))

    mail = mailbox.only_mail()
    text, html = mail.iter_parts()
    assert mail["Subject"] == words
    assert mail["To"].addresses == (Address(words, "fay", "example.com"),)
    assert text.get_content().strip() == words * 200
    assert words * 200 in html.get_content()
    assert max(map(len, mailbox.envelopes[0].content.splitlines())) <= 998


async def test_nothing_but_ascii_goes_over_the_wire(mailbox):
    await channel(mailbox).send(
        message(MessageContent("Grüße", "Grüße", "<p>Grüße</p>"), name="Zoë")
    )

    assert mailbox.envelopes[0].content.isascii()


@pytest.mark.parametrize("name", ["Fay\r\nBcc: eve@example.com", 'F"ay" <eve@example.com>,', ""])
async def test_a_name_cannot_add_headers_or_recipients(mailbox, name):
    await channel(mailbox).send(message(MessageContent(f"Hello {name}", name, name), name=name))

    mail = mailbox.only_mail()
    assert [address.addr_spec for address in mail["To"].addresses] == [ADDRESS]
    assert mailbox.envelopes[0].rcpt_tos == [ADDRESS]
    assert "Bcc" not in mail


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(max_size=100), subject=st.text(max_size=300))
async def test_no_text_breaks_the_headers(mailbox, name, subject):
    mailbox.envelopes.clear()

    await channel(mailbox).send(message(MessageContent(subject, "text", "html"), name=name))

    mail = mailbox.only_mail()
    assert [address.addr_spec for address in mail["To"].addresses] == [ADDRESS]
    assert set(mail.keys()) == HEADERS
    assert len(mail.keys()) == len(HEADERS)


async def test_an_international_domain_is_sent_in_its_ascii_form(mailbox):
    await channel(mailbox).send(message(to="fay@bücher.example"))

    assert mailbox.envelopes[0].rcpt_tos == ["fay@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (None, "no_address"),
        ("", "no_address"),
        ("fay", "invalid_address"),
        ("fay@example.com\r\nDATA", "invalid_address"),
        ("fay@example.com, eve@example.com", "invalid_address"),
        ("fay@example.com> SIZE=1", "invalid_address"),
        ("jörg@example.com", "invalid_address"),
    ],
)
async def test_an_invalid_address_is_rejected_before_calling_the_server(address, code):
    with pytest.raises(MessageRejected) as refused:
        await EmailChannel("smtp://localhost:1", SENDER).send(message(to=address))

    assert refused.value.code == code
    assert not address or address not in str(refused.value)


@pytest.mark.parametrize(
    ("command", "code"),
    [("RCPT", "no_mailbox"), ("MAIL", "sender_refused"), ("DATA", "message_refused")],
)
async def test_a_5xx_reply_is_a_rejection_that_hides_the_address(mailbox, command, code):
    mailbox.answers[command] = f"550 5.1.1 <{ADDRESS}>: no such user, call +49 151 1234567"

    with pytest.raises(
        MessageRejected, match=r"550 5\.1\.1 <\[removed\]>: no such user"
    ) as refused:
        await channel(mailbox).send(message())

    assert refused.value.code == code
    assert mailbox.envelopes == []
    assert "1234567" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("550 5.1.1 no such user", AddressUnreachable),
        ("550 5.1.10 null MX", AddressUnreachable),
        ("550 5.7.1 blocked by policy", MessageRejected),
        ("552 5.2.2 mailbox full", MessageRejected),
        ("550 no", MessageRejected),
    ],
)
async def test_only_an_unknown_mailbox_is_permanently_unreachable(mailbox, answer, kind):
    mailbox.answers["RCPT"] = answer

    with pytest.raises(MessageRejected) as refused:
        await channel(mailbox).send(message())

    assert type(refused.value) is kind


async def test_a_lost_response_is_an_unknown_outcome(mailbox, monkeypatch):
    async def take_it_and_hang_up(server, session, envelope):
        server.transport.close()
        return "250 OK"

    monkeypatch.setattr(mailbox, "handle_DATA", take_it_and_hang_up)

    with pytest.raises(SendOutcomeUnknown) as raised:
        await channel(mailbox).send(message())

    assert raised.value.__cause__ is None


async def test_emails_have_one_click_unsubscribe_headers(mailbox):
    link = "https://go.example/u/7K2M9QXD"
    await channel(mailbox).send(replace(message(), unsubscribe_url=link))

    mail = mailbox.only_mail()
    assert mail["List-Unsubscribe"] == f"<{link}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize("command", ["RCPT", "MAIL", "DATA"])
async def test_a_4xx_reply_can_be_retried(mailbox, command):
    mailbox.answers[command] = f"451 4.7.1 <{ADDRESS}>: greylisted"

    with pytest.raises(
        ChannelUnavailable, match=r"451 4\.7\.1 <\[removed\]>: greylisted"
    ) as unavailable:
        await channel(mailbox).send(message())

    assert unavailable.value.retry_after is None
    assert unavailable.value.__cause__ is None
    mailbox.answers.clear()
    await channel(mailbox).send(message())
    assert mailbox.only_mail()["Subject"] == "Hello"


async def test_a_long_reply_is_truncated(mailbox):
    mailbox.answers["RCPT"] = "\r\n".join(["550-no"] * 200 + ["550 no"])

    with pytest.raises(MessageRejected) as refused:
        await channel(mailbox).send(message())

    assert len(str(refused.value)) < 400


async def test_a_refused_connection_can_be_retried():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ChannelUnavailable, match="cannot accept the message now"):
            await EmailChannel(f"smtp://127.0.0.1:{unused.getsockname()[1]}", SENDER).send(
                message()
            )


async def test_a_silent_server_times_out(monkeypatch):
    monkeypatch.setattr(email_channel, "SMTP_TIMEOUT", 0.05)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ChannelUnavailable, match="Timed out"),
    ):
        await EmailChannel(f"smtp://127.0.0.1:{silent.getsockname()[1]}", SENDER).send(message())


@pytest.mark.parametrize("greeting", ["554 no service\r\n", "421 too busy\r\n", ""])
async def test_a_server_that_rejects_the_connection_can_be_retried(greeting):
    async def answer(reader, writer):
        writer.write(greeting.encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ChannelUnavailable):
            await EmailChannel(f"smtp://127.0.0.1:{port}", SENDER).send(message())


@pytest.mark.parametrize(
    "url", ["", "localhost:25", "http://localhost", "smtp://", "smtp://shop:secret/x@localhost:25"]
)
def test_a_malformed_url_is_an_error_that_hides_the_password(url):
    with pytest.raises(ValueError, match="the SMTP URL must be like") as error:
        EmailChannel(url, SENDER)

    assert "secret" not in str(error.value)


@pytest.mark.parametrize("sender", ["", "Shop", "Shop <hello>", "<@shop.example>", "hello@"])
def test_a_malformed_sender_is_an_error(sender):
    with pytest.raises(ValueError, match="the sender must be like"):
        EmailChannel("smtp://localhost", sender)


async def test_markup_in_a_name_stays_text_in_the_mail(mailbox):
    context = {**EXAMPLE_CONTEXT, "recipient": {"name": "<script>alert(1)</script>"}}
    rendered = Templates().render("code_published", "en", context)

    await channel(mailbox).send(message(rendered))

    text, html = mailbox.only_mail().iter_parts()
    assert "<script>" in text.get_content()
    assert "<script>" not in html.get_content()
    assert "<script>" in unescape(html.get_content())
