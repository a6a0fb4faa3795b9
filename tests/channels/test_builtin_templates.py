"""Built-in messages: every event and language, with all and with as few variables as possible."""

import re
from datetime import date
from urllib.parse import unquote

import pytest

from referrals.channels.template_context import (
    EXAMPLE_CONTEXT,
    EXAMPLE_COUPON,
    EXAMPLE_REWARD,
    example_contexts,
)
from referrals.channels.templates import Templates
from tests.channels.email_page import LOCALES, TEMPLATES, page, render

NAMES = {
    "code_published": "service",
    "invite": "marketing",
    "thank_sharing": "service",
    "nudge_friend": "marketing",
    "last_call": "marketing",
    "reward_pending": "service",
    "reward_granted": "service",
    "reward_failed": "service",
    "milestone": "service",
    "rolled_back": "service",
    "thank_advocate": "service",
    "thank_friend": "service",
}
EVERY = [
    (name, locale, event)
    for name in NAMES
    for locale in LOCALES
    for event in TEMPLATES.for_campaign(None).front_matter(f"{locale}/{name}.jinja").events
]
NBSP = "\N{NO-BREAK SPACE}"


def test_every_message_exists_in_every_language():
    files = {f"{locale}/{name}.jinja" for locale in LOCALES for name in NAMES}

    assert set(TEMPLATES.for_campaign(None).files()) == files


@pytest.mark.parametrize(("name", "locale", "event"), EVERY)
class TestEvery:
    def test_passes_the_check_of_its_events(self, name, locale, event):
        TEMPLATES.check(name, event)

    def test_reads_well_with_and_without_what_may_be_missing(self, name, locale, event):
        for context in example_contexts(event):
            rendered = TEMPLATES.render(name, locale, context)

            shown = " ".join("".join(page(rendered.html).text).split())
            short = rendered.http.text if rendered.http else rendered.subject
            for part in (rendered.subject, rendered.text, shown, short):
                assert "None" not in part
                assert not re.search(r" [,.!?:]|,,|\.\.|&\w+;|[{}]", part), part
            assert not re.search(r"  |\n\n\n|[ \t]\n(?<!-- \n)", rendered.text)
            assert rendered.subject
            assert "\n" not in rendered.subject
            assert len(rendered.subject) < 78

    def test_is_a_whole_document_that_clients_do_not_clip(self, name, locale, event):
        for context in example_contexts(event):
            rendered = TEMPLATES.render(name, locale, context)

            html, seen = rendered.html, page(rendered.html)
            assert html.startswith("<!doctype html>")
            assert html.endswith("</html>")
            assert len(html.encode()) < 50_000
            assert not seen.opened
            assert not seen.wrong
            assert dict(seen.tags)["html"]["lang"] == locale
            assert "<title></title>" not in html
            assert ("meta", {"name": "color-scheme", "content": "light dark"}) in seen.tags
            assert "@media (prefers-color-scheme: dark)" in html
            tables = [attributes for tag, attributes in seen.tags if tag == "table"]
            assert all(attributes.get("role") == "presentation" for attributes in tables)

    def test_has_a_preheader_that_is_not_the_subject(self, name, locale, event):
        for context in example_contexts(event):
            rendered = TEMPLATES.render(name, locale, context)

            hidden = re.search(r'<div style="display:none[^>]*>(.*?)</div>', rendered.html)[1]
            assert 10 < len(hidden) < 140
            assert hidden != rendered.subject

    def test_asks_no_other_server_for_anything(self, name, locale, event):
        rendered = render(name, locale, friend={"name": "Fay"})

        assert not re.search(r"<(img|script|iframe|link|object)|@import|url\(", rendered.html)

    def test_has_the_same_links_in_html_and_text(self, name, locale, event):
        for context in example_contexts(event):
            rendered = TEMPLATES.render(name, locale, context)

            in_text = set(re.findall(r"https?://\S+", rendered.text))
            links = page(rendered.html).links
            sharing = [url for url in links if url.startswith(("https://wa.me/", "mailto:"))]
            assert set(links) - set(sharing) == in_text
            for url in sharing:
                via = "email" if url.startswith("mailto:") else "whatsapp"
                assert unquote(url).endswith(f"{context['advocate']['link']}?via={via}")

    def test_says_why_it_came_and_how_to_end_it(self, name, locale, event):
        full, least = example_contexts(event)
        label = {"en": "Unsubscribe", "de": "Abmelden"}[locale]
        words = {"en": "You are receiving this", "de": "Sie erhalten diese Nachricht"}[locale]

        for part in ("text", "html"):
            text = getattr(TEMPLATES.render(name, locale, full), part)
            assert label in text
            assert words in text
            assert full["unsubscribe"] in text
            assert label not in getattr(TEMPLATES.render(name, locale, least), part)

    def test_goes_by_whatsapp_too(self, name, locale, event):
        for context in example_contexts(event):
            rendered = TEMPLATES.render(name, locale, context)

            assert rendered.purpose == NAMES[name]
            if name == "reward_failed":
                assert rendered.whatsapp is None
                continue
            message = rendered.whatsapp
            assert message.template == f"referral_{name}"
            assert message.language == locale
            assert message.category == ("utility" if NAMES[name] == "service" else "marketing")
            assert all(parameter.text for parameter in message.body)


class TestGerman:
    def test_money_dates_and_numbers_are_written_the_german_way(self):
        points = {**EXAMPLE_REWARD, "type": "points", "amount": "1000", "currency": None}

        rendered = render("thank_advocate", "de", rewards=[EXAMPLE_REWARD, points])

        for part in (rendered.text, rendered.html):
            assert f"25,00{NBSP}€" in part
            assert "1.000 Punkte" in part
            assert "18. März 2026" in part

    def test_austria_writes_money_its_own_way_in_german_words(self):
        rendered = render("thank_advocate", "de-AT")

        assert rendered.subject == "Fay hat Ihren Code eingelöst"
        assert f"€{NBSP}25,00" in rendered.text
        assert '<html lang="de-AT"' in rendered.html

    def test_one_point_is_one_point(self):
        one = {**EXAMPLE_REWARD, "type": "points", "amount": "1", "currency": None}

        assert "1 Punkt\n" in render("reward_granted", "de", rewards=[one]).text
        assert "1 point\n" in render("reward_granted", "en", rewards=[one]).text

    def test_known_reasons_are_translated_and_operators_reasons_are_unchanged(self):
        refunded = render("rolled_back", "de")
        by_hand = render(
            "rolled_back", "de", reason="Doppelt.", reason_code="rolled_back_by_operator"
        )

        assert "Die Bestellung wurde erstattet." in refunded.text
        assert "Der Grund: Doppelt." in by_hand.text


@pytest.mark.parametrize(
    ("locale", "day"),
    [
        ("en", "March 18, 2026"),
        ("en-GB", "18 March 2026"),
        ("en-US", "March 18, 2026"),
        ("de-CH", "18. März 2026"),
        ("de-XX", "18. März 2026"),
        ("fr", "March 18, 2026"),
    ],
)
def test_a_date_is_written_as_the_reader_does_in_the_language_of_the_message(locale, day):
    assert day in render("reward_pending", locale).subject


@pytest.mark.parametrize(
    ("discount", "english", "german"),
    [
        ({"kind": "percent", "percent": 20}, "20% off", f"20{NBSP}% Rabatt"),
        (
            {"kind": "percent", "percent": "12.5", "max_amount": "50.00", "currency": "EUR"},
            "12.5% off, up to €50.00",
            f"12,5{NBSP}% Rabatt, höchstens 50,00{NBSP}€",
        ),
        (
            {"kind": "free_shipping", "min_order": "80.00", "currency": "EUR"},
            "Free shipping, for orders from €80.00",
            f"Kostenloser Versand, ab einem Bestellwert von 80,00{NBSP}€",
        ),
        (
            {"kind": "amount", "amount": "5.00", "currency": "EUR"},
            "€5.00 off",
            f"5,00{NBSP}€ Rabatt",
        ),
        ({"kind": "product", "product": "Mug"}, "Mug for free", "Mug gratis"),
        ({"kind": "free_shipping"}, "Free shipping", "Kostenloser Versand"),
    ],
)
def test_a_coupon_says_what_it_takes_off_and_has_its_code_in_a_box(discount, english, german):
    nothing = dict.fromkeys(EXAMPLE_COUPON["discount"])
    coupon = {**EXAMPLE_COUPON, "discount": nothing | discount}
    for locale, words in (
        ("en", f"{english} with the coupon"),
        ("de", f"{german} mit dem Gutschein"),
    ):
        rendered = render("reward_granted", locale, rewards=[coupon])

        assert f"{words} THANKS-7K2M9Q" in rendered.text
        assert re.search(r"monospace[^>]*>THANKS-7K2M9Q<", rendered.html)


@pytest.mark.parametrize(
    ("locale", "repaid", "text"),
    [
        ("en", "5.00", "€25.00, of which €5.00 repaid what you owed"),
        ("en", "25.00", "€25.00, all of which repaid what you owed"),
        ("de", "5.00", f"25,00{NBSP}€, davon 5,00{NBSP}€ für Ihren offenen Betrag"),
        ("de", "25.00", f"25,00{NBSP}€, mit denen Ihr offener Betrag beglichen wurde"),
    ],
)
def test_a_reward_that_repaid_a_debt_says_so_and_not_that_it_is_ready_to_use(locale, repaid, text):
    reward = EXAMPLE_REWARD | {"repaid": repaid}

    rendered = render("reward_granted", locale, reward=reward, rewards=[reward])

    for part in (rendered.text, rendered.html):
        assert text in part
        assert not re.search("ready to use|sofort", part)


def test_an_invitation_says_what_the_campaign_offers():
    nothing = {"friend": None, "advocate": None}

    assert "Your welcome gift: 20% off" in render("invite").text
    assert "welcome gift" not in render("invite", offer=nothing).text


def test_the_alert_of_a_failed_reward_names_the_commands():
    rendered = render("reward_failed", reason="The voucher API answers 401.")

    for part in (rendered.text, rendered.html):
        assert "referrals reward retry rew_8w2k4n6p" in part
        assert "The voucher API answers 401." in part


def test_a_programme_can_rename_its_points(tmp_path):
    points = {**EXAMPLE_REWARD, "type": "points", "amount": "1000", "currency": None}
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "_reward.jinja").write_text(
        "{% block label %}{{ amount | number }} Sterne{% endblock %}"
        "{% block description %}{{ self.label() }}{% endblock %}"
    )

    rendered = Templates(tmp_path).render(
        "reward_granted", "de-CH", {**EXAMPLE_CONTEXT, "rewards": [points]}
    )

    assert "Ihre Prämie: 1’000 Sterne" in rendered.text
    assert "1’000 Sterne" in rendered.html


def test_a_regions_own_message_still_has_its_languages_words(tmp_path):
    (tmp_path / "de-AT").mkdir()
    source = (TEMPLATES.for_campaign(None).file_path("de/reward_granted.jinja")).read_text()
    (tmp_path / "de-AT" / "reward_granted.jinja").write_text(source)
    coupon = {**EXAMPLE_CONTEXT, "rewards": [EXAMPLE_COUPON]}

    assert "mit dem Gutschein" in Templates(tmp_path).render("reward_granted", "de-AT", coupon).text


def test_a_custom_brand_sets_colours_and_logo_of_every_message(tmp_path):
    (tmp_path / "_brand.jinja").write_text(
        "{% set accent, on_accent, link_in_dark = '#0a7a3c', '#fff', '#7fe0a7' %}"
        "{% set tint, tint_edge, strong = '#eee', '#ddd', '#111' %}"
        "{% set logo, logo_width = 'https://shop.example/logo.png', 120 %}"
    )

    html = Templates(tmp_path).render("invite", "de", EXAMPLE_CONTEXT).html

    assert "background:#0a7a3c" in html
    (image,) = [attributes for tag, attributes in page(html).tags if tag == "img"]
    assert image["src"] == "https://shop.example/logo.png"
    assert image["alt"] == "Spring referrals"


def test_a_date_of_the_context_prints_as_it_is_written_out(tmp_path):
    (tmp_path / "de").mkdir()
    source = "{% block subject %}{{ due_at }}{% endblock %}"
    source += (
        "{% block text %}{{ due_at | date('EEEE, d. MMMM') }}, {{ 1000 | number }}{% endblock %}"
    )
    source += "{% block html %}{{ '3' | money('JPY') }}{% endblock %}"
    (tmp_path / "de" / "hello.jinja").write_text(source)

    rendered = Templates(tmp_path).render(
        "hello", "de", {**EXAMPLE_CONTEXT, "due_at": date(2026, 12, 24)}
    )

    assert (rendered.subject, rendered.text) == (
        "24. Dezember 2026",
        "Donnerstag, 24. Dezember, 1.000",
    )
    assert rendered.html == f"3{NBSP}¥"


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("#1f2933", "#ffffff"),
        ("#1a56c4", "#ffffff"),
        ("#52606d", "#f2f4f7"),
        ("#102a56", "#f2f4f7"),
        ("#52606d", "#eef3fd"),
        ("#102a56", "#eef3fd"),
        ("#e4e8ee", "#1d232c"),
        ("#8fb6ff", "#1d232c"),
        ("#a9b4c2", "#12161c"),
        ("#e4e8ee", "#12161c"),
        ("#a9b4c2", "#263040"),
        ("#ffffff", "#263040"),
    ],
)
def test_text_has_enough_contrast_in_light_and_dark_mode(text, ground):
    html = render("code_published").html

    assert text in html
    assert ground in html
    assert contrast(text, ground) >= 4.5
