import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.codes import (
    DEFAULT_CHARSET,
    MAX_CODE_LENGTH,
    check_charset,
    check_pattern,
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


@given(st.text(max_size=80))
def test_a_code_has_one_spelling(text):
    assert normalise_code(normalise_code(text)) == normalise_code(text)


def test_codes_are_the_same_in_upper_and_lower_case():
    assert normalise_code("  spring-7k2m\n") == normalise_code("SPRING-7K2M")
