"""Every spelling of one contact or id has one canonical form, and different contacts keep different forms."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.identity import (
    Contact,
    IdentityOptions,
    canonical_email,
    canonical_phone,
    contacts_of,
    normalise_id,
)

INVISIBLE = ["\u200b", "\u200d", "\ufeff", "\u2060", "\u00ad"]
ASCII_WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
DOMAINS = st.sampled_from(["gmail.com", "shop.example", "b\u00fccher.example", "yahoo.com"])
OPTIONS = IdentityOptions(
    "reward keys", (("new", "n"), ("old", "o")), frozenset({"till@shop.example"})
)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """Return an address and another spelling of it."""
    local, domain = draw(ASCII_WORDS), draw(DOMAINS)
    spelled = draw(st.sampled_from([str.upper, str.title, str.lower]))(local)
    if domain == "gmail.com":
        domain_spelled = draw(st.sampled_from(["gmail.com", "GoogleMail.com"]))
        spelled = ".".join(spelled)
    else:
        domain_spelled = draw(
            st.sampled_from(
                [
                    domain.upper(),
                    domain.encode("idna").decode(),
                    unicodedata.normalize("NFD", domain),
                ]
            )
        )
    tag = draw(st.sampled_from(["", "+news", "+a+b"]))
    place = draw(st.integers(0, len(spelled)))
    hidden = spelled[:place] + draw(st.sampled_from(["", *INVISIBLE])) + spelled[place:]
    return f"{local}@{domain}", f" {hidden}{tag}@{domain_spelled} "


@given(spellings())
def test_every_spelling_of_an_address_has_one_form(pair: tuple[str, str]):
    address, spelled = pair

    assert canonical_email(spelled) == canonical_email(address)


@given(st.text(max_size=40))
def test_canonical_forms_do_not_change_again(text: str):
    for canonical in (canonical_email, canonical_phone, normalise_id):
        assert canonical(canonical(text)) == canonical(text)


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_any_text_has_digests(own_id: str, email: str, phone: str):
    digests = OPTIONS.digests(own_id, email, phone)

    assert {digest.key_id for digest in digests} <= {"new", "old"}
    assert len({(digest.value, digest.kind) for digest in digests}) == len(digests)


@given(ASCII_WORDS, ASCII_WORDS)
def test_ids_that_are_no_addresses_keep_their_case(one: str, other: str):
    assert (normalise_id(one.upper()) == normalise_id(other)) == (one.upper() == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+49 151 123 45678", "0049 (151) 12345678"),
        ("+44 0161 1234567", "+441611234567"),
        ("0151/12345678", "0151 12345678"),
    ],
)
def test_spellings_of_a_phone_have_one_form(one: str, other: str):
    assert canonical_phone(one) == canonical_phone(other)


def test_a_number_without_country_is_no_other_number():
    numbers = ["0151 12345678", "+49 151 12345678", "+43 151 12345678", "151 12345678"]

    assert len({canonical_phone(number) for number in numbers}) == len(numbers)


def test_letters_of_another_alphabet_make_a_lookalike_only_beside_latin_ones():
    mixed = list(contacts_of("fay", "p\u0430y@shop.example", None))
    whole = list(contacts_of("fay", "\u0430\u0435@shop.example", None))

    assert Contact("lookalike", "pay@shop.example") in mixed
    assert [contact.kind for contact in whole] == ["email"]


def test_an_id_that_is_an_address_identifies_too():
    as_id = OPTIONS.digests("Fay@shop.example", None, None)
    as_email = OPTIONS.digests("u-7", "fay@shop.example", None)

    assert as_id == as_email


def test_listed_contacts_have_no_digests():
    assert OPTIONS.digests("fay", "TILL@shop.example", None) == ()
