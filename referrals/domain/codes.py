"""Codes: patterns, generation and comparison.

Referral codes are shown in upper case, coupon codes as they were imported. Both are looked up by `code_key`.
"""

import re
import secrets
import unicodedata

from referrals.domain.contacts import visible_text

DEFAULT_CHARSET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Letters and digits that cannot be confused: no I, L, O, 0, 1."""

MAX_CODE_LENGTH = 64
MIN_POSSIBLE_CODES = 10**4
"""Minimum number of different codes that a pattern must allow, so that codes cannot be guessed."""

_GAPS = re.compile(r"[\x00-\x20\x7f-]+")
_ENDS = re.compile(r"^[\W_]+|[\W_]+$")
_IGNORED = frozenset({"Cc", "Cf", "Cs", "Mn", "Me", "Pd", "Zs", "Zl", "Zp"})
_OTHER_DASHES = frozenset("\u2212\u02d7\u2043")
"""Minus signs and bullets that Unicode does not count as dashes."""
_DOTLESS = {"\u0131": "i"}
_CODE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def code_key(text: str) -> str:
    """Return the form by which codes are compared, whatever people typed or pasted; empty if nothing is left.

    Case, width and accents do not count, nor do spaces and dashes of any kind, invisible characters, and punctuation at
    either end. Two codes with one key cannot both exist.
    """
    plain = text if text.isascii() else _ascii_letters(text)
    return _ENDS.sub("", _GAPS.sub("", plain.casefold()))


def _ascii_letters(text: str) -> str:
    """Return the text without accents, invisible characters, and other alphabets' digits, spaces and dashes."""
    for _ in range(2):  # case folding may compose again what the first pass has decomposed
        text = unicodedata.normalize("NFKD", text.casefold())
    return "".join(map(_ascii_character, text))


def _ascii_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category in _IGNORED or character in _OTHER_DASHES:
        return ""
    return _DOTLESS.get(character, character)


def normalise_code(text: str) -> str:
    """Return a new code in the spelling in which it is shown: upper case, with plain dashes."""
    dashes = (
        "-" if unicodedata.category(char) == "Pd" or char in _OTHER_DASHES else char
        for char in visible_text(text)
    )
    return "".join(dashes).upper()


def is_code(text: str) -> bool:
    """Return True if the text is a valid code: 1 to 64 characters that are safe in a URL."""
    return len(text) <= MAX_CODE_LENGTH and _CODE.fullmatch(text) is not None


def check_charset(charset: str) -> str:
    """Return the charset if it is valid.

    Raises:
        ValueError: a character is not a letter A-Z or a digit, or occurs twice (ignoring case).
    """
    if not (charset.isascii() and charset.isalnum()):
        raise ValueError("must be letters A to Z and digits only")
    if len(set(charset.upper())) < len(charset):
        raise ValueError("has a character twice (codes are case-insensitive)")
    return charset


def check_pattern(pattern: str, charset: str) -> str:
    """Return the pattern if it is valid. Each ``#`` is one character of the charset.

    Raises:
        ValueError: the pattern is too long, has a character that is not safe in a URL, or allows fewer than
            `MIN_CODES` codes.
    """
    if not is_code(pattern.replace("#", "X")):
        raise ValueError(
            f"must be 1 to {MAX_CODE_LENGTH} characters: # for a random one, letters and digits, "
            "and - _ . between them"
        )
    codes = len(charset) ** pattern.count("#")
    if codes < MIN_POSSIBLE_CODES:
        raise ValueError(
            f"allows only {codes} codes; at least {MIN_POSSIBLE_CODES} are needed so that codes cannot be guessed: "
            "add a # or more characters to the charset"
        )
    return pattern


def generate_code(pattern: str, charset: str) -> str:
    """Generate a random code of the pattern from a cryptographic random source."""
    code = "".join(secrets.choice(charset) if char == "#" else char for char in pattern)
    return normalise_code(code)
