import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.codes import (
    DEFAULT_CHARSET,
    MAX_CODE_LENGTH,
    check_charset,
    check_pattern,
    code_key,
    generate_code,
    is_code,
    normalise_code,
)

patterns = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?#{5,20}", fullmatch=True)


def test_the_default_charset_has_no_characters_that_are_mistaken_for_one_another():
    assert not set("ILO01") & set(DEFAULT_CHARSET)
    assert check_charset(DEFAULT_CHARSET) == DEFAULT_CHARSET


@given(patterns)
def test_a_generated_code_has_the_pattern_and_its_one_spelling(pattern):
    code = generate_code(check_pattern(pattern, DEFAULT_CHARSET), DEFAULT_CHARSET)

    shape = "".join(f"[{DEFAULT_CHARSET}]" if c == "#" else re.escape(c) for c in pattern.upper())
    assert re.fullmatch(shape, code)
    assert is_code(code)
    assert normalise_code(code) == code


def test_a_lower_case_charset_makes_upper_case_codes():
    assert re.fullmatch("GO-[ABCDEFGHJK]{6}", generate_code("go-######", "abcdefghjk"))


def test_generated_codes_differ():
    codes = {generate_code("####-####", DEFAULT_CHARSET) for _ in range(1000)}

    assert len(codes) == 1000


def test_every_character_of_the_charset_comes_up():
    drawn = "".join(generate_code("#" * 40, DEFAULT_CHARSET) for _ in range(100))

    assert set(drawn) == set(DEFAULT_CHARSET)


@pytest.mark.parametrize(
    ("pattern", "charset", "codes"),
    [
        ("SPRING", DEFAULT_CHARSET, 1),
        ("X-##", DEFAULT_CHARSET, 961),
        ("###", "0123456789", 1000),
    ],
)
def test_a_pattern_whose_codes_could_be_guessed_is_refused(pattern, charset, codes):
    with pytest.raises(ValueError, match=f"allows only {codes} codes; at least 10000 are needed"):
        check_pattern(pattern, charset)


def test_a_pattern_with_exactly_the_minimum_of_codes_is_accepted():
    assert check_pattern("######", "0123456789") == "######"


@pytest.mark.parametrize(
    "pattern",
    [
        "", "########/", "a b########", "-########", "########-", "########.", "../########", "\u00e4########",
        "########?x=1", "%########", "########\n", "#" * (MAX_CODE_LENGTH + 1),
    ],
)  # fmt: skip
def test_a_pattern_that_is_not_safe_in_a_url_is_refused(pattern):
    with pytest.raises(ValueError, match="must be 1 to 64 characters"):
        check_pattern(pattern, DEFAULT_CHARSET)


@pytest.mark.parametrize("charset", ["", "AB#", "AB-", "\u00c4BC", "A B", "ABC\n", "\u0661\u0662"])
def test_a_charset_of_other_than_letters_and_digits_is_refused(charset):
    with pytest.raises(ValueError, match="must be letters A to Z and digits only"):
        check_charset(charset)


@pytest.mark.parametrize("charset", ["AA", "ABCA", "aA"])
def test_a_charset_with_a_character_twice_in_either_case_is_refused(charset):
    with pytest.raises(ValueError, match="has a character twice"):
        check_charset(charset)


@pytest.mark.parametrize("text", ["A", "JY9P-HYL8", "spring.2026_x", "7" * 64])
def test_what_is_safe_in_a_url_can_be_a_code(text):
    assert is_code(text)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "-A", "A-", "A B", "A/B", "A\n", "\u00c4", "A\x00", "\ud800", "7" * 65]
)
def test_what_is_not_safe_in_a_url_cannot(text):
    assert not is_code(text)


DASHES = [
    "-",
    "\u2010",
    "\u2011",
    "\u2013",
    "\u2014",
    "\u2212",
    "\uff0d",
    "\u2043",
    "\u00ad-",
    " ",
    "",
]
NOISE = ["", " ", "\u200b", "\ufeff", "\u00a0", "\u202f", "\t", "\u2060", "\x00", "\ud800"]
PUNCTUATION = ["", ".", ",", ")", "/", "!", "?", ":", "\u201d", "\u3002", "_", "\u2026"]
WIDE = {ord("A") + n: 0xFF21 + n for n in range(26)} | {ord("0") + n: 0xFF10 + n for n in range(10)}
DOTTED = str.maketrans("I", "\u0130")
DOTLESS = str.maketrans("I", "\u0131")
CASES = [str.upper, str.lower, str.title, lambda code: code.translate(WIDE)]
TURKISH = [str, lambda code: code.translate(DOTTED), lambda code: code.translate(DOTLESS)]


@given(
    st.lists(st.text("AIFRZ0179", min_size=1, max_size=5), min_size=1, max_size=3),
    st.data(),
)
def test_every_spelling_of_a_code_is_the_same_code(parts, data):
    draw = data.draw
    typed = draw(st.sampled_from(CASES))(draw(st.sampled_from(DASHES)).join(parts))
    typed = draw(st.sampled_from(TURKISH))(typed)
    noise, end = st.sampled_from(NOISE), st.sampled_from(PUNCTUATION)
    typed = draw(noise) + draw(end) + typed + draw(noise) + draw(end) + draw(noise)

    assert code_key(typed) == "".join(parts).lower()


@given(st.text(max_size=80))
def test_the_key_of_a_code_is_its_own_key(text):
    key = code_key(text)

    assert code_key(key) == key
    assert "\x00" not in key
    key.encode()


@pytest.mark.parametrize("text", ["", "-", " \u2013 ", "...", "\u200b", "\ud800", "?!"])
def test_a_text_without_letters_and_digits_has_no_key(text):
    assert code_key(text) == ""


@pytest.mark.parametrize("other", ["FRI-ABD", "FRI.ABC", "FRI_ABC", "FRIABCC", "none / n.a."])
def test_other_codes_have_other_keys(other):
    assert code_key(other) != code_key("FRI-ABC")


def test_a_new_code_is_shown_in_upper_case_with_plain_dashes():
    assert normalise_code(" ada\u20132026\u200b\n") == "ADA-2026"
    assert is_code(normalise_code("ada\u20132026"))
