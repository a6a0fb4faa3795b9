"""Referral codes: their patterns, their making and their one spelling.

Codes are case-insensitive: upper case is the one spelling that is stored and compared.
"""

import re
import secrets

DEFAULT_CHARSET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Letters and digits that are not mistaken for one another: no I, L, O, 0, 1."""

MAX_CODE_LENGTH = 64
MIN_POSSIBLE_CODES = 10**4
"""The fewest different codes that a pattern must allow, so that codes in use cannot be guessed."""

_CODE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def normalise_code(text: str) -> str:
    """The one spelling of a code: without surrounding space, in upper case."""
    return text.strip().upper()


def is_code(text: str) -> bool:
    """Whether the text can be a code at all: 1 to 64 characters that are safe in a URL."""
    return len(text) <= MAX_CODE_LENGTH and _CODE.fullmatch(text) is not None


def check_charset(charset: str) -> str:
    """The charset itself.

    Raises:
        ValueError: a character that is no letter A-Z or digit, or one that is there twice, in either case.
    """
    if not (charset.isascii() and charset.isalnum()):
        raise ValueError("must be letters A to Z and digits only")
    if len(set(charset.upper())) < len(charset):
        raise ValueError("has a character twice (codes are the same in upper and lower case)")
    return charset


def check_pattern(pattern: str, charset: str) -> str:
    """The pattern itself, in which every ``#`` stands for one character of the charset.

    Raises:
        ValueError: it is too long, has a character that is not safe in a URL, or allows fewer than
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
            f"allows only {codes} codes; at least {MIN_POSSIBLE_CODES} are needed so that none can be guessed: "
            "add a # or more characters to the charset"
        )
    return pattern


def generate_code(pattern: str, charset: str) -> str:
    """A random code of the pattern, from a cryptographic source."""
    code = "".join(secrets.choice(charset) if char == "#" else char for char in pattern)
    return normalise_code(code)
