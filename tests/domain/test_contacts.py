"""Contact details in the spellings of people, browsers and systems."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.contacts import (
    can_receive_email,
    can_receive_messages,
    normalise_email,
    normalise_locale,
    normalise_phone,
    normalise_timezone,
    single_line,
)

NORMALISERS = (
    normalise_email,
    normalise_locale,
    normalise_phone,
    normalise_timezone,
    single_line,
)
INVISIBLE = ["", " ", "\u200b", "\ufeff", "\u00a0", "\u202a", "\u2060"]
invisible = st.sampled_from(INVISIBLE)


@pytest.mark.parametrize("normalise", NORMALISERS)
@given(st.data())
def test_what_is_normalised_stays_as_it_is(normalise, data):
    texts = (
        st.text()
        | st.text("+0123456789-() .")
        | st.text("abc@.<>_- DEéİ\u200b").map("x@y.{}".format)
    )
    try:
        normal = normalise(data.draw(texts))
    except ValueError:
        return

    assert normalise(normal) == normal


@given(
    st.sampled_from(["ada@shop.example", "Ada@SHOP.example", "<ada@shop.example>"]),
    st.sampled_from(["{}", "mailto:{}", "Ada <{}>", "{},", "{};"]),
    invisible,
    invisible,
)
def test_an_email_is_read_in_every_spelling(address, form, before, behind):
    spelling = before + form.format(address.strip("<>")) + behind

    assert normalise_email(spelling).lower() == "ada@shop.example"
    assert normalise_email(spelling).endswith("@shop.example")


@pytest.mark.parametrize("address", ["taro..yamada.@docomo.ne.jp", ".x@y.de", "a-@b_c.de"])
def test_an_address_that_cannot_be_written_to_is_stored_nevertheless(address):
    assert normalise_email(address.upper()).endswith(address.partition("@")[2])
    assert normalise_email(address) == address
    assert not can_receive_email(address)


@pytest.mark.parametrize(
    "text", ["n/a", "none", "ada@localhost", "a@b@c.de", "a b@c.de", "@", "a@b\nc.de"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="is not an email address"):
        normalise_email(text)


@given(
    st.sampled_from(["+49", "0049", "+49 (0)", "tel:+49-", "＋４９"]),
    st.lists(st.sampled_from(["", " ", "-", "/", ".", "\u2011", "\u200b"]), min_size=3, max_size=3),
)
def test_a_phone_number_is_read_in_every_spelling(prefix, gaps):
    first, second, third = gaps

    spelling = f"{prefix}{first}151{second}1234{third}5678"

    assert normalise_phone(spelling) == "+4915112345678"
    assert can_receive_messages("+4915112345678")


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("0151 12345678", "015112345678"),
        ("0151-1234-5678", "015112345678"),
        ("(0151) 12345678", "015112345678"),
        ("5215512345678", "5215512345678"),
    ],
)
def test_a_number_without_its_country_has_one_spelling(text, digits):
    assert normalise_phone(text) == digits
    assert not can_receive_messages(digits)


@pytest.mark.parametrize(
    "text", ["000-000-0000", "+1", "12", "****5678", "none", "1" * 40, "1234567 or 7654321"]
)
def test_what_is_no_phone_number_is_refused(text):
    with pytest.raises(ValueError, match="is not a phone number"):
        normalise_phone(text)


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("en_US.UTF-8", "en-US"),
        ("en-US-u-hc-h12", "en-US"),
        ("de_DE@euro", "de-DE"),
        ("DE", "de"),
        ("pt-br", "pt-BR"),
        ("zh_hant_tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("ca-ES-valencia", "ca-ES"),
        ("de-DE,de;q=0.9,en;q=0.8", "de-DE"),
        ("en_US_POSIX", "en-US"),
        ("\u200bfr\u00a0", "fr"),
    ],
)
def test_a_locale_is_read_as_browsers_and_systems_write_it(text, locale):
    assert normalise_locale(text) == locale


@pytest.mark.parametrize("text", ["german language", "C", "*", "i-klingon", "1", "de-"])
def test_what_is_no_locale_is_refused(text):
    with pytest.raises(ValueError, match="must be a language tag"):
        normalise_locale(text)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("w. europe standard time", "Europe/Berlin"),
        (" Tokyo Standard Time ", "Asia/Tokyo"),
        ("utc", "UTC"),
    ],
)
def test_a_time_zone_is_read_in_any_case_and_as_windows_names_it(text, zone):
    assert normalise_timezone(text) == zone


def test_what_is_no_time_zone_is_refused():
    with pytest.raises(ValueError, match="is not a time zone"):
        normalise_timezone("Mars/Olympus")


@pytest.mark.parametrize(
    "text", ["Ada Lovelace", " Ada\tLovelace ", "Ada\r\n Lovelace", "Ada\x00Lovelace"]
)
def test_a_name_is_on_one_line(text):
    assert single_line(text) == "Ada Lovelace"


def test_a_name_keeps_its_joined_characters():
    assert single_line("Zoe\u0301 👩🏽\u200d💻") == "Zoé 👩🏽\u200d💻"
