"""Pages that people see: their texts, languages, brand and headers. `test_page_accessibility.py` opens them in a browser."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from entrypoints.api.public_pages import accepted_languages
from referrals.channels.page_context import PAGES
from referrals.channels.templates import TEMPLATES_DIR, Templates
from referrals.store import schema
from tests.api.conftest import Api
from tests.harness.campaigns import EACH, campaign
from tests.harness.store_harness import START
from tests.store.messaging.sending_harness import PROMOTION, REWARD, SendingHarness

GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}
NO_KEY = {"authorization": ""}


async def unsubscribe_link(
    api: Api, template: str = PROMOTION, channel: str = "email", **customer: Any
) -> str:
    """Send ada a message, and return the path of its unsubscribe link."""
    harness = SendingHarness(api.harness.store)
    harness.now = api.harness.time
    customer_id = await harness.customer(consent=["email", "whatsapp"], **customer)
    message = await harness.create_message(customer_id, template, channel)
    await harness.send(message)
    return f"/u/{(await harness.message(message)).unsubscribe_token}"


async def publish_without_landing_page(api: Api, **parts: Any) -> str:
    named = campaign(landing_url=None) | parts
    await api.http.put("/v1/campaigns/spring", json=named)
    return f"/r/{await api.harness.publish('spring', 'ada')}"


def assert_page(response: httpx.Response, status: int, language: str, *texts: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-language"] == language
    assert f'<html lang="{language}"' in response.text
    for text in texts:
        assert text in response.text


@pytest.mark.parametrize(
    ("template", "channel", "texts"),
    [
        (PROMOTION, "email", ["no longer receive promotional messages by email."]),
        (PROMOTION, "whatsapp", ["no longer receive promotional messages by WhatsApp."]),
        (PROMOTION, "log", ["no longer receive promotional messages."]),
        (REWARD, "email", ["promotional messages or messages about your rewards by email."]),
    ],
)
async def test_the_page_says_which_messages_end(
    api: Api, template: str, channel: str, texts: list[str]
):
    link = await unsubscribe_link(api, template, channel)

    asked = await api.get(link, headers=NO_KEY)
    done = await api.http.post(link, headers=NO_KEY)

    assert_page(asked, 200, "en", "Do you want to unsubscribe?", *texts)
    assert_page(done, 200, "en", "You are unsubscribed", *texts)
    for page in (asked, done):
        assert "Spring" in page.text
        assert "ada" not in page.text
        assert "<script" not in page.text


async def test_the_customers_locale_is_preferred_to_the_browsers(api: Api):
    link = await unsubscribe_link(api, locale="de-CH")
    english = {"accept-language": "en-GB"}

    assert_page(
        await api.get(link, headers=english),
        200,
        "de-CH",
        "keine Werbung per E\N{NON-BREAKING HYPHEN}Mail",
    )
    assert_page(await api.http.post(link), 200, "de-CH", "Sie sind abgemeldet")


async def test_without_a_locale_the_browsers_language_is_used(api: Api):
    link = await unsubscribe_link(api)

    assert_page(await api.get(link, headers=GERMAN), 200, "de-AT", "Abmelden")
    assert_page(await api.get(link, headers={"accept-language": "fr"}), 200, "en")


async def test_a_customer_who_was_merged_unsubscribes_the_survivor(api: Api):
    link = await unsubscribe_link(api)
    await api.http.put("/v1/customers/bob", json={"locale": "de"})
    await api.harness.merge("bob", "ada")

    assert_page(await api.http.post(link), 200, "de", "Sie sind abgemeldet")
    sources = {row.source for row in await api.harness.all(schema.consents)}
    assert "link" in sources


@pytest.mark.parametrize("end", [".", ">", ")", "%20", "/", "?utm_source=x"])
async def test_an_unsubscribe_link_works_with_what_a_mail_program_put_after_it(api: Api, end: str):
    link = await unsubscribe_link(api)

    assert_page(await api.get(f"{link}{end}"), 200, "en", "Do you want to unsubscribe?")


@pytest.mark.parametrize("token", ["old", "%00", "a" * 300, "", "a/b", "%F0%9F%98%80"])
async def test_a_bad_unsubscribe_link_is_explained(api: Api, token: str):
    for method in ("GET", "POST"):
        page = await api.http.request(method, f"/u/{token}", headers=GERMAN)
        assert_page(page, 404, "de-AT", "Dieser Link funktioniert nicht")


async def test_without_a_landing_page_the_code_and_the_reward_are_shown(api: Api):
    link = await publish_without_landing_page(api, name="Spring <b>& friends</b>")
    code = link.removeprefix("/r/")

    page = await api.get(f"/r/{code.lower()}", headers=NO_KEY)

    assert_page(page, 200, "en", code, "Enter this code at checkout.", "50 points")
    assert "Spring &lt;b&gt;&amp; friends&lt;/b&gt;" in page.text
    assert [arguments[2:] for arguments in api.inbox.calls] == [(code, "link")]
    assert_page(await api.get(link, headers=GERMAN), 200, "de-AT", "an der Kasse", "50 Punkte")


async def test_the_code_of_another_conversion_is_entered_when_signing_up(api: Api):
    link = await publish_without_landing_page(
        api, conversion={"event": "subscription_started"}, rewards={"tiers": [EACH]}
    )

    page = await api.get(link)

    assert_page(page, 200, "en", "Enter this code when you sign up.")
    assert "Your reward" not in page.text


@pytest.mark.parametrize(
    ("values", "status", "text"),
    [
        ({"state": "inactive"}, 410, "This invitation has ended"),
        ({"uses": 1, "uses_limit": 1}, 410, "This invitation has been used up"),
        ({"starts_at": START + timedelta(days=1)}, 200, "is not open at the moment"),
    ],
)
async def test_a_code_that_cannot_be_used_is_explained_instead_of_shown(
    api: Api, values: dict[str, Any], status: int, text: str
):
    link = await publish_without_landing_page(api)
    async with api.harness.store.begin() as tx:
        await tx.execute(schema.codes.update().values(**values))

    page = await api.get(link)

    assert_page(page, status, "en", text, "Spring")
    assert link.removeprefix("/r/") not in page.text
    assert len(api.inbox.calls) == 1


@pytest.mark.parametrize(
    "code", ["UNKNOWN-1", "%00", "%F0%9F%98%80", "a b", "%0dset-cookie:x", "a" * 300, ""]
)
async def test_an_unknown_code_is_explained(api: Api, code: str):
    page = await api.get(f"/r/{code}", headers=NO_KEY)

    assert_page(page, 404, "en", "This link does not work")
    assert api.inbox.calls == []


async def test_pages_run_no_scripts_and_are_neither_framed_nor_stored(api: Api):
    links = [await publish_without_landing_page(api), "/r/UNKNOWN-1", await unsubscribe_link(api)]
    for link in links:
        headers = (await api.get(link)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"


async def test_pages_have_the_brand_and_the_texts_of_the_operator(api: Api, tmp_path: Path):
    brand = (TEMPLATES_DIR / "messages" / "_brand.jinja").read_text()
    logo = "https://shop.example/logo.png"
    (tmp_path / "_brand.jinja").write_text(
        brand.replace("#1a56c4", "#aa0055").replace("logo = none", f'logo = "{logo}"')
    )
    french = (TEMPLATES_DIR / "pages" / "en.jinja").read_text()
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "fr.jinja").write_text(french.replace("Your code", "Votre code"))

    page = await api.get(
        await publish_without_landing_page(api), headers={"accept-language": "fr-CA"}
    )

    assert_page(page, 200, "fr-CA", "Votre code", "#aa0055", f'<img src="{logo}" alt="Spring">')


@pytest.mark.parametrize(
    ("header", "languages"),
    [
        ("", []),
        ("de", ["de"]),
        ("en;q=0.5, de-AT ,fr;q=0.9", ["de-AT", "fr", "en"]),
        ("de;q=0, en", ["en"]),
        ("*", []),
        ("../../etc, de;q=2, en;q=x, fr", ["fr"]),
        ("\u00e4, de", ["de"]),
        (",".join(["xx"] * 10 + ["de"]), ["xx"] * 10),
        ("a" * 10_000, []),
    ],
)
def test_the_languages_of_a_request(header: str, languages: list[str]):
    assert accepted_languages(header) == languages


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("locale", ["en", "de"])
def test_each_page_is_rendered_without_any_variable(page: str, locale: str):
    assert Templates().render_page(page, [locale]).locale == locale
