"""Encryption of the connection to the SMTP server, and the login."""

import pytest

from referrals.channels.errors import ChannelSuspended, ChannelUnavailable
from tests.channels.conftest import CERTIFICATE, server_tls
from tests.channels.email_messages import channel, message


@pytest.fixture
def trusted(monkeypatch):
    """Make the client trust the certificate of the test server."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


@pytest.mark.usefixtures("trusted")
async def test_the_password_goes_by_starttls_where_it_is_offered(serve):
    mailbox = await serve(tls_context=server_tls(), auth_required=True)

    await channel(mailbox, "shop%40x:p%2Fa%3As%23s@").send(message())

    assert mailbox.only_mail()["Subject"] == "Hello"
    ((_, encrypted),) = mailbox.logins
    assert encrypted


@pytest.mark.usefixtures("trusted")
async def test_smtps_is_encrypted_from_the_start(serve):
    mailbox = await serve(smtps=True)

    await channel(mailbox, scheme="smtps").send(message())

    assert mailbox.only_mail()["Subject"] == "Hello"


@pytest.mark.parametrize("smtps", [True, False])
async def test_an_untrusted_certificate_is_rejected(serve, smtps):
    mailbox = await serve(smtps=smtps, tls_context=None if smtps else server_tls())

    with pytest.raises(ChannelUnavailable, match="certificate"):
        await channel(mailbox, "shop:secret@", "smtps" if smtps else "smtp").send(message())

    assert mailbox.logins == []


@pytest.mark.usefixtures("trusted")
async def test_a_wrong_password_suspends_the_channel_and_not_the_message(serve):
    """The operator has to correct the setting; the message waits."""
    mailbox = await serve(tls_context=server_tls())

    with pytest.raises(ChannelSuspended, match="credentials; an operator must correct them: 535"):
        await channel(mailbox, "shop:secret@").send(message())


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
async def test_a_server_that_requires_a_login_suspends_the_channel(serve):
    mailbox = await serve(auth_required=True, auth_require_tls=False)

    with pytest.raises(ChannelSuspended, match="credentials; an operator must correct them: 530"):
        await channel(mailbox).send(message())


async def test_a_password_for_a_server_without_login_can_be_retried(mailbox):
    with pytest.raises(ChannelUnavailable, match="AUTH"):
        await channel(mailbox, "shop:secret@").send(message())
